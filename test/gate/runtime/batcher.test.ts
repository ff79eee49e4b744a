import fc from "fast-check";
import { expect, it } from "vitest";
import { GateError } from "../../../src/contract/errors.ts";
import type { Call } from "../../../src/gate/commands/idempotency.ts";
import type { Claim, ClaimedJob, Completed, Completion } from "../../../src/contract/jobs.ts";
import { onEveryDatabase } from "../../support/databases.ts";
import { startWorld, type World } from "../world.ts";

const LANES = 5;
/** The lane whose task another repository's task waits for: about it there is one completion at most. */
const NEEDED = 0;

interface Deed {
  readonly lane: number;
  readonly agent: "analyst" | "developer";
  readonly stage: string | undefined;
  readonly isHolder: boolean;
  readonly next: "reviewer" | "analyst" | undefined;
  readonly pause: boolean;
}

const deed: fc.Arbitrary<Deed> = fc.record({
  lane: fc.nat({ max: LANES - 1 }),
  agent: fc.constantFrom("analyst", "developer"),
  stage: fc.option(fc.constantFrom("analysis", "development", "done", "cancelled"), { nil: undefined }),
  isHolder: fc.boolean(),
  next: fc.constantFrom(undefined, "reviewer", "analyst"),
  pause: fc.boolean(),
});

/** A call under a key; it counts how often it was answered as before. */
const keyedCall = (key: string, fingerprint = key): Call & { readonly replays: () => number } => {
  let replays = 0;
  return { actor: "ann", key, fingerprint, replayed: () => (replays += 1), replays: () => replays };
};

onEveryDatabase((open) => {
  const code = (error: unknown): string => {
    if (error instanceof GateError) return error.code;
    throw error;
  };

  /** Lanes with a task each, two of whose jobs are claimed and two wait, and a task elsewhere that waits for one of them. */
  const claimTwoEach = async (world: World, run: number): Promise<Map<string, ClaimedJob>> => {
    const repos = Array.from({ length: LANES }, (_, lane) => `acme/${run}-${lane}`);
    for (const [lane, repo] of repos.entries()) {
      await world.task(repo, `T-${run}-${lane}`);
      await world.gate.createJob(null, { repo, work_item_id: `T-${run}-${lane}`, agent: "developer" });
    }
    const needed = { repo: `acme/${run}-${NEEDED}`, work_item_id: `T-${run}-${NEEDED}` };
    await world.task(`acme/${run}-waits`, `T-${run}-waits`, { depends_on: [needed] });
    const { jobs } = await world.claim({ max: 2 * LANES, repos });
    for (const [lane, repo] of repos.entries())
      for (const agent of ["analyst", "tester"])
        await world.gate.createJob(null, { repo, work_item_id: `T-${run}-${lane}`, agent });
    return new Map(jobs.map((job) => [`${job.repo ?? ""} ${job.agent}`, job]));
  };

  const complete = async (
    { gate }: World,
    run: number,
    jobs: ReadonlyMap<string, ClaimedJob>,
    { lane, agent, stage, isHolder, next, pause }: Deed,
  ): Promise<string> => {
    const job = jobs.get(`acme/${run}-${lane} ${agent}`);
    const completion: Completion = {
      lease_token: isHolder ? (job?.lease.token ?? "") : "somebody-else's",
      result: { of: `a "${agent}"` },
      stage,
      ...(next ? { next: [{ agent: next }] } : {}),
      ...(pause ? { pause: { reason: "waits" } } : {}),
    };
    try {
      const done = await gate.complete(null, job?.id ?? 0, completion);
      const paused = done.task?.paused_at ? " paused" : "";
      const [cancelled, left] = [done.cancelled_jobs, done.left_jobs].map((jobs) =>
        jobs.map((each) => `${each.agent} ${each.status}`).join(),
      );
      const queued = done.next.map(({ status }) => status).join();
      return `${done.job.status} ${done.task?.stage ?? ""}${paused} [${queued}] [${cancelled}] [${left}]`;
    } catch (error) {
      return code(error);
    }
  };

  /** All of a run that there is to see, without ids: who comes first in a group draws them. */
  const seen = async (world: World, run: number): Promise<unknown> => ({
    jobs: await world.rows(`SELECT j.repo, j.agent, j.status, j.ready, j.result,
        CASE WHEN j.lease_token IS NULL THEN 0 ELSE 1 END AS leased FROM jobs j
      WHERE j.repo LIKE 'acme/${run}-%' ORDER BY j.repo, j.agent, j.status, j.id`),
    tasks:
      await world.rows(`SELECT repo, stage, pause_reason, CASE WHEN cancelled_at IS NULL THEN 0 ELSE 1 END AS cancelled FROM tasks
      WHERE repo LIKE 'acme/${run}-%' ORDER BY repo`),
    events: await world.rows(`SELECT repo, kind, COUNT(*) AS many FROM gate_events
      WHERE repo LIKE 'acme/${run}-%' GROUP BY repo, kind ORDER BY repo, kind`),
  });

  it("completes a batch with the same result as one call after another", { timeout: 120_000 }, async () => {
    const [apart, together] = [await startWorld(open), await startWorld(open)];
    let run = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(deed, { minLength: 1, maxLength: 12 }), async (deeds) => {
        run += 1;
        // Of a lane that is asked about more often, who comes second is chance.
        const most = (lane: number): number => (lane === NEEDED ? 1 : 2);
        const asked = deeds.filter(
          ({ lane }, index) =>
            deeds.slice(0, index).filter((before) => before.lane === lane).length < most(lane),
        );
        const one = await claimTwoEach(apart, run);
        const other = await claimTwoEach(together, run);
        const expected: string[] = [];
        for (const each of asked) expected.push(await complete(apart, run, one, each));
        const told = await Promise.all(asked.map((each) => complete(together, run, other, each)));
        expect(told).toEqual(expected);
        expect(await seen(together, run)).toEqual(await seen(apart, run));
      }),
      { numRuns: 40 },
    );
  });

  it("refuses one call of a batch without affecting the others", async () => {
    const world = await startWorld(open);
    const jobs = await claimTwoEach(world, 1);
    const ask = (lane: number, isHolder: boolean): Promise<string> =>
      complete(world, 1, jobs, {
        lane,
        agent: "analyst",
        stage: "done",
        isHolder,
        next: undefined,
        pause: false,
      });
    const DONE = "done done [] [analyst cancelled] [tester queued]";
    expect(
      await Promise.all([ask(0, true), ask(1, false), ask(2, true), ask(2, true), ask(9, true)]),
    ).toEqual([DONE, "lease_lost", DONE, "lease_lost", "unknown_job"]);
  });

  it("runs a keyed call once, also within a batch", async () => {
    const world = await startWorld(open);
    for (let index = 0; index < 6; index += 1) await world.task(`acme/${index}`, `T-${index}`);
    const calls = ["a", "b", "c", "a", "d", "b"].map((key) => keyedCall(key));
    const claimAll = (): Promise<Claim[]> =>
      Promise.all(calls.map((call) => world.gate.claim(call, { max: 1, wait_ms: 0 })));
    const claims = await claimAll();
    const given = claims.map(({ jobs }) => jobs.map(({ id }) => id).join());
    expect([given[3], given[5]]).toEqual([given[0], given[1]]);
    expect(new Set(given).size).toBe(4);
    expect(await claimAll()).toEqual(claims);
    expect(calls.reduce((sum, { replays }) => sum + replays(), 0)).toBe(2 + 6);

    const held = claims.slice(0, 3).flatMap(({ jobs }) => jobs);
    const completions = [...held, ...held].map((job) => ({ job, call: keyedCall(`done-${job.id}`) }));
    const completeAll = (): Promise<Completed[]> =>
      Promise.all(
        completions.map(({ job, call }) =>
          world.gate.complete(call, job.id, { lease_token: job.lease.token, stage: "done" }),
        ),
      );
    const completed = await completeAll();
    expect(completed.map(({ job, task }) => [job.id, job.status, task?.stage])).toEqual(
      [...held, ...held].map(({ id }) => [id, "done", "done"]),
    );
    expect(await completeAll()).toEqual(completed);
    expect(completions.reduce((sum, { call }) => sum + call.replays(), 0)).toBe(3 + 6);

    // A key that was another call's is refused, and no one else's claim with it.
    const [free, refused] = await Promise.allSettled([
      world.gate.claim(keyedCall("new"), { max: 1, wait_ms: 0 }),
      world.gate.claim(keyedCall("a", "another"), { max: 1, wait_ms: 0 }),
    ]);
    expect(free.status === "fulfilled" && free.value.jobs.length).toBe(1);
    expect(refused.status === "rejected" && code(refused.reason)).toBe("idempotency_key_reused");
  });

  it("keeps no key of an empty claim, so that it may be sent again", async () => {
    const world = await startWorld(open);
    await world.task("acme/a", "A");
    const calls = ["a", "b", "c"].map((key) => keyedCall(key));
    const claimAll = (): Promise<number[]> =>
      Promise.all(
        calls.map(async (call) => (await world.gate.claim(call, { max: 1, wait_ms: 0 })).jobs.length),
      );
    expect(await claimAll()).toEqual([1, 0, 0]);
    await world.task("acme/b", "B");
    expect(await claimAll()).toEqual([1, 1, 0]);
  });
});
