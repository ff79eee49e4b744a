import * as fc from "fast-check";
import { beforeEach, expect, it } from "vitest";
import { GateError } from "../../../src/contract/errors.ts";
import type { Effect } from "../../../src/contract/effect.ts";
import type { Explanation } from "../../../src/contract/explanation.ts";
import type { Queue } from "../../../src/contract/queue.ts";
import type { Task } from "../../../src/contract/tasks.ts";
import { onEveryDatabase } from "../../support/databases.ts";
import { API, openWorld, TestClock, WEB, World } from "../world.ts";
import { EVERYWHERE } from "../../../src/contract/names/repo-pattern.ts";

const NO_EFFECT: Effect = { now_claimable: [], now_held: [] };

/** Random histories a database. */
const RUNS = { SQLite: 120, PostgreSQL: 25 };

const commands = (explanation: Explanation): string[] =>
  explanation.jobs.flatMap(({ reasons }) => reasons.flatMap(({ fix }) => fix.map(({ command }) => command)));

onEveryDatabase((open, database) => {
  let world: World;

  beforeEach(async () => {
    world = await openWorld(open);
  });

  const explain = (work_item: string): Promise<Explanation> => world.gate.explain({ work_item }, EVERYWHERE);

  /** Starts a task's work: its entry job is claimed and done. */
  const start = async (workItem: string, stage = "development", next = false): Promise<void> => {
    const { jobs } = await world.claim({ max: 100 });
    for (const job of jobs)
      if (job.work_item_id === workItem)
        await world.gate.complete(null, job.id, {
          lease_token: job.lease.token,
          stage,
          next: next ? [{ agent: "developer" }] : [],
        });
      else await world.gate.release(null, job.id, { lease_token: job.lease.token });
  };

  it("lists every reason with its blocker and its remedies, and the chain to the root cause", async () => {
    const head = await world.task(WEB, "WEB-7");
    await start("WEB-7", "development", true);
    const [running] = (await world.claim({ worker: "w-1" })).jobs;
    const needed = await world.task(API, "API-2");
    const task = await world.task(WEB, "WEB-8", { depends_on: ["API-2"] });
    const { freeze_id } = await world.gate.freeze("ann", { repo: API }, { reason: "error rate 4.1 %" });
    await world.gate.freeze("bob", { repo: WEB }, { work_item_id: "WEB-6" });

    const { jobs, chain, stuck, ...explained } = await explain("WEB-8");
    expect(explained.task).toMatchObject({ id: task.id, work_item_id: "WEB-8" });
    expect(stuck).toBe(false);
    expect(jobs).toMatchObject([
      {
        job_id: task.job_id,
        status: "queued",
        reason: "freeze",
        position: 1,
        estimate: { p50: null, p90: null, unavailable: "acme/web is frozen (after WEB-6)" },
        reasons: [
          {
            reason: "freeze",
            by: "bob",
            detail: "acme/web is frozen (after WEB-6)",
            blocker: { kind: "freeze", freeze: { frozen_by: "bob", work_item_id: "WEB-6" } },
          },
          {
            reason: "dependency",
            detail: "API-2 in acme/api is unfinished (analysis)",
            blocker: {
              kind: "task",
              task: { id: needed.id },
              jobs: [{ id: needed.job_id, status: "queued" }],
            },
            fix: [
              {
                call: `POST /unfreeze?repo=acme%2Fapi&id=${freeze_id}`,
                command: `serial-gate unfreeze --id ${freeze_id} acme/api`,
                effect: {
                  now_claimable: [
                    {
                      job_id: needed.job_id,
                      task_id: needed.id,
                      repo: API,
                      work_item_id: "API-2",
                      reason: null,
                    },
                  ],
                  now_held: [],
                },
              },
              { command: "serial-gate task cancel --repo acme/api API-2", effect: NO_EFFECT },
            ],
          },
          {
            reason: "active-task",
            by: null,
            detail: "WEB-7 is ahead in the lane (development)",
            blocker: {
              kind: "task",
              task: { id: head.id },
              jobs: [{ id: running?.id, lease: { worker: "w-1" } }],
            },
            fix: [{ command: "serial-gate pause --repo acme/web WEB-7", effect: NO_EFFECT }],
          },
        ],
      },
    ]);
    expect(chain).toMatchObject([{ work_item_id: "WEB-8", repo: WEB, reason: "freeze" }]);
    await world.gate.unfreeze(null, { repo: WEB });
    expect((await explain("WEB-8")).chain).toEqual([
      { work_item_id: "WEB-8", repo: WEB, reason: "dependency", on: "API-2" },
      {
        work_item_id: "API-2",
        repo: API,
        reason: "freeze",
        on: 'acme/api frozen since 2026-06-15 08:00 UTC by ann: "error rate 4.1 %"',
      },
    ]);
  });

  it("names the worker of a running job", async () => {
    await world.task(WEB, "WEB-1");
    await world.claim({ worker: "w-1" });
    const { jobs, chain, stuck } = await explain("WEB-1");
    expect(jobs).toMatchObject([{ status: "running", reason: null, position: null, reasons: [] }]);
    expect(chain).toMatchObject([{ reason: "running", on: expect.stringContaining("w-1") as string }]);
    expect(stuck).toBe(false);
  });

  it("explains a finished task without a reason", async () => {
    const { id } = await world.task(WEB, "WEB-1", { entry_job: false });
    await world.gate.setStage(null, { id }, { stage: "done" });
    expect(await explain("WEB-1")).toMatchObject({ jobs: [], stuck: false, chain: [{ reason: "idle" }] });
  });

  it("refuses an unknown or ambiguous work item", async () => {
    await expect(explain("NONE")).rejects.toMatchObject({ code: "unknown_work_item" });
    await world.task(WEB, "TWIN");
    await world.task(API, "TWIN");
    await expect(explain("TWIN")).rejects.toMatchObject({ code: "ambiguous_work_item" });
  });

  it("reports a freeze when the freezes cannot be read", async () => {
    await world.task(WEB, "WEB-1");
    await world.sql("ALTER TABLE repo_freeze RENAME TO elsewhere");
    expect(await explain("WEB-1")).toMatchObject({
      degraded: true,
      jobs: [{ reason: "freeze", reasons: [{ reason: "freeze", blocker: { kind: "unreadable" }, fix: [] }] }],
    });
  });

  interface Stuck {
    readonly because: string | null;
    /** The way out that frees it. */
    readonly way?: string;
    /** The tasks that GET /queue reports. */
    readonly reported?: string[];
  }
  const parkNeeded = async (until?: string): Promise<void> => {
    await world.task(API, "API-1", { entry_job: false });
    await world.gate.pause("ann", { work_item: "API-1" }, { until });
    await world.task(WEB, "WEB-8", { depends_on: ["API-1"] });
  };
  const cases: [string, () => Promise<void>, Stuck][] = [
    [
      "a paused dependency",
      () => parkNeeded(),
      {
        because: "it depends on API-1 in acme/api, which is paused without an end",
        way: "serial-gate resume --repo acme/api API-1",
        reported: ["WEB-8"],
      },
    ],
    ["a dependency that is paused for a time", () => parkNeeded("2026-06-15T09:00:00Z"), { because: null }],
    [
      "a failed job ahead in the lane",
      async () => {
        await world.task(WEB, "WEB-1");
        const [job] = (await world.claim()).jobs;
        await world.gate.fail(null, job?.id ?? 0, {
          lease_token: job?.lease.token ?? "",
          error: "tests are red",
          retry: false,
        });
        await world.task(WEB, "WEB-8");
      },
      {
        because: "WEB-1: its job 1 (analyst) failed: tests are red",
        way: "serial-gate job retry 1",
        reported: ["WEB-1"],
      },
    ],
    [
      "a task behind it in its own lane that it needs",
      async () => {
        const { id } = await world.task(WEB, "WEB-8");
        const { id: later } = await world.task(WEB, "WEB-9");
        await world.sql(`INSERT INTO job_deps(task_id, depends_on_task_id) VALUES (${id}, ${later})`);
      },
      {
        because: "it waits for itself: WEB-8 -> WEB-9 -> WEB-8",
        way: "serial-gate pause --repo acme/web WEB-8",
        reported: ["WEB-8", "WEB-9"],
      },
    ],
    [
      "a task behind itself through another lane",
      async () => {
        const { id } = await world.task(WEB, "WEB-8");
        const { id: ahead } = await world.task(API, "API-1");
        const { id: later } = await world.task(API, "API-2");
        const { id: webLater } = await world.task(WEB, "WEB-9");
        await world.sql(
          `INSERT INTO job_deps(task_id, depends_on_task_id) VALUES (${id}, ${later}), (${ahead}, ${webLater})`,
        );
      },
      {
        because: "it waits for itself: WEB-8 -> API-2 in acme/api -> API-1 in acme/api -> WEB-9 -> WEB-8",
        reported: ["API-1", "API-2", "WEB-8", "WEB-9"],
      },
    ],
    [
      "two tasks that depend on each other",
      async () => {
        const { id } = await world.task(API, "API-1");
        const { id: web } = await world.task(WEB, "WEB-8", { depends_on: ["API-1"] });
        await world.sql(`INSERT INTO job_deps(task_id, depends_on_task_id) VALUES (${id}, ${web})`);
      },
      {
        because: "it waits for itself: WEB-8 -> API-1 in acme/api -> WEB-8",
        way: "serial-gate task cancel --repo acme/api API-1",
        reported: ["API-1", "WEB-8"],
      },
    ],
    [
      "a task ahead that is at work",
      async () => {
        await world.task(WEB, "WEB-1");
        await world.claim();
        await world.task(WEB, "WEB-8");
      },
      { because: null },
    ],
    [
      "a freeze, which an operator ends",
      async () => {
        await world.task(WEB, "WEB-8");
        await world.gate.freeze(null, { repo: WEB }, {});
      },
      { because: null },
    ],
  ];

  it.each(cases)(
    "judges whether a task is stuck: %s",
    async (_what, make, { because, way, reported = [] }) => {
      await make();
      const explanation = await explain("WEB-8");
      expect(explanation.stuck).toBe(because !== null);
      if (because === null) expect(explanation.stuck_because).toBeNull();
      else expect(explanation.stuck_because).toContain(because);
      if (way !== undefined) {
        expect(explanation.stuck_because).toContain(way);
        expect(commands(explanation)).toContain(way);
      }
      const lanes = Object.values((await world.gate.queue(undefined, EVERYWHERE)).serial_gate.per_repo);
      const stuck = lanes.flatMap((lane) => lane.stuck.map(({ work_item_id }) => work_item_id));
      expect(stuck.sort()).toEqual(reported);
    },
  );

  it("estimates the start from earlier tasks of the lane, and says why when it cannot", async () => {
    const turn = async (workItem: string, minutes: number): Promise<void> => {
      const { id } = await world.task(WEB, workItem);
      await start(workItem);
      world.clock.pass(minutes * 60_000);
      await world.gate.setStage(null, { id }, { stage: "done" });
    };
    const estimateOf = async (workItem: string) => (await explain(workItem)).jobs[0]?.estimate;
    const inMinutes = (iso: string | null | undefined): number =>
      (Date.parse(iso ?? "") - world.clock.now) / 60_000;

    for (const minutes of [10, 20, 30, 40]) await turn(`OLD-${minutes}`, minutes);
    await world.task(WEB, "AHEAD");
    await world.task(WEB, "FEW");
    expect((await estimateOf("FEW"))?.unavailable).toContain("4 of 5 finished tasks needed");
    for (const { id } of await tasksOf(world)) await world.gate.cancelTask(null, { id });
    await turn("OLD-50", 50);
    await world.task(WEB, "WEB-2");
    await start("WEB-2");
    await world.task(WEB, "WEB-3");
    await world.task(WEB, "WEB-4");
    const next = await estimateOf("WEB-3");
    expect(inMinutes(next?.p50)).toBe(30);
    expect(inMinutes(next?.p90)).toBe(50);
    const afterNext = await estimateOf("WEB-4");
    expect(inMinutes(afterNext?.p50)).toBeGreaterThan(30);
    world.clock.pass(25 * 60_000);
    expect(inMinutes((await estimateOf("WEB-3"))?.p50)).toBeLessThan(30);
    world.clock.pass(60 * 60_000);
    expect((await estimateOf("WEB-3"))?.unavailable).toContain("longer than any");
  });

  // --- Against the queue, the claim and the changes themselves

  const REPOS = [WEB, API];
  const pick = fc.nat({ max: 1_000 });
  const deed = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        kind: fc.constant("create"),
        at: pick,
        needs: fc.array(pick, { maxLength: 2 }),
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({ kind: fc.constantFrom("work", "fail"), at: pick, needs: fc.constant([]) }),
    },
    {
      weight: 6,
      arbitrary: fc.record({
        kind: fc.constantFrom("pause", "resume", "freeze", "unfreeze", "depend", "cancel"),
        at: pick,
        needs: fc.constant([]),
      }),
    },
  );
  type Deed = typeof deed extends fc.Arbitrary<infer Value> ? Value : never;

  const among = <Value>(values: readonly Value[], at: number): Value | undefined =>
    values[at % values.length];

  const tasksOf = async (here: World): Promise<Task[]> =>
    (await here.gate.listTasks({ limit: 500 }, EVERYWHERE)).tasks.filter(
      ({ stage }) => stage !== "done" && stage !== "cancelled",
    );

  const act = async (here: World, { kind, at, needs }: Deed): Promise<void> => {
    const { gate } = here;
    const tasks = await tasksOf(here);
    const repo = among(REPOS, at) ?? WEB;
    const task = among(tasks, at);
    const work_item = task?.work_item_id ?? "";
    if (kind === "create") {
      const depends_on = needs.flatMap((n) => among(tasks, n)?.work_item_id ?? []);
      await here.task(repo, `T-${Math.random()}`, { depends_on });
    } else if (kind === "work" || kind === "fail") {
      const [job] = (await here.claim()).jobs;
      if (!job) return;
      const lease_token = job.lease.token;
      if (kind === "fail") await gate.fail(null, job.id, { lease_token, error: "no", retry: false });
      else await gate.complete(null, job.id, { lease_token, stage: at % 2 === 0 ? "development" : "done" });
    } else if (kind === "freeze") await gate.freeze(null, { repo }, {});
    else if (kind === "unfreeze") await gate.unfreeze(null, { repo });
    else if (!task) return;
    else if (kind === "pause") await gate.pause(null, { work_item }, {});
    else if (kind === "resume") await gate.resume(null, { work_item });
    else if (kind === "cancel") await gate.cancelTask(null, { id: task.id });
    else {
      const other = among(tasks, Math.floor(at / 7));
      if (!other || other.id === task.id) return;
      await here.sql(`DELETE FROM job_deps WHERE task_id = ${task.id} AND depends_on_task_id = ${other.id}`);
      await here.sql(`INSERT INTO job_deps(task_id, depends_on_task_id) VALUES (${task.id}, ${other.id})`);
    }
  };

  const waitingIn = ({ serial_gate }: Queue) =>
    Object.values(serial_gate.per_repo).flatMap(({ waiting }) => waiting);

  const claimableIn = (queue: Queue): (number | null)[] =>
    waitingIn(queue).flatMap(({ job_id, reason }) => (reason === null ? [job_id] : []));

  const take = async ({ gate }: World, call: string): Promise<void> => {
    const { pathname, searchParams } = new URL(`http://gate${call.replace("POST ", "")}`);
    const repo = searchParams.get("repo") ?? "";
    const work_item = searchParams.get("work_item") ?? "";
    const id = Number(/\d+/.exec(pathname)?.[0] ?? searchParams.get("id"));
    if (pathname === "/unfreeze") await gate.unfreeze(null, { repo, id });
    else if (pathname === "/serial-gate/pause") await gate.pause(null, { work_item, repo }, {});
    else if (pathname === "/serial-gate/resume") await gate.resume(null, { work_item, repo });
    else if (pathname.startsWith("/tasks/")) await gate.cancelTask(null, { id });
    else await gate.retryJob(null, { id });
  };

  const isOver = async (here: World, { id }: Task): Promise<boolean> =>
    (await here.gate.task(id, EVERYWHERE)).jobs.every(
      ({ status }) => status === "done" || status === "cancelled",
    );

  const unfreezeAll = async ({ gate }: World): Promise<void> => {
    for (const repo of REPOS) await gate.unfreeze(null, { repo });
  };

  /** Workers who always succeed, and an orchestrator that ends a task when its last job is done; no operator. A paused task
   *  stays unfinished, and so does a task that has no job when the run begins.
   *  @returns the work items whose entry jobs never started */
  const runOut = async (here: World): Promise<Set<string | null>> => {
    const idle = new Set<number>();
    for (const task of await tasksOf(here)) if (await isOver(here, task)) idle.add(task.id);
    for (let moved = true; moved;) {
      moved = false;
      const { jobs } = await here.claim({ max: 100 });
      for (const { id, lease } of jobs) await here.gate.complete(null, id, { lease_token: lease.token });
      for (const task of await tasksOf(here)) {
        if (idle.has(task.id) || task.paused_at !== null || !(await isOver(here, task))) continue;
        await here.gate.setStage(null, { id: task.id }, { stage: "done" });
        moved = true;
      }
    }
    const { jobs } = await here.gate.queue(undefined, EVERYWHERE);
    expect(jobs.running).toBe(0);
    return new Set(
      waitingIn(await here.gate.queue(undefined, EVERYWHERE)).map(({ work_item_id }) => work_item_id),
    );
  };

  /** The advised calls together start the jobs that they name, a claim hands them out, and nobody needs to call again
   *  before the explained job starts. */
  const holdsWhatItSays = async (
    here: World,
    before: Queue,
    workItem: string,
    { calls, effect, then }: NonNullable<Explanation["root"]["fix"]>,
  ): Promise<void> => {
    for (const call of calls) await take(here, call);
    const was = claimableIn(before);
    const started = claimableIn(await here.gate.queue(undefined, EVERYWHERE)).filter(
      (id) => !was.includes(id),
    );
    expect(effect?.now_claimable.map(({ job_id }) => job_id)).toEqual(
      started.sort((a, b) => (a ?? 0) - (b ?? 0)),
    );
    const { jobs } = await here.claim({ max: 100 });
    const handedOut = jobs.map(({ id }) => id);
    for (const { job_id, repo } of effect?.now_claimable ?? []) {
      expect(then).toContain(`job ${job_id} of`);
      // Of two ready jobs in a strict lane, a claim hands out the one that stands first.
      expect(handedOut.includes(job_id) || jobs.some((job) => job.repo === repo)).toBe(true);
    }
    for (const { id, lease } of jobs) await here.gate.release(null, id, { lease_token: lease.token });
    expect([...(await runOut(here))]).not.toContain(workItem);
  };

  it(
    "agrees with the queue and the effects of its remedies, and calls a task stuck only when it never starts",
    { timeout: 300_000 },
    async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(deed, { minLength: 3, maxLength: 18 }), pick, async (deeds, chosen) => {
          const clock = new TestClock();
          const here = new World(await open(clock.read), clock, { strictLanes: chosen % 2 === 0 });
          try {
            if (chosen % 3 > 0) await here.adopt();
            for (const each of deeds)
              await act(here, each).catch((error: unknown) => {
                if (!(error instanceof GateError)) throw error;
              });

            const queue = await here.gate.queue(undefined, EVERYWHERE);
            const before = await here.rows("SELECT * FROM tasks ORDER BY id");
            const explanations = new Map<string, Explanation>();
            for (const { job_id, work_item_id, reason, position } of waitingIn(queue)) {
              const explanation = await here.gate.explain({ work_item: work_item_id ?? "" }, EVERYWHERE);
              explanations.set(work_item_id ?? "", explanation);
              const job = explanation.jobs.find((each) => each.job_id === job_id);
              expect(job).toMatchObject({ reason, position, status: "queued" });
              expect(job?.reasons[0]?.reason ?? null).toBe(reason);
            }
            // Nothing that was tried was done.
            expect(await here.rows("SELECT * FROM tasks ORDER BY id")).toEqual(before);
            expect((await here.gate.queue(undefined, EVERYWHERE)).revision).toBe(queue.revision);

            const fixes = [...explanations.values()]
              .flatMap(({ jobs }) => jobs)
              .flatMap(({ reasons }) => reasons)
              .flatMap(({ fix }) => fix)
              .filter(({ effect }) => effect !== null);
            const fix = among(fixes, chosen);
            const advised = [...explanations].filter(([, { root }]) => root.fix?.effect);
            const [workItem = "", { root } = { root: undefined }] = among(advised, chosen) ?? [];
            if (root?.fix && chosen % 5 > 2) {
              await holdsWhatItSays(here, queue, workItem, root.fix);
              return;
            }
            if (fix && chosen % 5 === 0) {
              await take(here, fix.call);
              const after = claimableIn(await here.gate.queue(undefined, EVERYWHERE));
              const was = claimableIn(queue);
              const ids = (jobs: Effect["now_held"] = []) => jobs.map(({ job_id }) => job_id);
              expect(ids(fix.effect?.now_claimable)).toEqual(after.filter((id) => !was.includes(id)).sort());
              const stillThere = waitingIn(await here.gate.queue(undefined, EVERYWHERE)).map(
                ({ job_id }) => job_id,
              );
              expect(ids(fix.effect?.now_held)).toEqual(
                was.filter((id) => id !== null && !after.includes(id) && stillThere.includes(id)),
              );
              return;
            }

            await unfreezeAll(here);
            const neverStart = await runOut(here);
            for (const [workItem, { stuck, stuck_because }] of explanations)
              expect({ workItem, stuck, stuck_because }).toMatchObject({ stuck: neverStart.has(workItem) });
          } finally {
            await here.store.close();
          }
        }),
        { numRuns: RUNS[database], ...(process.env.FC_SEED ? { seed: Number(process.env.FC_SEED) } : {}) },
      );
    },
  );
});
