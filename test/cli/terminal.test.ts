import { describe, expect, it, vi } from "vitest";
import { spawnSync } from "node:child_process";
import { atTerminal, cliOf, noTerminal, PROGRAM } from "../support/cli.ts";
import { shareService } from "../support/service.ts";

// Each line of a session is a process of its own.
vi.setConfig({ testTimeout: 120_000 });

const shared = shareService();
const url = (): string => shared().service.url;

const add = async (repo: string, ...workItems: string[]): Promise<void> => {
  for (const work_item_id of workItems) await shared().post("/tasks", { repo, work_item_id });
};

const GREEN = "\u001b[32m";
const ENTER = "\u001b[?1049h";
const LEAVE = "\u001b[?25h\u001b[?1049l";

describe.skipIf(noTerminal !== undefined)(`terminal${noTerminal ? ` (${noTerminal})` : ""}`, () => {
  it("prints colours at a terminal, and none with NO_COLOR", async () => {
    await add("acme/colours", "C-1");
    const coloured = atTerminal(url(), ["queue"]);
    expect(await coloured.ended).toBe(0);
    expect(coloured.screen()).toContain(`${GREEN}open`);
    const plain = atTerminal(url(), ["queue"], { env: { NO_COLOR: "1" } });
    expect(await plain.ended).toBe(0);
    expect(plain.screen()).not.toContain("\u001b");
  });

  it("asks before it changes several tasks and goes on only after a yes", async () => {
    await add("acme/asked", "A-1", "A-2");
    const paused = async (): Promise<string> =>
      (await cliOf(url())("task", "list", "--repo", "acme/asked", "--paused", "-o", "name")).stdout;
    for (const [keys, exit] of [
      ["n\r", 1],
      ["\r", 1],
      ["\u0004", 1],
      ["\u0003", 130],
    ] as const) {
      const terminal = atTerminal(url(), ["pause", "A-1", "A-2"]);
      await terminal.shows("Pause 2 tasks: A-1, A-2? [y/N]");
      terminal.type(keys);
      expect(await terminal.ended, JSON.stringify(keys)).toBe(exit);
      expect(await paused()).toBe("");
    }
    const terminal = atTerminal(url(), ["pause", "--repo", "acme/asked", "--all"]);
    await terminal.shows("Pause 2 tasks of acme/asked: A-1, A-2? [y/N]");
    terminal.type("y\r");
    expect(await terminal.ended).toBe(0);
    expect(await paused()).toBe("task/2\ntask/3\n");
  });

  it("asks before it cancels a task, and before it freezes a repository that nothing has", async () => {
    await add("acme/final", "F-1");
    const cancel = atTerminal(url(), ["task", "cancel", "F-1"]);
    await cancel.shows("Cancel F-1 in acme/final");
    await cancel.shows("for good? [y/N]");
    cancel.type("n\r");
    expect(await cancel.ended).toBe(1);
    const freeze = atTerminal(url(), ["freeze", "acme/finale"]);
    await freeze.shows(
      "No tasks in acme/finale. Did you mean acme/final? Freeze acme/finale all the same? [y/N]",
    );
    freeze.type("n\r");
    expect(await freeze.ended).toBe(1);
    expect((await cliOf(url())("freeze", "list", "-o", "name")).stdout).toBe("");
    expect((await cliOf(url())("task", "show", "F-1")).stdout).toContain("analysis");
  });

  it("--watch redraws within the terminal's size and restores the terminal after ctrl-C", async () => {
    await add(
      "acme/watched",
      ...Array.from({ length: 12 }, (_, index) => `W-${index + 1}-${"x".repeat(60)}`),
    );
    const terminal = atTerminal(url(), ["queue", "--repo", "acme/watched", "--all", "--watch"], {
      rows: 8,
      columns: 40,
    });
    await terminal.shows("more lines");
    await shared().post("/freeze?repo=acme/watched");
    await terminal.shows("frozen");
    terminal.type("\u0003");
    expect(await terminal.ended).toBe(130);
    const told = terminal.screen();
    expect(told.startsWith(ENTER)).toBe(true);
    expect(told).toContain(LEAVE);
    for (const frame of told.split("\u001b[H").slice(1)) {
      const lines =
        frame
          .split("\u001b[J")[0]
          ?.replace(/\u001b\[[\d;]*[mK]/g, "")
          .split("\r\n") ?? [];
      expect(lines.length).toBeLessThanOrEqual(8);
      for (const line of lines) expect(line.length).toBeLessThanOrEqual(40);
    }
  });
});

it("exits without an error when the reader of a pipe stops early", () => {
  const { stdout, stderr } = spawnSync(
    "bash",
    ["-c", `'${process.execPath}' '${PROGRAM}' openapi | head -1; echo "\${PIPESTATUS[@]}"`],
    { encoding: "utf8" },
  );
  expect(stdout).toBe("openapi: 3.1.0\n0 0\n");
  expect(stderr).toBe("");
});
