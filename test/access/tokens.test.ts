import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Fastify from "fastify";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Brake, MOST_WRONG_TOKENS } from "../../src/access/brake.ts";
import { digestOf, isOwnSecret, newSecret, weaknessOf } from "../../src/access/secret.ts";
import { parseTokenFile } from "../../src/access/token-file.ts";
import { reachOf, sees } from "../../src/contract/names/repo-pattern.ts";
import { useRights } from "../../src/http/plugins/rights.ts";
import { temporaryFolder } from "../support/folder.ts";
import { startService } from "../support/service.ts";

const sha256Of = (secret: string): string => digestOf(secret).toString("hex");
const entry = (more: object = {}) => ({ name: "ci", role: "worker", sha256: sha256Of("a secret"), ...more });
const fileOf = (...tokens: object[]): string => JSON.stringify({ tokens });

describe("a token file", () => {
  it.each([
    ["no JSON", "{", /^is not JSON/],
    ["no object", "[]", /must be of the type object/],
    ["another member", JSON.stringify({ tokens: [], more: 1 }), /unknown member "more"/],
    [
      "no role",
      fileOf(entry({ role: undefined })),
      /^tokens\[0\] \(ci\): role must be one of viewer, worker/,
    ],
    [
      "another role",
      fileOf(entry({ role: "root" })),
      /^tokens\[0\] \(ci\): role must be one of viewer, worker/,
    ],
    ["the gate's own name", fileOf(entry({ name: "serial-gate" })), /name must not be serial-gate/],
    ["a name with a space", fileOf(entry({ name: "c i" })), /^tokens\[0\]: name must be a name/],
    ["a star in the middle", fileOf(entry({ repos: ["acme/*/web"] })), /repos\.0 must be a repository name/],
    ["no repository", fileOf(entry({ repos: [] })), /repos must name a repository/],
    [
      "a secret",
      fileOf(entry({ secret: "topsecret" })),
      /^tokens\[0\] \(ci\): has the unknown member "secret"$/,
    ],
    ["a short digest", fileOf(entry({ sha256: "topsecret" })), /sha256 must be 64 hexadecimal digits/],
    ["a date", fileOf(entry({ expires_at: "2027-01-01" })), /expires_at must be a time/],
    [
      "one secret twice",
      fileOf(entry(), entry({ name: "other" })),
      /^tokens\[1\] \(other\): sha256 is that of an/,
    ],
    [
      "two roles of one name",
      fileOf(entry(), entry({ sha256: sha256Of("b"), role: "viewer" })),
      /^tokens\[1\] \(ci\): role, repos and agents must be those/,
    ],
  ])("with %s is refused in a sentence that shows no secret", (_, text, message) => {
    expect(() => parseTokenFile(text)).toThrow(message);
    expect(() => parseTokenFile(text)).not.toThrow(/topsecret/);
  });

  it("may have several secrets of one caller", () => {
    expect(parseTokenFile(fileOf(entry(), entry({ sha256: sha256Of("b") }))).tokens).toHaveLength(2);
  });
});

it("a pattern matches its name, or every name with its prefix", () => {
  expect(reachOf(undefined)).toBeNull();
  expect(reachOf(["acme/web", "*"])).toBeNull();
  fc.assert(
    fc.property(fc.string(), fc.string(), (prefix, rest) => {
      const isPlain = !prefix.endsWith("*");
      expect(sees([`${prefix}*`], prefix + rest)).toBe(true);
      if (isPlain) expect(sees([prefix], prefix + rest)).toBe(rest === "");
      expect(sees([`${prefix}*`], null)).toBe(false);
    }),
  );
});

it("a secret that we make has a checksum, by which a mistyped one is told", () => {
  const secret = newSecret();
  expect(secret).toMatch(/^sg_[0-9a-z]{39}$/);
  expect(isOwnSecret(secret)).toBe(true);
  for (let place = 3; place < secret.length; place += 1) {
    const other = secret[place] === "0" ? "1" : "0";
    expect(isOwnSecret(secret.slice(0, place) + other + secret.slice(place + 1))).toBe(false);
  }
  expect(weaknessOf(secret)).toBeUndefined();
});

it.each(["0123456789abcdef", "aaaaaaaaaaaaaaaaaaaaaaaa", "abababababababab"])(
  "warns of the secret %s",
  (secret) => {
    expect(weaknessOf(secret)).toMatch(/^is /);
  },
);

it("a brake closes for an address after too many wrong tokens, and opens a minute later", () => {
  const brake = new Brake();
  for (let count = 0; count < MOST_WRONG_TOKENS; count += 1)
    expect(brake.count("2001:db8:1:2::1", 0)).toBe(0);
  expect(brake.count("2001:db8:1:2::ffff", 30_000)).toBe(30);
  expect(brake.count("192.0.2.1", 30_000)).toBe(0);
  expect(brake.count("2001:db8:1:2::1", 60_000)).toBe(0);
});

it.each([
  ["2001:db8::1", "2001:db8::2:3:4:5"],
  ["2001:db8:1::1", "2001:db8:1:0:ffff::"],
  ["fe80::1%eth0", "fe80::2:3:4:5%eth1"],
  ["::1", "::a:b:c:d"],
])("takes %s and %s for one network, however their zeros are spelled", (one, other) => {
  const brake = new Brake();
  for (let n = 0; n < MOST_WRONG_TOKENS; n += 1) expect(brake.count(one, 0)).toBe(0);
  expect(brake.count(other, 0)).toBe(60);
  expect(brake.count("2001:db8:0:1::1", 0)).toBe(0);
});

it("a service does not start with a route that declares no right", async () => {
  const app = Fastify();
  useRights(app);
  app.get("/forgotten", () => "");
  await expect(app.ready()).rejects.toThrow("The route GET /forgotten declares no right");
});

describe("a service with a token file", () => {
  const secrets = { old: "old-0a9z8y7x6w5v4u3t", next: "next-0a9z8y7x6w5v4u3t" };
  const start = async (text: string) => {
    const path = join(temporaryFolder(), "tokens.json");
    writeFileSync(path, text);
    const service = await startService({ SERIAL_GATE_TOKENS_FILE: path });
    const statusFor = async (secret: string) =>
      (await service.call("GET", "/queue", undefined, { authorization: `Bearer ${secret}` })).status;
    return { ...service, path, statusFor };
  };

  it("does not start when the file is invalid or missing", async () => {
    await expect(start("{}")).rejects.toThrow(/SERIAL_GATE_TOKENS_FILE: tokens must be of the type array/);
    await expect(startService({ SERIAL_GATE_TOKENS_FILE: "/nowhere/tokens.json" })).rejects.toThrow(
      /SERIAL_GATE_TOKENS_FILE: cannot be read/,
    );
  });

  it("asks for a token also when the file has none", async () => {
    const { statusFor, get } = await start(fileOf());
    expect(await statusFor(secrets.old)).toBe(401);
    expect((await get("/queue")).status).toBe(401);
  });

  it("takes a changed file by itself, and keeps the tokens when it becomes invalid", async () => {
    const { path, statusFor, logs, service } = await start(fileOf(entry({ sha256: sha256Of(secrets.old) })));
    expect(await statusFor(secrets.old)).toBe(200);
    writeFileSync(path, "{");
    service.reload();
    expect(await statusFor(secrets.old)).toBe(200);
    expect(logs.join("")).toContain("SERIAL_GATE_TOKENS_FILE is not JSON");
    // Both secrets of the caller, then the new one alone: a rotation without a gap.
    writeFileSync(
      path,
      fileOf(entry({ sha256: sha256Of(secrets.old) }), entry({ sha256: sha256Of(secrets.next) })),
    );
    service.reload();
    expect([await statusFor(secrets.old), await statusFor(secrets.next)]).toEqual([200, 200]);
    writeFileSync(`${path}.part`, fileOf(entry({ sha256: sha256Of(secrets.next) })));
    renameSync(`${path}.part`, path);
    await expect.poll(() => statusFor(secrets.old), { timeout: 20_000 }).toBe(401);
    expect(await statusFor(secrets.next)).toBe(200);
  });

  it("answers 429 to wrong tokens beyond the limit, and still takes a right one from the same address", async () => {
    const { statusFor, call } = await start(fileOf(entry({ sha256: sha256Of(secrets.old) })));
    for (let count = 0; count < MOST_WRONG_TOKENS; count += 1) await statusFor(`wrong-${count}`);
    const answer = await call("GET", "/queue", undefined, { authorization: "Bearer wrong" });
    expect(answer).toMatchObject({ status: 429, body: { code: "too_many_wrong_tokens" } });
    expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(await statusFor(secrets.old)).toBe(200);
  });
});
