import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { cliOf } from "../support/cli.ts";
import { temporaryFolder } from "../support/folder.ts";
import { startService } from "../support/service.ts";

it("makes a token that the service takes at once, and keeps no secret", async () => {
  const file = join(temporaryFolder(), "tokens.json");
  writeFileSync(file, '{"tokens": []}');
  const { service } = await startService({ SERIAL_GATE_TOKENS_FILE: file });
  const run = cliOf(service.url, { SERIAL_GATE_TOKENS_FILE: file });
  const made = await run(
    "token",
    "new",
    "ann",
    "--role",
    "viewer",
    "--repo",
    "acme/web*",
    "--expires",
    "90d",
  );
  expect(made).toMatchObject({ exit: 0, stderr: expect.stringContaining("ann is added to") as unknown });
  const secret = made.stdout.trim();
  expect(secret).toMatch(/^sg_[0-9a-z]{39}$/);
  expect(readFileSync(file, "utf8")).not.toContain(secret);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  service.reload();

  const ann = cliOf(service.url, { SERIAL_GATE_TOKEN: secret, SERIAL_GATE_TOKENS_FILE: file });
  expect(await ann("queue")).toMatchObject({ exit: 0 });
  expect(await ann("unfreeze", "acme/web")).toEqual({
    exit: 4,
    stdout: "",
    stderr: "The token ann is a viewer: it may not do this.\nUse a token with the role operator.\n",
  });
  expect((await ann("token", "check", secret)).stdout).toMatch(
    /^The secret is that of ann \(viewer\), valid until /,
  );
  expect((await ann("token", "check", `${secret.slice(0, -1)}u`)).stderr).toBe(
    "The secret is mistyped: its checksum is wrong.\n",
  );
  expect((await ann("token", "list")).stdout).toMatch(
    /^NAME +ROLE +REPOSITORIES +AGENTS +EXPIRES +SHA256\nann +viewer +acme\/web\* +all +/,
  );
});

it("prints the entry where there is no file, and refuses what no file may have", async () => {
  const run = cliOf("http://127.0.0.1:9");
  const { stdout, stderr } = await run("token", "new", "ci", "--role", "worker", "--agent", "developer");
  expect(stdout).toMatch(/^sg_/);
  expect(JSON.parse(stderr)).toMatchObject({ name: "ci", role: "worker", agents: ["developer"] });
  expect(await run("token", "new", "serial-gate", "--role", "worker")).toEqual({
    exit: 2,
    stdout: "",
    stderr: "name must not be serial-gate, the gate's own name\n",
  });
  expect((await run("token", "new", "ci", "--role", "root")).exit).toBe(2);
  expect(await run("token", "list")).toMatchObject({ exit: 2 });
});
