/** One lane a key, beside other queues that can keep the jobs of a key in order. They run without HTTP, in a process of
 *  their own, on the same PostgreSQL. They are optional: without them their rows say why. */

import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { atLeast, count, none, perSecond } from "../figures.mjs";
import { rate } from "../load.mjs";
import { start } from "../processes.mjs";
import { inTurn, ratios, summary } from "../rounds.mjs";
import { pairs, startService } from "./http.mjs";

/** Each is measured in two ways: `each`, a job fetched and completed at a time, as ours are; and `batches`, what it is
 *  fastest with, which has nothing of ours beside it. */
const PEERS = [
  {
    process: "graphile",
    package: "graphile-worker",
    ways: {
      graphile: {
        way: "each",
        name: "graphile-worker's queueName, a job at a time, 50 at once",
        reach: [8, 2.4],
      },
      "graphile-batches": { way: "batches", name: "graphile-worker's queueName in batches of 500" },
    },
  },
  {
    process: "pg-boss",
    package: "pg-boss",
    ways: {
      "pg-boss": {
        way: "each",
        name: "pg-boss's key_strict_fifo, a job at a time, 50 callers",
        reach: [60, 24],
      },
      "pg-boss-batches": { way: "batches", name: "pg-boss's key_strict_fifo in batches of 500" },
    },
  },
];

export const rows = ({ keys }) =>
  PEERS.flatMap(({ ways }) => Object.entries(ways)).map(([id, { name, reach }]) => ({
    id,
    figure: `claim + complete over HTTP, ${count(keys.lanes)} keys and ${count(keys.jobs)} waiting ÷ ${name}`,
    // At their fastest they have nothing to do with our database: once is enough.
    reach:
      reach === undefined ? { postgres: none } : { sqlite: atLeast(reach[0]), postgres: atLeast(reach[1]) },
  }));

const installed = (path) => fileURLToPath(new URL(`../node_modules/${path}`, import.meta.url));

/** Their Node: later than the program's. */
const NODE = installed("node/bin/node");

/** Why a peer cannot be measured; undefined when it can. */
const lacking = (name) => {
  if (!existsSync(installed(name))) return `${name} is not installed`;
  return existsSync(NODE) ? undefined : `there is no Node for ${name}`;
};

/** Callers of our service. */
const CONNECTIONS = 50;

export async function* measure({ databases, sizes, rounds, wants, logs, peerDatabase }) {
  const service = await startService(await databases.filled("keys"), logs);
  /** Jobs a second: two answers are one. */
  const oursFor = (ms) => async () =>
    (await rate(service.url, CONNECTIONS, pairs(service.url, { stage: "done" }), ms)) / 2;

  for (const { process, package: name, ways } of PEERS) {
    const wanted = Object.entries(ways).filter(([id]) => wants(id));
    if (wanted.length === 0) continue;
    const why = lacking(name) ?? peerDatabase.skipped;
    if (why !== undefined) {
      for (const [id] of wanted) yield { id, skipped: why };
      continue;
    }
    const { lanes, jobs } = sizes.keys;
    const peer = await start(process, {
      execPath: NODE,
      args: [await peerDatabase.empty(), String(lanes), String(jobs)],
      logs,
    });
    const theirs = wanted.map(
      ([, { way }]) =>
        () =>
          peer.ask({ way, ms: sizes.peerMs }),
    );
    const [own, ...others] = await inTurn(
      rounds,
      [oursFor(sizes.sampleMs), ...theirs],
      [oursFor(sizes.warmMs), ...theirs],
    );
    await peer.stop();
    for (const [index, [id]] of wanted.entries())
      yield {
        id,
        samples: ratios(own, others[index]),
        note: `${perSecond(summary(own).median)} ÷ ${perSecond(summary(others[index]).median)}`,
      };
  }
  await service.stop();
}
