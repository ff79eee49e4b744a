/** `npm run demo` as a new user runs it: an address, an incident to free, work that moves, and an end that leaves nothing. */

import { expect, it, onTestFinished } from "vitest";
import type { Queue } from "../../src/contract/queue.ts";
import { sleep } from "../support/calls.ts";
import { startCommand } from "../support/process.ts";

const LONG_MS = 120_000;

it(
  "prints the page's address and three things to try, serves the incident while work moves, and ends when told to",
  { timeout: LONG_MS },
  async () => {
    const demo = startCommand("demo", []);
    onTestFinished(() => {
      demo.kill("SIGKILL");
    });
    await demo.lines(10);
    const url = /^The dashboard: {2}(http:\S+)\/$/m.exec(demo.heard.stdout)?.[1] ?? "";
    expect(demo.heard.stdout.match(/^ {2}[123]\. /gm)).toHaveLength(3);
    const { next_cursor: newest } = (await (await fetch(`${url}/events?last=1`)).json()) as {
      next_cursor: number;
    };
    const queue = async (): Promise<Queue> => (await (await fetch(`${url}/queue`)).json()) as Queue;
    const { per_repo } = (await queue()).serial_gate;
    expect(per_repo["acme/orchestrator"]?.stuck).toMatchObject([{ work_item_id: "ORCH-116" }]);
    expect(per_repo["acme/api"]).toMatchObject({ frozen: true });
    expect(Object.keys(per_repo).length).toBeGreaterThan(8);
    const claimed = async (): Promise<boolean> => {
      const answer = await fetch(`${url}/events?after=${newest}&limit=1000`);
      const { events } = (await answer.json()) as { events: { kind: string }[] };
      return events.some(({ kind }) => kind === "job.claimed");
    };
    while (!(await claimed())) await sleep(500);
    demo.kill("SIGINT");
    const { code, stderr } = await demo.ended;
    expect(code, stderr).toBe(0);
    await expect(fetch(`${url}/livez`)).rejects.toThrow();
  },
);
