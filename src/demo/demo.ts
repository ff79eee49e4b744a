/** `npm run demo`: a service with a day of history and an incident in it, and workers that go on. It keeps nothing. */

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Client } from "../client/client.ts";
import { startNode } from "../replay/node.ts";
import { parseWorkItems } from "../replay/work-items.ts";
import { playPast } from "./past.ts";
import { playPresent } from "./present.ts";

/** Work items of the sample that belong to the past; the others come while one looks. */
const PAST_ITEMS = 120;

const SAMPLE = fileURLToPath(new URL("../../samples/work-items.jsonl", import.meta.url));

const wordsFor = (url: string): string => `
The dashboard:  ${url}/

Three things to try:
  1. acme/orchestrator is stuck: ORCH-116 waits for a person and keeps the urgent ORCH-123 out.
     Press "Pause ORCH-116…", look at what it would do, and pause it. ORCH-123 starts.
  2. acme/api is frozen since a bad deploy. Press "Unfreeze…": API-2 starts, and WEB-8 in another lane soon after.
  3. Open fastify/fastify and walk back through its day with the slider: a pause, who overtook, and a freeze.

Work goes on while you look. Ctrl-C ends the demo, and nothing is kept.
`;

interface DemoParts {
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream;
  readonly signal: AbortSignal;
}

/** Runs until the signal ends it.
 *  @throws Error when the service does not start or ends by itself */
export const demo = async ({ stdout, stderr, signal }: DemoParts): Promise<void> => {
  const folder = mkdtempSync(join(tmpdir(), "serial-gate-demo-"));
  try {
    const databaseUrl = `file:${join(folder, "demo.db")}`;
    const items = parseWorkItems(readFileSync(SAMPLE, "utf8"), SAMPLE);
    stderr.write("Playing the day before …\n");
    const unfinished = await playPast({ databaseUrl, items: items.slice(0, PAST_ITEMS) });
    const node = await startNode({ databaseUrl, folder, stderr });
    stdout.write(wordsFor(node.url));
    const ending = new AbortController();
    const work = playPresent({
      client: new Client({ url: node.url }),
      items: items.slice(PAST_ITEMS),
      unfinished,
      signal: AbortSignal.any([signal, ending.signal]),
      onTrouble: (error) => {
        if (!signal.aborted) stderr.write(`${String(error)}\n`);
      },
    });
    const died = await Promise.race([node.died, work.then(() => undefined)]);
    ending.abort();
    await work;
    // Ctrl-C reaches the service too, which ends by itself then.
    if (died && !signal.aborted) throw died;
    await node.stop();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};
