import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import Database from "better-sqlite3";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { parse } from "yaml";
import { atTerminal, cliOf, noTerminal, steady } from "../support/cli.ts";
import { temporaryFolder } from "../support/folder.ts";
import { startProgram } from "../support/process.ts";
import { startService } from "../support/service.ts";

// Each command is a process of its own.
vi.setConfig({ testTimeout: 60_000 });

/** Escape sequences of one and of two bytes, a bell, a carriage return, and characters that reorder or hide text. */
const STEERING = "\u001b]0;owned\u0007\u001b[31m\u009b31m\r\u202ered\u2066\u200b\u{e0041}";
const HOSTILE = /[\p{Cc}\p{Cf}]/u;

/** Ids and repositories as another program may have written them. */
const steeringService = async (): Promise<string> => {
  const path = join(temporaryFolder(), "gate.db");
  const { service } = await startService({ DATABASE_URL: `file:${path}` });
  const db = new Database(path);
  for (const repo of [`acme/${STEERING}`, `acme/other${STEERING}`])
    for (const work_item of ["AMB-1", `W${STEERING}`])
      db.prepare("INSERT INTO tasks(repo, work_item_id, stage) VALUES (?, ?, 'analysis')").run(
        repo,
        work_item,
      );
  db.close();
  return service.url;
};

/** A service of somebody else, with one answer to everything. */
const hostileService = async (answer: (response: ServerResponse) => void): Promise<string> => {
  const server = createServer((_request, response) => {
    answer(response);
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  onTestFinished(() => {
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
};

const withoutLineEnds = (text: string): string => text.replaceAll("\n", "");

describe("no text of another program steers a terminal from stderr", () => {
  it.each([
    ["explain", "AMB-1"],
    ["pause", "AMB-1"],
    ["task", "show", "AMB-1"],
    ["blame", "AMB-1"],
    ["wait", "AMB-1", "--for=done"],
    ["explain", "AMB-2"],
    ["freeze", "acme/re"],
  ])("%s %s", async (...args) => {
    const { stderr } = await cliOf(await steeringService())(...args);
    expect(withoutLineEnds(stderr)).not.toMatch(HOSTILE);
  });

  it("in the answer of a server that is not ours", async () => {
    const problem = JSON.stringify({ code: "x", status: 400, detail: STEERING, hint: `${STEERING}\nfine` });
    for (const [status, type, body] of [
      [200, "text/html", STEERING],
      [404, "text/html", STEERING],
      [500, "text/plain", STEERING],
      [400, "application/problem+json", problem],
      [400, "application/problem+json", STEERING],
      [400, "application/problem+json", JSON.stringify({ code: "x", detail: [STEERING] })],
    ] as const) {
      const url = await hostileService((response) => {
        response.writeHead(status, { "content-type": type }).end(body);
      });
      const { stderr } = await cliOf(url)("queue");
      expect(stderr).not.toBe("");
      expect(withoutLineEnds(stderr)).not.toMatch(HOSTILE);
    }
  });

  it("in the names that overtook a claimed job", async () => {
    const job = {
      id: 1,
      repo: "acme/web",
      work_item_id: "A-1",
      agent: "developer",
      attempt: 1,
      max_attempts: 2,
      lease: { token: "t", expires_at: "2026-01-01T00:00:00.000Z" },
      base: { stale: true, overtaken_by: [`B${STEERING}`] },
    };
    const url = await hostileService((response) => {
      response
        .setHeader("content-type", "application/json")
        .end(JSON.stringify({ jobs: [job], degraded: false }));
    });
    const { stderr } = await cliOf(url)("claim");
    expect(stderr).toContain("has a stale base: B");
    expect(withoutLineEnds(stderr)).not.toMatch(HOSTILE);
  });

  it("in arguments, and in a database's URL", async () => {
    for (const args of [[`--${STEERING}`], [STEERING], ["wait", "A-1", `--for=${STEERING}`]])
      expect(withoutLineEnds((await cliOf("http://127.0.0.1:1")(...args)).stderr)).not.toMatch(HOSTILE);
    const { stderr } = await startProgram(["doctor"], { DATABASE_URL: `file:./\u202e\u009b31m.db` }).ended;
    expect(stderr).toContain("No serial-gate database at");
    expect(withoutLineEnds(stderr)).not.toMatch(HOSTILE);
  });
});

describe.skipIf(noTerminal !== undefined)(`stdout${noTerminal ? ` (${noTerminal})` : ""}`, () => {
  /** A terminal's line ends are CR LF. */
  const shownAt = async (url: string, ...args: string[]): Promise<string> => {
    const terminal = atTerminal(url, args, { columns: 500, env: { NO_COLOR: "1" } });
    expect(await terminal.ended).toBe(0);
    return steady(terminal.screen().replaceAll("\r\n", "\n"));
  };

  it.each(["json", "yaml", "ndjson", "name", "table", "wide"])(
    "is harmless at a terminal in the format %s, and says the same",
    async (format) => {
      const url = await steeringService();
      const args = ["task", "list", "-o", format];
      const shown = await shownAt(url, ...args);
      expect(withoutLineEnds(shown)).not.toMatch(HOSTILE);
      const { stdout } = await cliOf(url)(...args);
      if (format === "json") expect(JSON.parse(shown)).toEqual(JSON.parse(stdout));
      if (format === "yaml") expect(parse(shown)).toEqual(parse(stdout));
      if (format === "ndjson") expect(shown.split("\n").length).toBe(stdout.split("\n").length);
    },
  );

  it("keeps the names of the queue harmless at a terminal, and as they are in a pipe", async () => {
    const url = await steeringService();
    expect(withoutLineEnds(await shownAt(url, "queue", "-o", "name"))).not.toMatch(HOSTILE);
    expect((await cliOf(url)("queue", "-o", "name")).stdout).toContain(`acme/${STEERING}\n`);
    const yaml = await shownAt(url, "queue", "-o", "yaml");
    expect(withoutLineEnds(yaml)).not.toMatch(HOSTILE);
    // The sentences behind it are on stderr.
    const [answer = ""] = yaml.split(/^AMB-1 in /m);
    expect(
      Object.keys((parse(answer) as { serial_gate: { per_repo: object } }).serial_gate.per_repo),
    ).toContain(`acme/${STEERING}`);
  });
});
