import { expect, it, onTestFinished } from "vitest";
import { Client } from "../../src/client/client.ts";
import type { ClaimedJob, Completed, Job } from "../../src/contract/jobs.ts";
import { Release, RetryLater, startWorker, type Worker } from "../../src/worker/worker.ts";
import { sleep } from "../support/calls.ts";
import { startService } from "../support/service.ts";

const REPO = "acme/web";
/** Short enough to see it kept, long enough for a heartbeat on a machine that is busy. */
const LEASE_MS = 3_000;

type Parts = Parameters<typeof startWorker>[0];

interface Shift {
  readonly client: Client;
  /** Starts a worker that is stopped when the test ends. */
  readonly hire: (parts: Omit<Parts, "client">) => Worker;
  readonly troubles: unknown[];
  /** The job once it is as asked. */
  readonly jobThat: (id: number, is: (job: Job) => boolean) => Promise<Job>;
}

/** A service and workers for it. */
const shift = async (env: Record<string, string> = {}): Promise<Shift> => {
  const { service } = await startService(env);
  const client = new Client({ url: service.url });
  const troubles: unknown[] = [];
  return {
    client,
    troubles,
    hire: (parts) => {
      const worker = startWorker({ client, onTrouble: (error) => troubles.push(error), ...parts });
      onTestFinished(() => worker.stop());
      return worker;
    },
    jobThat: async (id, is) => {
      for (;;) {
        const { job } = await client.job(id);
        if (is(job)) return job;
        await sleep(50);
      }
    },
  };
};

const entryOf = async (client: Client, work_item_id: string): Promise<number> => {
  const { job } = await client.createTask({ repo: REPO, work_item_id });
  return job?.id ?? NaN;
};

const hasEnded = ({ status }: Job): boolean => ["done", "failed", "cancelled"].includes(status);

const eventually = <T>(read: () => T): ReturnType<typeof expect.poll<T>> =>
  expect.poll(read, { timeout: 20_000 });

/** Resolves when the signal aborts, with its reason. */
const aborted = (signal: AbortSignal): Promise<unknown> =>
  new Promise((gone) => {
    signal.addEventListener("abort", () => {
      gone(signal.reason);
    });
  });

it("takes a task through its stages, one job after the other", async () => {
  const { client, hire, jobThat, troubles } = await shift();
  const seen: ClaimedJob[] = [];
  const completed: Completed[] = [];
  hire({
    name: "w-1",
    handle: (job) => {
      seen.push(job);
      return Promise.resolve(
        job.agent === "analyst"
          ? { stage: "development", next: [{ agent: "developer", payload: { a: 1 } }], result: "understood" }
          : { stage: "done" },
      );
    },
    onCompleted: (answer) => completed.push(answer),
  });
  const id = await entryOf(client, "WEB-1");
  expect((await jobThat(id, hasEnded)).result).toBe("understood");
  await jobThat(id + 1, hasEnded);
  await eventually(() => completed.map(({ task }) => task?.stage)).toEqual(["development", "done"]);
  expect(seen.map(({ agent, payload }) => [agent, payload])).toEqual([
    ["analyst", null],
    ["developer", { a: 1 }],
  ]);
  expect(troubles).toEqual([]);
});

it("claims only jobs of its own agents and repositories", async () => {
  const { client, hire, jobThat } = await shift();
  const id = await entryOf(client, "WEB-1");
  await client.createTask({ repo: "acme/api", work_item_id: "API-1" });
  const { job } = await client.createJob({ repo: REPO, work_item_id: "WEB-1", agent: "developer" });
  const seen: number[] = [];
  hire({
    agents: ["developer", "tester"],
    repos: [REPO],
    handle: ({ id: claimed }) => {
      seen.push(claimed);
      return Promise.resolve(undefined);
    },
  });
  await jobThat(job.id, hasEnded);
  expect(seen).toEqual([job.id]);
  expect((await client.job(id)).job.status).toBe("queued");
});

it("keeps the lease of a job that takes longer than one lease", async () => {
  const { client, hire, jobThat, troubles } = await shift();
  const id = await entryOf(client, "WEB-1");
  hire({
    leaseMs: LEASE_MS,
    handle: async () => {
      await sleep(LEASE_MS * 2.5);
      return { stage: "done" };
    },
  });
  expect(await jobThat(id, hasEnded)).toMatchObject({ status: "done", attempt: 1 });
  expect(troubles).toEqual([]);
});

it("fails a job whose handler throws, and claims it again after its delay", async () => {
  const { client, hire, jobThat, troubles } = await shift({ SERIAL_GATE_RETRY_MS: "300" });
  const id = await entryOf(client, "WEB-1");
  hire({
    handle: ({ attempt }) =>
      attempt === 1 ? Promise.reject(new Error("The base\0 is gone.")) : Promise.resolve({ stage: "done" }),
  });
  expect(await jobThat(id, ({ status }) => status !== "queued" && status !== "running")).toMatchObject({
    status: "delayed",
    error: "The base\ufffd is gone.",
  });
  expect(await jobThat(id, hasEnded)).toMatchObject({ status: "done", attempt: 2 });
  expect(troubles).toMatchObject([{ message: "The base\0 is gone." }]);
});

it.each<[string, unknown, string]>([
  [
    "a message that is too long, with an emoji at its end",
    new Error("x".repeat(19_998) + "🚀🚀🚀"),
    `${"x".repeat(19_998)}🚀…`,
  ],
  ["half of an emoji", new Error("tests are red \ud83d"), "tests are red \ufffd"],
  ["a megabyte", new Error("\u0001".repeat(2_000_000)), `${"\u0001".repeat(19_999)}…`],
  ["an error without a message", new TypeError(), "TypeError"],
  [
    "an error whose message is no text",
    Object.assign(new Error(), { message: { code: 5 } }),
    "[object Object]",
  ],
  ["a value that has no text", Object.create(null), "The error has no text."],
  ["nothing", undefined, "undefined"],
])("reports a handler that throws %s", async (_, thrown, told) => {
  const { client, hire, jobThat } = await shift({ SERIAL_GATE_MAX_ATTEMPTS: "1" });
  const id = await entryOf(client, "WEB-1");
  // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- a handler may throw anything
  hire({ handle: () => Promise.reject(thrown) });
  const { status, error } = await jobThat(id, hasEnded);
  expect(status).toBe("failed");
  expect(error).toBe(told);
});

it.each<[string, () => unknown]>([
  ["a number that JSON has not", () => 1n],
  [
    "a circle",
    () => {
      const circle: Record<string, unknown> = {};
      circle.self = circle;
      return circle;
    },
  ],
])("fails a job whose result contains %s", async (_, result) => {
  const { client, hire, jobThat } = await shift({ SERIAL_GATE_MAX_ATTEMPTS: "1" });
  const id = await entryOf(client, "WEB-1");
  hire({ handle: () => Promise.resolve({ result: result() }) });
  expect((await jobThat(id, hasEnded)).status).toBe("failed");
});

it("fails a job whose outcome the service refuses, with the service's message", async () => {
  const { client, hire, jobThat } = await shift({ SERIAL_GATE_MAX_ATTEMPTS: "1" });
  const id = await entryOf(client, "WEB-1");
  hire({ handle: () => Promise.resolve({ stage: "No Such Stage" }) });
  const { status, error } = await jobThat(id, hasEnded);
  expect(status).toBe("failed");
  expect(error).toContain("stage must be");
});

it("tells the handler that its task was cancelled, and releases the job", async () => {
  const { client, hire, jobThat, troubles } = await shift();
  const { task, job } = await client.createTask({ repo: REPO, work_item_id: "WEB-1" });
  let reason: unknown;
  hire({
    leaseMs: LEASE_MS,
    handle: async (_job, gone) => {
      reason = await aborted(gone);
      gone.throwIfAborted();
      return undefined;
    },
  });
  await jobThat(job?.id ?? NaN, ({ status }) => status === "running");
  await client.cancelTask(task.id);
  expect((await jobThat(job?.id ?? NaN, hasEnded)).status).toBe("cancelled");
  expect(reason).toMatchObject({ code: "task_cancelled" });
  expect(troubles).toEqual([reason]);
});

it("tells the handler that its task is done by now, and ends the job", async () => {
  const { client, hire, jobThat, troubles } = await shift();
  const { task, job } = await client.createTask({ repo: REPO, work_item_id: "WEB-1" });
  let reason: unknown;
  hire({
    leaseMs: LEASE_MS,
    handle: async (_job, gone) => {
      reason = await aborted(gone);
      return undefined;
    },
  });
  await jobThat(job?.id ?? NaN, ({ status }) => status === "running");
  await client.setStage(task.id, "done");
  expect((await jobThat(job?.id ?? NaN, hasEnded)).status).toBe("cancelled");
  expect(reason).toMatchObject({ code: "task_terminal" });
  expect(troubles).toEqual([reason]);
});

it("keeps the result of a job whose task was done before its completion", async () => {
  const { client, hire, jobThat } = await shift();
  const { task, job } = await client.createTask({ repo: REPO, work_item_id: "WEB-1" });
  hire({
    handle: async () => {
      await client.setStage(task.id, "done");
      return { result: "kept", stage: "review", next: [{ agent: "developer" }] };
    },
  });
  expect(await jobThat(job?.id ?? NaN, hasEnded)).toMatchObject({ status: "done", result: "kept" });
  expect((await client.task(task.id)).jobs).toHaveLength(1);
});

it("releases a job whose handler waits for a person, and hands the answer to the next run", async () => {
  const { client, hire, jobThat } = await shift();
  const { task, job } = await client.createTask({ repo: REPO, work_item_id: "WEB-1" });
  hire({
    handle: ({ resumed }) =>
      Promise.resolve(
        resumed
          ? { result: resumed.answer, stage: "done" }
          : new Release({ run_after: new Date(Date.now() + 1_000).toISOString(), pause: { reason: "?" } }),
      ),
  });
  await eventually(async () => (await client.task(task.id)).task.pause_reason).toBe("?");
  await client.resume({ work_item: "WEB-1" }, { answer: "yes" });
  expect(await jobThat(job?.id ?? NaN, hasEnded)).toMatchObject({
    status: "done",
    result: "yes",
    attempt: 1,
  });
});

it("sends the handler's progress with a heartbeat, and asks for a later retry", async () => {
  const { client, hire, jobThat } = await shift();
  const id = await entryOf(client, "WEB-1");
  hire({
    leaseMs: LEASE_MS,
    handle: async (_job, _gone, progress) => {
      progress("1 of 2");
      await eventually(async () => (await client.job(id)).job.progress).toBe("1 of 2");
      throw new RetryLater("the quota is used up", 3_600_000);
    },
  });
  const { error, run_after } = await jobThat(id, ({ status }) => status === "delayed");
  expect(error).toBe("the quota is used up");
  expect(Date.parse(run_after ?? "") - Date.now()).toBeGreaterThan(1_800_000);
});

it("drops a job whose lease was lost, and continues with the next", async () => {
  const { client, hire, jobThat } = await shift();
  const id = await entryOf(client, "WEB-1");
  const seen: ClaimedJob[] = [];
  let reason: unknown;
  hire({
    leaseMs: LEASE_MS,
    handle: async (job, gone) => {
      seen.push(job);
      if (seen.length === 1) reason = await aborted(gone);
      return { stage: "done" };
    },
  });
  await eventually(() => seen.length).toBe(1);
  const token = seen[0]?.lease.token ?? "";
  await client.release(id, { lease_token: token });
  expect(await jobThat(id, hasEnded)).toMatchObject({ status: "done", attempt: 1 });
  expect(reason).toMatchObject({ code: "lease_lost" });
  expect(seen).toHaveLength(2);
});

it("stops after the current job and claims no other", async () => {
  const { client, hire } = await shift();
  const first = await entryOf(client, "WEB-1");
  const { job: second } = await client.createTask({ repo: "acme/api", work_item_id: "API-1" });
  let begun = false;
  const worker = hire({
    handle: async () => {
      begun = true;
      await sleep(500);
      return { stage: "done" };
    },
  });
  await eventually(() => begun).toBe(true);
  await worker.stop();
  expect((await client.job(first)).job.status).toBe("done");
  expect((await client.job(second?.id ?? NaN)).job).toMatchObject({ status: "queued", attempt: 0 });
});

it("stops at once while it waits, and leaves later jobs to others", async () => {
  const { client, hire, troubles } = await shift();
  const worker = hire({ handle: () => Promise.resolve(undefined), waitMs: 60_000 });
  await sleep(200);
  await worker.stop();
  const id = await entryOf(client, "WEB-1");
  expect((await client.claim()).jobs.map((job) => job.id)).toEqual([id]);
  expect(troubles).toEqual([]);
});

it("waits for an unreachable service and then reports the job's outcome", async () => {
  const before = await startService();
  const client = new Client({ url: before.service.url });
  const id = await entryOf(client, "WEB-1");
  const troubles: unknown[] = [];
  let finish = (): void => undefined;
  const worker = startWorker({
    client,
    onTrouble: (error) => troubles.push(error),
    handle: async () => {
      await new Promise<void>((done) => (finish = done));
      return { stage: "done" };
    },
  });
  onTestFinished(() => worker.stop());
  await eventually(async () => (await client.job(id)).job.status).toBe("running");
  await before.service.close();
  finish();
  await eventually(() => troubles.length).toBeGreaterThan(0);
  const { port } = new URL(before.service.url);
  await startService({ DATABASE_URL: before.databaseUrl, PORT: port });
  await eventually(async () => (await client.job(id)).job.status).toBe("done");
});

it("tells the handler when the lease expires because the service is unreachable", async () => {
  const { service } = await startService();
  const client = new Client({ url: service.url });
  const id = await entryOf(client, "WEB-1");
  let reason: unknown;
  const worker = startWorker({
    client,
    leaseMs: LEASE_MS,
    handle: async (_job, gone) => {
      reason = await aborted(gone);
      return undefined;
    },
  });
  onTestFinished(() => worker.stop());
  await eventually(async () => (await client.job(id)).job.status).toBe("running");
  await service.close();
  await eventually(() => reason).toMatchObject({ message: "fetch failed" });
});
