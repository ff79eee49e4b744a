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
    {
      id: "queue-stall-lane",
      figure: `longest stall of the event loop in GET /queue, ${count(queue.jobs)} waiting in one lane, ms`,
      reach: atMost(50),
    },
    {
      id: "claim-beside-pollers",
      figure: `a claim beside ${POLLERS} pollers of GET /queue ÷ a claim alone, medians, ${size}`,
      reach: atMost(3),
    },
    { id: "queue-page", figure: `the queue of one repo ${size}, ms in the database`, reach: atMost(1) },
  ];
};

/** Dashboards that poll the queue without a pause. */
export const POLLERS = 40;
const CLAIMS = 100;

/** The median time of a claim, alone and beside pollers, a pair a round. */
export const claimBesidePollers = async (url, { rounds, logs }) => {
  const service = await startService(url, logs);
  const claim = async () => {
    const samples = [];
    for (let n = 0; n < CLAIMS; n += 1)
      samples.push(
        await timed(async () => {
          const answer = await fetch(`${service.url}/jobs/claim`, {
            method: "POST",
            headers: { ...AUTHORIZED, "content-type": "application/json" },
            body: JSON.stringify({ agents: ["nobody"] }),
          });
          await answer.text();
        }),
      );
    return summary(samples).median;
  };
  const besidePollers = async () => {
    const stop = new AbortController();
    const poll = async () => {
      while (!stop.signal.aborted)
        await fetch(`${service.url}/queue`, { headers: AUTHORIZED, signal: stop.signal })
          .then((answer) => answer.arrayBuffer())
          .catch(() => undefined);
    };
    const pollers = Array.from({ length: POLLERS }, poll);
    const median = await claim();
    stop.abort();
    await Promise.all(pollers);
    return median;
  };
  const [alone, beside] = await inTurn(rounds, [claim, besidePollers]);
  await service.stop();
  return { alone, beside };
};

/** Pages that make one sample: one alone is less than a clock tells apart. */
const PAGES = 20;

/** Gets the whole queue, again and again.
 *  @returns the samples of a whole answer in milliseconds, of the longest stall in each, and of writing it out at once */
const getWhole = async (url, { rounds, logs }) => {
  const service = await startService(url, logs);
  const get = () => fetch(`${service.url}/queue`, { headers: AUTHORIZED });
  const queue = await (await get()).json();
  const stalls = [];
  const [served, stringified] = await inTurn(rounds, [
    async () => {
      await service.ask("watchDelay");
      const ms = await timed(async () => {
        for await (const _ of (await get()).body);
      });
      stalls.push((await service.ask("delay")).max);
      return ms;
    },
    () => timed(async () => JSON.stringify(queue)),
  ]);
  await service.stop();
  return { served, stringified, stalls: stalls.slice(1), size: JSON.stringify(queue).length };
};

export async function* measure(context) {
  const { databases, rounds, wants } = context;
  const stallOf = (id, { stalls }) => ({
    id,
    samples: stalls,
    unit: " ms",
    note: "the longest of each answer, in the service's process",
  });
  const url = await databases.filled("queue");
  if (wants("queue-full") || wants("queue-stall")) {
    const whole = await getWhole(url, context);
    const { served, stringified, size } = whole;
    if (wants("queue-full"))
      yield {
        id: "queue-full",
        samples: ratios(served, stringified),
        note: `${millis(summary(served).median)} ÷ ${millis(summary(stringified).median)}, ${(size / 1e6).toFixed(1)} MB`,
      };
    if (wants("queue-stall")) yield stallOf("queue-stall", whole);
  }
  if (wants("queue-stall-lane"))
    yield stallOf("queue-stall-lane", await getWhole(await databases.filled("lane"), context));
  if (wants("claim-beside-pollers")) {
    const { alone, beside } = await claimBesidePollers(url, context);
    yield {
      id: "claim-beside-pollers",
      samples: ratios(beside, alone),
      note: `${millis(summary(beside).median)} ÷ ${millis(summary(alone).median)}, of a claim that finds no job`,
    };
  }
  if (wants("queue-page")) {
    const { gate, close } = await openGate(url, { inTurn: 1 });
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
