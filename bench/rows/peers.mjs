/** One lane a key, beside other queues that can keep the jobs of a key in order. They run without HTTP, in a process of
 *  their own, on the same PostgreSQL. They are optional: without them their rows say why. */

import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { atLeast, count, perSecond } from "../figures.mjs";
import { load } from "../load.mjs";
import { start } from "../processes.mjs";
import { inTurn, ratios, summary } from "../rounds.mjs";
import { pairs, startService } from "./http.mjs";

const PEERS = {
  graphile: { name: "graphile-worker's queueName", package: "graphile-worker", reach: 10 },
  "pg-boss": { name: "pg-boss's key_strict_fifo", package: "pg-boss", reach: 50 },
};

export const rows = ({ keys }) =>
  Object.entries(PEERS).map(([id, { name, reach }]) => ({
    id,
    figure: `claim + complete over HTTP, ${count(keys.lanes)} keys and ${count(keys.jobs)} waiting ÷ ${name}`,
    reach: atLeast(reach),
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
  const ours = async () => {
    const ms = await load(service.url, CONNECTIONS, pairs(service.url, sizes.pairs, { stage: "done" }));
    return (sizes.pairs * 1_000) / ms;
  };
  for (const [id, { package: name }] of Object.entries(PEERS).filter(([id]) => wants(id))) {
    const why = lacking(name) ?? peerDatabase.skipped;
    if (why !== undefined) {
      yield { id, skipped: why };
      continue;
    }
    const { lanes, jobs } = sizes.keys;
    const peer = await start(id, {
      execPath: NODE,
      args: [await peerDatabase.empty(), String(lanes), String(jobs)],
      logs,
    });
    const theirs = () => peer.ask(sizes.peerMs);
    const [own, other] = await inTurn(rounds, [ours, theirs]);
    await peer.stop();
    yield {
      id,
      samples: ratios(own, other),
      note: `${perSecond(summary(own).median)} ÷ ${perSecond(summary(other).median)}`,
    };
  }
  await service.stop();
}
