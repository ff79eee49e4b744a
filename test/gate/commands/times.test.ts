import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { fromStored, toStored } from "../../../src/store/timestamps.ts";
import { onEveryDatabase } from "../../support/databases.ts";
import { API, gateError, startWorld, TestClock, WEB, type World } from "../world.ts";
import { EVERYWHERE } from "../../../src/contract/names/repo-pattern.ts";

const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`;

const UNREADABLE = [
  "",
  "1764097200",
  "2026-11-25 10:00",
  "N/A",
  "0000-00-00 00:00:00",
  "now",
  "25.11.2026 10:00",
  "2026-02-30 10:00:00",
  "2026-11-25 24:00:00",
  "2026-11-25 10:00:60",
  "+010000-01 01T00:59:59.000",
  "-000001-12 31T23:00:00.000",
  "9999-12-31T23:59:59-01:00",
  "2026-11-25 10:00:00.",
  "2026-11-25 10:00:00 tomorrow",
  "2026-11-25\n10:00:00",
];

/** Texts in the order of what they mean, a second apart. */
const READABLE = [
  ["2026-06-15 08:00:02", 2_000],
  ["2026-06-15T08:00:02", 2_000],
  ["2026-06-15 08:00:02.000000", 2_000],
  ["2026-06-15T08:00:02.000Z", 2_000],
  ["2026-06-15T10:00:02+02:00", 2_000],
  ["2026-06-15 02:30:02-0530", 2_000],
  ["2026-06-15 08:00:02+00", 2_000],
  ["2026-06-15T08:00:02.9999", 2_999],
] as const;

const COLUMNS = ["run_after", "lease_expires_at", "pause_until"] as const;

type Column = (typeof COLUMNS)[number];

/** The statement of another program that sets a time of a row. */
const WRITES: Readonly<Record<Column, (text: string, id: number) => string>> = {
  run_after: (text, id) => `UPDATE jobs SET status = 'delayed', run_after = ${text} WHERE id = ${id}`,
  lease_expires_at: (text, id) => `UPDATE jobs SET lease_expires_at = ${text} WHERE id = ${id}`,
  pause_until: (text, id) => `UPDATE tasks SET pause_until = ${text} WHERE id = ${id}`,
};

const START = new TestClock().now;

const outOfRange = (pointer: string): object => ({
  code: "invalid_request",
  context: { faults: [{ in: "body", pointer }] },
});

onEveryDatabase((open) => {
  let world: World;

  beforeEach(async () => {
    world = await startWorld(open);
  });

  const token = async (lease_ms = 1_000): Promise<{ id: number; lease_token: string }> => {
    const [job] = (await world.claim({ worker: "w", lease_ms })).jobs;
    return { id: job?.id ?? NaN, lease_token: job?.lease.token ?? "" };
  };
  const status = async (id: number): Promise<string> => (await world.gate.job(id, EVERYWHERE)).job.status;

  describe("the reader of stored times", () => {
    const parts = fc
      .tuple(
        fc.constantFrom("2026-06-15", "2024-02-29", "2026-02-29", "2026-13-01", "0001-01-01", "9999-12-31"),
        fc.constantFrom(" ", "T", "t", ""),
        fc.constantFrom("08:00:00", "23:59:59", "24:00:00", "08:60:00", "08:00:60", "08:00"),
        fc.constantFrom("", ".5", ".123456789", ".1234567890", ".", ".x"),
        fc.constantFrom(
          "",
          "Z",
          "z",
          "+02:00",
          "-0530",
          "+02",
          "-23:59",
          "+24:00",
          "+02:60",
          "+2",
          " +02:00",
        ),
      )
      .map((each) => each.join(""));

    it("reads any text in the database as the program does, on this database", async () => {
      const texts = [
        ...UNREADABLE,
        ...READABLE.map(([text]) => text),
        ...fc.sample(parts, 400),
        ...fc.sample(
          fc.string({ maxLength: 40 }).filter((text) => !text.includes("\0")),
          100,
        ),
      ];
      const stored = [...new Set(texts)];
      for (const text of stored)
        await world.sql(`INSERT INTO tasks(repo, pause_until) VALUES ('${WEB}', ${quoted(text)})`);
      const rows = await world.rows<{ ms: number | null }>("SELECT resume_ms AS ms FROM tasks ORDER BY id");
      for (const [index, text] of stored.entries()) {
        const ms = fromStored(text);
        expect(rows[index]?.ms, JSON.stringify(text)).toBe(Number.isNaN(ms) ? null : ms);
      }
    });
  });

  /** Makes a task a text, each in a repository of its own, and writes the text into a time of it as another program. */
  const write = async (column: Column, texts: readonly string[]): Promise<number[]> => {
    const jobs = [];
    for (const [index, text] of texts.entries()) {
      const { id, job_id } = await world.task(`acme/${column}-${index}`, `${column}-${index}`);
      jobs.push(job_id);
      if (column === "lease_expires_at") await world.claim({ repos: [`acme/${column}-${index}`] });
      if (column === "pause_until") await world.gate.pause(null, { work_item: `${column}-${index}` }, {});
      await world.sql(WRITES[column](quoted(text), column === "pause_until" ? id : job_id));
    }
    return jobs;
  };
  const ready = async (jobs: readonly number[]): Promise<number[]> => {
    const claimed = new Set((await world.claim({ max: 100 })).jobs.map(({ id }) => id));
    return jobs.filter((id) => claimed.has(id));
  };

  it.each(COLUMNS)("lets nothing else wait for a %s that is no time, and tells each once", async (column) => {
    // Paused entry jobs may start without strict lanes: those of this test have run.
    const stuck = await write(column, UNREADABLE);
    if (column === "pause_until") await world.sql("UPDATE jobs SET status = 'done'");
    const { job_id } = await world.task(WEB, "A");
    await token(1_000);
    await world.task(API, "B");
    await world.gate.pause(
      null,
      { work_item: "B" },
      { until: new Date(world.clock.now + 2_000).toISOString() },
    );
    world.clock.pass(2_000);
    expect(await ready([...stuck, job_id])).toEqual([job_id]);
    expect((await world.gate.job(job_id, EVERYWHERE)).job.attempt).toBe(2);
    expect((await world.gate.resolveTask({ work_item: "B" }, EVERYWHERE)).task.paused_at).toBeNull();
    expect(world.gate.unreadableTimes).toBe(UNREADABLE.length);
    world.clock.pass(2_000);
    await world.gate.queue(undefined, EVERYWHERE);
    expect(world.logged.filter((line) => line.includes(`${column} "`))).toHaveLength(UNREADABLE.length);
    expect(await world.gate.describeUnreadableTimes()).toHaveLength(UNREADABLE.length);
    await world.sql(`UPDATE ${column === "pause_until" ? "tasks" : "jobs"} SET ${column} = NULL`);
    world.clock.pass(2_000);
    await world.gate.queue(undefined, EVERYWHERE);
    expect(world.gate.unreadableTimes).toBe(0);
  });

  it("keeps a lease whose end another program made unreadable, and its worker may go on", async () => {
    const { job_id } = await world.task(WEB, "A");
    const { id, lease_token } = await token();
    await world.sql("UPDATE jobs SET lease_expires_at = 'soon'");
    world.clock.pass(3_600_000);
    expect(await world.claimAll()).toEqual([]);
    expect(world.gate.unreadableTimes).toBe(1);
    await world.gate.heartbeat(null, id, { lease_token });
    world.clock.pass(1_000);
    await world.claimAll();
    expect((await world.gate.job(job_id, EVERYWHERE)).job.attempt).toBe(2);
  });

  it("calls a task stuck that is paused until a text that is no time", async () => {
    await world.task(WEB, "A");
    await world.task(API, "B", { depends_on: [{ repo: WEB, work_item_id: "A" }] });
    await world.gate.pause(null, { work_item: "A" }, { until: "2030-01-01T00:00:00Z" });
    expect((await world.lane(API))?.stuck).toEqual([]);
    await world.sql("UPDATE tasks SET pause_until = 'Monday' WHERE paused_at IS NOT NULL");
    expect((await world.lane(API))?.stuck).not.toEqual([]);
  });

  it.each(COLUMNS)("reads a %s in every form that another program writes, and no earlier", async (column) => {
    const jobs = await write(
      column,
      READABLE.map(([text]) => text),
    );
    const due = async (): Promise<boolean[]> => {
      await world.gate.queue(undefined, EVERYWHERE);
      if (column !== "pause_until")
        return (await Promise.all(jobs.map(status))).map((each) => each === "queued");
      const tasks = await world.rows<{ paused_at: string | null }>("SELECT paused_at FROM tasks ORDER BY id");
      return tasks.map(({ paused_at }) => paused_at === null);
    };
    for (const passed of [1_999, 2_000, 2_998, 2_999]) {
      world.clock.now = START + passed;
      expect(await due(), String(passed)).toEqual(READABLE.map(([, ms]) => ms <= passed));
    }
  });

  it("forgets the end and the author of a pause that another program ended", async () => {
    await world.task(WEB, "A");
    const until = new Date(world.clock.now + 2_000).toISOString();
    await world.gate.pause(null, { work_item: "A" }, { until, by: "ann", reason: "waits for legal" });
    await world.sql("UPDATE tasks SET paused_at = NULL");
    await world.sql("UPDATE tasks SET paused_at = '2026-06-15 08:00:01'");
    world.clock.pass(2_000);
    await world.gate.queue(undefined, EVERYWHERE);
    expect((await world.gate.resolveTask({ work_item: "A" }, EVERYWHERE)).task).toMatchObject({
      paused_at: "2026-06-15T08:00:01.000Z",
      paused_by: null,
      pause_reason: null,
      pause_until: null,
    });
  });

  it("queues a job that another program inserted as delayed, with and without a time", async () => {
    await world.sql(`INSERT INTO jobs(agent, repo, status) VALUES ('dev', '${WEB}', 'delayed')`);
    await world.sql(
      `INSERT INTO jobs(agent, repo, status, run_after) VALUES ('dev', '${WEB}', 'delayed', '2026-06-15T08:00:01')`,
    );
    expect((await world.claim({ max: 9 })).jobs).toHaveLength(1);
    world.clock.pass(1_000);
    expect((await world.claim({ max: 9 })).jobs).toHaveLength(1);
  });

  it("never delays another lane by more than two seconds, whatever text is in a time of one row", async () => {
    const other = await world.task(API, "X");
    const { job_id } = await world.task(WEB, "A", { entry_job: { max_attempts: 1_000 } });
    const column = fc.constantFrom("run_after", "lease_expires_at", "pause_until");
    const text = fc.oneof(
      fc.constantFrom(...UNREADABLE),
      fc.string({ unit: "grapheme", maxLength: 40 }).filter((each) => !each.includes("\0")),
      fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
    );
    await fc.assert(
      fc.asyncProperty(column, text, async (where, what) => {
        await world.sql(
          where === "pause_until"
            ? `UPDATE tasks SET pause_until = ${quoted(what)} WHERE id = ${other.id}`
            : `UPDATE jobs SET status = '${where === "run_after" ? "delayed" : "running"}' WHERE id = ${other.job_id}`,
        );
        if (where !== "pause_until")
          await world.sql(
            `UPDATE jobs SET lease_token = 'x', ${where} = ${quoted(what)} WHERE id = ${other.job_id}`,
          );
        await world.claim({ repos: [WEB], lease_ms: 1_000 });
        const { job: before } = await world.gate.job(job_id, EVERYWHERE);
        expect(before.status).toBe("running");
        world.clock.pass(2_000);
        const [again] = (await world.claim({ repos: [WEB], lease_ms: 1_000 })).jobs;
        expect(again).toMatchObject({ id: job_id, attempt: before.attempt + 1 });
        world.clock.pass(2_000);
      }),
      { numRuns: 30 },
    );
  }, 120_000);

  it.each(["9999-12-31T23:59:59-01:00", "0000-01-01T00:00:00+01:00", "0000-06-01T00:00:00Z"])(
    "refuses the time %s from a caller, because it is not in the years 1 to 9999",
    async (time) => {
      await world.task(WEB, "A");
      const job = { repo: WEB, work_item_id: "A", agent: "dev", run_after: time };
      await expect(world.gate.createJob(null, job)).rejects.toMatchObject(outOfRange("/run_after"));
      for (const call of [
        () => world.gate.pause(null, { work_item: "A" }, { until: time }),
        () => world.gate.pauseLane(null, { repo: WEB }, { until: time }),
      ])
        await expect(call()).rejects.toMatchObject(outOfRange("/until"));
    },
  );

  it("takes a pause until the last millisecond of the year 9999", async () => {
    await world.task(WEB, "A");
    const until = "9999-12-31T23:59:59.999Z";
    await world.gate.pause(null, { work_item: "A" }, { until });
    expect((await world.gate.resolveTask({ work_item: "A" }, EVERYWHERE)).task.pause_until).toBe(until);
  });

  describe("a lease", () => {
    /** Every call that needs the lease. */
    const uses = (id: number, lease_token: string, caller: string | null = null) => [
      () => world.gate.heartbeat(caller, id, { lease_token }),
      () => world.gate.complete(caller, id, { lease_token }),
      () => world.gate.fail(caller, id, { lease_token, error: "no", retry: true }),
      () => world.gate.release(caller, id, { lease_token }),
    ];
    const expectLost = async (id: number, lease_token: string, caller: string | null = null) => {
      for (const use of uses(id, lease_token, caller))
        await expect(use()).rejects.toEqual(gateError("lease_lost"));
    };

    it.each(["queued", "delayed", "done", "failed", "cancelled"])(
      "ends for good when another program makes its job %s and runs it again",
      async (to) => {
        const { job_id } = await world.task(WEB, "A");
        const { lease_token } = await token(60_000);
        await world.sql(`UPDATE jobs SET status = '${to}'`);
        await expectLost(job_id, lease_token);
        // At the same time as before: the move alone ended the lease.
        await world.sql("UPDATE jobs SET status = 'running'");
        await expectLost(job_id, lease_token);
        world.clock.pass(86_400_000);
        expect(await world.claimAll()).toEqual([]);
        expect((await world.gate.job(job_id, EVERYWHERE)).job).toMatchObject({
          status: "running",
          lease: null,
          error: null,
        });
        expect(
          await world.rows("SELECT id FROM jobs WHERE lease_token IS NOT NULL OR due_ms IS NOT NULL"),
        ).toEqual([]);
      },
    );

    it("ends when another program runs its job anew without a move in between", async () => {
      const { job_id } = await world.task(WEB, "A");
      const { lease_token } = await token(60_000);
      await world.sql("UPDATE jobs SET status = 'running', started_at = '2026-06-15 08:00:01'");
      await expectLost(job_id, lease_token);
      world.clock.pass(86_400_000);
      expect(await world.claimAll()).toEqual([]);
    });

    it("goes on when another program writes to its job and leaves the run as it is", async () => {
      const { job_id } = await world.task(WEB, "A");
      const { lease_token } = await token(60_000);
      await world.sql("UPDATE jobs SET status = 'running', error = 'see the log', attempts = 1");
      await world.gate.heartbeat(null, job_id, { lease_token });
    });

    it("is not shortened by a heartbeat when its length is not known", async () => {
      const { job_id } = await world.task(WEB, "A");
      const { lease_token } = await token(7_200_000);
      await world.sql("UPDATE jobs SET lease_ms = NULL");
      const { lease } = await world.gate.heartbeat(null, job_id, { lease_token });
      expect(Date.parse(lease.expires_at) - world.clock.now).toBe(7_200_000);
    });

    it("is none for a job that another program runs, which is never given back", async () => {
      await world.task(WEB, "A");
      await world.sql("UPDATE jobs SET status = 'running', attempts = 1, started_at = '2020-01-01 00:00:00'");
      await world.sql(
        `INSERT INTO jobs(agent, repo, status, started_at) VALUES ('dev', '${API}', 'running', '2020-01-01 00:00:00')`,
      );
      world.clock.pass(86_400_000);
      expect(await world.claimAll()).toEqual([]);
      expect(await world.rows("SELECT DISTINCT status FROM jobs")).toEqual([{ status: "running" }]);
    });

    it("is renewed by its own length when the heartbeat names none", async () => {
      const { job_id } = await world.task(WEB, "A");
      const { lease_token } = await token(3_600_000);
      const renewed = async (lease_ms?: number): Promise<number> => {
        const { lease } = await world.gate.heartbeat(null, job_id, { lease_token, lease_ms });
        return Date.parse(lease.expires_at) - world.clock.now;
      };
      world.clock.pass(1_000);
      expect(await renewed()).toBe(3_600_000);
      expect(await renewed(7_200_000)).toBe(7_200_000);
      expect(await renewed()).toBe(7_200_000);
    });

    it("is used by the token that claimed it, and by no other", async () => {
      const { job_id } = await world.task(WEB, "A");
      const [job] = (await world.gate.claim("ann", { max: 1, wait_ms: 0 })).jobs;
      const lease = { lease_token: job?.lease.token ?? "" };
      for (const caller of ["bob", null]) await expectLost(job_id, lease.lease_token, caller);
      await world.gate.heartbeat("ann", job_id, lease);
      await world.gate.complete("ann", job_id, lease);
      expect(await status(job_id)).toBe("done");
    });
  });
});

it("writes no stored time but one of the years 1 to 9999, and reads what it wrote", () => {
  fc.assert(
    fc.property(fc.integer({ min: -8.64e15, max: 8.64e15 }), (ms) => {
      const text = toStored(ms);
      expect(text).toMatch(/^\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}\.\d{3}$/);
      expect(fromStored(text)).not.toBeNaN();
    }),
  );
});
