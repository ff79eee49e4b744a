/** The whole queue and a page of it: what dashboards poll. */

import { queueChunks } from "../../dist/http/queue-text.js";
import { heldLane } from "../backlog.mjs";
import { atMost, count, millis } from "../figures.mjs";
import { openGate } from "../gates.mjs";
import { inTurn, ratios, summary, timed } from "../rounds.mjs";
import { AUTHORIZED, startService } from "./http.mjs";

export const rows = ({ queue }) => {
  const size = `at ${count(queue.lanes)} repos and ${count(queue.jobs)} waiting`;
  return [
    {
      id: "queue-cold",
      figure: `GET /queue ${size}, no lane kept ÷ JSON.stringify of the same`,
      reach: atMost(5),
    },
    {
      id: "queue-changed",
      figure: `GET /queue ${size}, 1 % of the lanes changed ÷ JSON.stringify of the same`,
      reach: atMost(0.5),
    },
    {
      id: "queue-stall",
      figure: `longest stall of the event loop in GET /queue ${size}, ms`,
      reach: atMost(50),
    },
    {
      id: "queue-stall-lane",
      figure: `longest stall of the event loop in GET /queue, ${count(queue.jobs)} waiting in one lane, ms`,
      reach: atMost(50),
    },
    { id: "queue-page", figure: `the queue of one repo ${size}, ms in the database`, reach: atMost(1) },
  ];
};

/** Pages that make one sample: one alone is less than a clock tells apart. */
const PAGES = 20;

/** Gets the whole queue after every lane changed, again and again.
 *  @returns the samples of the longest stall in each answer, in milliseconds */
const stallsOf = async (url, { databases, rounds, logs }) => {
  const service = await startService(url, logs);
  const other = await databases.connect(url);
  const stall = async () => {
    await other.run("UPDATE gate_lanes SET revision = revision + 1");
    await service.ask("watchDelay");
    const answer = await fetch(`${service.url}/queue`, { headers: AUTHORIZED });
    for await (const _ of answer.body);
    return (await service.ask("delay")).max;
  };
  const [stalls] = await inTurn(rounds, [stall]);
  await other.close();
  await service.stop();
  return stalls;
};

/** The part of the lanes that changes before an answer. */
const CHANGED = 0.01;

/** Makes the text of the whole queue in the bench's own process, as the service does: with no lane kept, and after some of
 *  the lanes changed; beside writing it out from objects.
 *  @returns the samples of each in milliseconds */
const makeWhole = async (url, { databases, rounds, sizes }) => {
  const cold = await openGate(url, { keptLanes: 0 });
  const kept = await openGate(url);
  const other = await databases.connect(url);
  const makeText = async ({ gate }) => {
    for await (const _ of queueChunks(await gate.queueTexts(undefined, null)));
  };
  const queue = await kept.gate.queue(undefined, null);
  let changes = 0;
  const changeSome = async () => {
    changes += 1;
    const { lanes } = sizes.queue;
    const names = Array.from(
      { length: Math.max(1, Math.round(lanes * CHANGED)) },
      (_, n) => `'${heldLane((n * Math.round(1 / CHANGED) + changes) % lanes)}'`,
    );
    // The first task of each lane is one of the first tasks.
    await other.run(
      `UPDATE tasks SET title = 'change ${changes}' WHERE id <= ${lanes} AND repo IN (${names.join(", ")})`,
    );
  };
  const samples = await inTurn(rounds, [
    () => timed(() => makeText(cold)),
    async () => {
      await changeSome();
      return timed(() => makeText(kept));
    },
    () => timed(async () => JSON.stringify(queue)),
  ]);
  await other.close();
  await kept.close();
  await cold.close();
  return { samples, size: JSON.stringify(queue).length };
};

export async function* measure(context) {
  const { databases, rounds, wants } = context;
  const stallOf = (id, stalls) => ({
    id,
    samples: stalls,
    unit: " ms",
    note: "the longest of each answer, in the service's process",
  });
  const url = await databases.filled("queue");
  if (wants("queue-cold") || wants("queue-changed")) {
    const {
      samples: [cold, changed, stringified],
      size,
    } = await makeWhole(url, context);
    const rowOf = (id, samples) => ({
      id,
      samples: ratios(samples, stringified),
      note: `${millis(summary(samples).median)} ÷ ${millis(summary(stringified).median)}, ${(size / 1e6).toFixed(1)} MB`,
    });
    if (wants("queue-cold")) yield rowOf("queue-cold", cold);
    if (wants("queue-changed")) yield rowOf("queue-changed", changed);
  }
  if (wants("queue-stall")) yield stallOf("queue-stall", await stallsOf(url, context));
  if (wants("queue-stall-lane"))
    yield stallOf("queue-stall-lane", await stallsOf(await databases.filled("lane"), context));
  if (wants("queue-page")) {
    const { gate, close } = await openGate(url);
    const page = async () => {
      const ms = await timed(async () => {
        for (let lane = 0; lane < PAGES; lane += 1) await gate.queue([heldLane(lane)], null);
      });
      return ms / PAGES;
    };
    const [samples] = await inTurn(rounds, [page]);
    yield { id: "queue-page", samples, unit: " ms", note: `${PAGES} pages a sample` };
    await close();
  }
}
