import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { join } from "node:path";
import { expect, it, vi } from "vitest";
import { parseConfig } from "../src/config/service.ts";
import { temporaryFolder } from "./support/folder.ts";
import { startProgram } from "./support/process.ts";
import { startService } from "./support/service.ts";

vi.setConfig({ testTimeout: 60_000 });

const noOpenssl = spawnSync("openssl", ["version"]).status === 0 ? undefined : "openssl(1) is not installed";

/** A certificate for this machine, signed by itself, and its key. */
const makeCertificate = (): { SERIAL_GATE_TLS_CERT: string; SERIAL_GATE_TLS_KEY: string } => {
  const folder = temporaryFolder();
  const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
  const options =
    "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost";
  const made = spawnSync("openssl", [
    ...options.split(" "),
    "-addext",
    "subjectAltName=IP:127.0.0.1",
    "-keyout",
    key,
    "-out",
    cert,
  ]);
  expect(made.status, String(made.stderr)).toBe(0);
  return { SERIAL_GATE_TLS_CERT: cert, SERIAL_GATE_TLS_KEY: key };
};

it.skipIf(noOpenssl !== undefined)(
  `serves HTTPS with a certificate, to the command line too${noOpenssl ? ` (${noOpenssl})` : ""}`,
  async () => {
    const files = makeCertificate();
    const { service } = await startService({ ...files, SERIAL_GATE_TOKENS: "ann:0123456789abcdef" });
    expect(service.url).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/);
    const status = await new Promise<number | undefined>((answered, fail) => {
      request(`${service.url}/readyz`, { ca: readFileSync(files.SERIAL_GATE_TLS_CERT) }, (response) => {
        response.resume();
        answered(response.statusCode);
      })
        .on("error", fail)
        .end();
    });
    expect(status).toBe(200);
    await expect(fetch(service.url.replace("https", "http"))).rejects.toThrow("fetch failed");
    const env = { SERIAL_GATE_URL: service.url, SERIAL_GATE_TOKEN: "0123456789abcdef" };
    const trusting = { ...env, NODE_EXTRA_CA_CERTS: files.SERIAL_GATE_TLS_CERT };
    expect(await startProgram(["queue"], trusting).ended).toMatchObject({ code: 0 });
    expect(await startProgram(["queue"], env).ended).toMatchObject({ code: 1 });
  },
);

it.skipIf(noOpenssl !== undefined)(
  "refuses a certificate or a key that cannot be used, before anything else",
  async () => {
    const { SERIAL_GATE_TLS_CERT: cert, SERIAL_GATE_TLS_KEY: key } = makeCertificate();
    const bad = join(temporaryFolder(), "bad.pem");
    writeFileSync(bad, "not a certificate");
    for (const files of [
      [cert, bad],
      [bad, key],
      [cert, makeCertificate().SERIAL_GATE_TLS_KEY],
      [cert, "/nowhere/key.pem"],
    ] as const) {
      const env = { SERIAL_GATE_TLS_CERT: files[0], SERIAL_GATE_TLS_KEY: files[1], PORT: "0" };
      const { code, stderr } = await startProgram(["serve"], env, temporaryFolder()).ended;
      expect({ code, stderr }).toMatchObject({
        code: 78,
        stderr: expect.stringContaining(
          "SERIAL_GATE_TLS_CERT and SERIAL_GATE_TLS_KEY cannot be used",
        ) as string,
      });
    }
  },
);

it("refuses a certificate without a key and a key without a certificate", () => {
  for (const name of ["SERIAL_GATE_TLS_CERT", "SERIAL_GATE_TLS_KEY"])
    expect(() => parseConfig({ [name]: "/a.pem" })).toThrow("set both, or neither");
});

it("warns beyond loopback without TLS, unless a proxy in front speaks it", () => {
  const open = { HOST: "0.0.0.0", SERIAL_GATE_TOKENS: "ann:b7Qm2xKd9vTr4Wz8" };
  const files = { SERIAL_GATE_TLS_CERT: "/cert.pem", SERIAL_GATE_TLS_KEY: "/key.pem" };
  expect(parseConfig(open).warnings).toEqual([
    `HOST is "0.0.0.0" without TLS: the callers' tokens cross the network in clear text. Set SERIAL_GATE_TLS_CERT and SERIAL_GATE_TLS_KEY, or SERIAL_GATE_BEHIND_TLS=true if a proxy in front of it speaks TLS.`,
  ]);
  for (const more of [{ SERIAL_GATE_BEHIND_TLS: "true" }, files, { HOST: "127.0.0.1" }])
    expect(parseConfig({ ...open, ...more }).warnings).toEqual([]);
});
