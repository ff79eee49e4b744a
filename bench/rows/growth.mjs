/** Figures that must stay as they are however much the database holds: a restart, a claim beside dashboards, and how long
 *  a verb for a whole lane keeps the event loop from everybody else. */

import { setTimeout as sleep } from "node:timers/promises";
import { heldLane } from "../backlog.mjs";
import { atMost, count, number } from "../figures.mjs";
import { start } from "../processes.mjs";
import { inTurn, summary, timed } from "../rounds.mjs";
import { AUTHORIZED, call, overTheOther, startService } from "./http.mjs";

const VERBS = ["pause", "resume"];

/** Dashboards that poll the queue without a pause. */
const POLLERS = 40;
const CLAIMS = 100;

/** The median time of a claim, alone and beside pollers, a pair a round. */
const claimBesidePollers = async (url, { rounds, logs }) => {
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
    const pollers = await start("pollers", { logs, args: [service.url, String(POLLERS)] });
    const median = await claim();
    await pollers.stop();
    return median;
  };
  const [alone, beside] = await inTurn(rounds, [claim, besidePollers]);
  await service.stop();
  return { alone, beside };
};

export const rows = ({ deep, shallow, queue, crowd }) => [
  ...VERBS.map((verb) => ({
    id: `lane-${verb}-stall`,
    figure: `longest absence of the event loop in a ${verb} of ${count(queue.jobs)} tasks of one lane, ms`,
    reach: atMost(50),
  })),
  {
    id: "restart",
    figure: `restart over ${count(deep.jobs)} waiting jobs to the first answer ÷ over ${count(shallow.jobs)}`,
    reach: atMost(1.2),
  },
  {
    id: "claim-beside-pollers",
    figure: `a claim beside ${POLLERS} pollers of GET /queue ÷ a claim alone, medians, ${count(crowd.jobs)} waiting in ${count(crowd.lanes)} repos`,
    reach: atMost(3),
  },
];

/** The longest absence of the event loop in each of the two verbs, in milliseconds. */
const stallsOfVerbs = async (url, { rounds, logs }) => {
  const service = await startService(url, logs);
  const took = { pause: [], resume: [] };
  const run = (verb) => async () => {
    await service.ask("watchDelay");
    const path = `/serial-gate/${verb}?repo=${encodeURIComponent(heldLane(0))}&all=true`;
    took[verb].push(await timed(() => call(service, path, "POST")));
    // An absence is noticed at its end.
    await sleep(50);
    return (await service.ask("delay")).max;
  };
  const stalls = [];
  // Each undoes the other: they cannot change places.
  for (let round = 0; round < rounds; round += 1) stalls.push([await run("pause")(), await run("resume")()]);
  await service.stop();
  return VERBS.map((verb, index) => ({
    id: `lane-${verb}-stall`,
    samples: stalls.map((both) => both[index]),
    unit: " ms",
    note: `the whole takes ${number(summary(took[verb]).median / 1_000)} s`,
  }));
};

/** Milliseconds from the start of the process to the first answer. */
const restart = async (url, logs) => {
  let service;
  const ms = await timed(async () => {
    service = await startService(url, logs);
    await call(service, "/readyz");
  });
  await service.stop();
  return ms;
};

export async function* measure(context) {
  const { databases, rounds, wants, logs } = context;
  if (VERBS.some((verb) => wants(`lane-${verb}-stall`)))
    for (const row of await stallsOfVerbs(await databases.filled("lane"), context))
      if (wants(row.id)) yield row;
  if (wants("restart")) {
    const both = [await databases.filled("deep"), await databases.filled("shallow")];
    // The first start may have to make the ready index; the later ones are those of a service that was there before.
    const samples = await inTurn(
      rounds,
      both.map((url) => () => restart(url, logs)),
    );
    yield overTheOther("restart", samples);
  }
  if (wants("claim-beside-pollers")) {
    const { alone, beside } = await claimBesidePollers(await databases.filled("crowd"), context);
    yield overTheOther("claim-beside-pollers", [beside, alone], ", of a claim that finds no job");
  }
}
