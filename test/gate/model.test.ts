/** The gate agrees with a plain model of the rules through random histories. */

import * as fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Store } from "../../src/store/port.ts";
import type { Policy } from "../../src/gate/rule/policy.ts";
import { onEveryDatabase } from "../support/databases.ts";
import { ModelRun } from "./model-run.ts";
import { command, policies } from "./random-commands.ts";
import { TestClock } from "./world.ts";

const LONG = process.env.SERIAL_GATE_TEST_LONG === "1";
/** Histories of the long run, half of them with strict lanes, and of CI. */
const RUNS = { SQLite: LONG ? 10_000 : 200, PostgreSQL: LONG ? 10_000 : 100 };

/** A slow machine runs fewer. */
const TIME_LIMIT_MS = LONG ? 7_200_000 : 300_000;

/** A policy installs triggers of its own, which takes longer than a history: so many histories have the same one. */
const A_POLICY = LONG ? 100 : 20;

onEveryDatabase((open, database) => {
  let store: Store;
  const clock = new TestClock();

  beforeAll(async () => {
    store = await open(clock.read);
  });

  afterAll(async () => {
    await store.close();
  });

  it(
    "agrees with the model in queue, claim and ready flags after every command of a random history",
    async () => {
      const historyUnder = (policy: Policy) =>
        fc.asyncProperty(
          // Whole lanes are changed at once, or in steps of a task or two.
          fc.constantFrom(undefined, undefined, undefined, 2),
          fc.array(command, { minLength: 40, maxLength: 60, size: "max" }),
          async (laneStep, steps) => {
            const run = new ModelRun(store, clock, policy, laneStep);
            await run.world.empty();
            await run.world.adopt();
            try {
              for (const step of steps) {
                await run.runAndCheckEvents(step);
                await run.expectAgreement();
              }
            } finally {
              run.world.gate.drain();
            }
          },
        );
      const end = performance.now() + TIME_LIMIT_MS;
      let runs = 0;
      for (const policy of fc.sample(policies, RUNS[database] / A_POLICY)) {
        const left = end - performance.now();
        if (left <= 0) break;
        // Also the search for a smaller counterexample ends then.
        const result = await fc.check(historyUnder(policy), {
          numRuns: A_POLICY,
          interruptAfterTimeLimit: left,
        });
        if (result.failed)
          throw new Error(
            `After ${runs} histories, under ${JSON.stringify(policy)}:\n${fc.defaultReportMessage(result)}`,
            { cause: result.errorInstance },
          );
        runs += result.numRuns;
      }
      console.log(`${runs} random histories on ${database} agree with the model.`);
      expect(runs).toBeGreaterThan(RUNS[database] / 2);
    },
    TIME_LIMIT_MS + 40_000,
  );
});
