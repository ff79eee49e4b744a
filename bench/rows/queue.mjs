/** The whole queue and a page of it: what dashboards poll. */

import { heldLane } from "../backlog.mjs";
import { atMost, count, millis } from "../figures.mjs";
import { openGate } from "../gates.mjs";
import { inTurn, ratios, summary, timed } from "../rounds.mjs";
import { AUTHORIZED, startService } from "./http.mjs";

export const rows = ({ queue }) => {
  const size = `at ${count(queue.lanes)} repos and ${count(queue.jobs)} waiting`;
  return [
    { id: "queue-full", figure: `GET /queue ${size} ÷ JSON.stringify of the same`, reach: atMost(2) },
    {
      id: "queue-stall",
      figure: `longest stall of the event loop in GET /queue ${size}, ms`,
      reach: atMost(50),
    },
    { id: "queue-page", figure: `the queue of one repo ${size}, ms in the database`, reach: atMost(1) },
  ];
};

/** Pages that make one sample: one alone is less than a clock tells apart. */
const PAGES = 20;

export async function* measure({ databases, rounds, wants, logs }) {
  const url = await databases.filled("queue");
  if (wants("queue-full") || wants("queue-stall")) {
    const service = await startService(url, logs);
    const get = async () => (await fetch(`${service.url}/queue`, { headers: AUTHORIZED })).json();
    const queue = await get();
    const text = JSON.stringify(queue);
    const stalls = [];
    const [served, stringified] = await inTurn(rounds, [
      async () => {
        await service.ask("watchDelay");
        const ms = await timed(async () => {
          const answer = await fetch(`${service.url}/queue`, { headers: AUTHORIZED });
          for await (const _ of answer.body);
        });
        stalls.push((await service.ask("delay")).max);
        return ms;
      },
      () => timed(async () => JSON.stringify(queue)),
    ]);
    await service.stop();
    const size = `${(text.length / 1e6).toFixed(1)} MB`;
    if (wants("queue-full"))
      yield {
        id: "queue-full",
        samples: ratios(served, stringified),
        note: `${millis(summary(served).median)} ÷ ${millis(summary(stringified).median)}, ${size}`,
      };
    if (wants("queue-stall"))
      yield { id: "queue-stall", samples: stalls.slice(1), unit: " ms", note: "the longest of each answer" };
  }
  if (wants("queue-page")) {
    const { gate, close } = await openGate(url, { inTurn: 1 });
    const page = async () => {
      const ms = await timed(async () => {
        for (let lane = 0; lane < PAGES; lane += 1) await gate.queue([heldLane(lane)]);
      });
      return ms / PAGES;
    };
    const [samples] = await inTurn(rounds, [page]);
    yield { id: "queue-page", samples, unit: " ms", note: `${PAGES} pages a sample` };
    await close();
  }
}
