/** The demo's users from now on, over HTTP: an orchestrator that creates tasks, workers that do them in seconds, and
 *  an operator who answers questions. */

import { setTimeout as sleep } from "node:timers/promises";
import type { Client } from "../client/client.ts";
import type { ClaimedJob } from "../contract/jobs.ts";
import type { WorkItem } from "../replay/work-items.ts";
import { startWorker, type Outcome } from "../worker/worker.ts";
import { AGENTS, effortOf, lotOf, progressOf, sizeOf, stepAfter, type Size } from "./course.ts";
import type { Unfinished } from "./past.ts";

const WORKERS = 8;
const LEASE_MS = 20_000;
/** Milliseconds for each unit of effort. */
const UNIT_MS = 3_500;
const CREATE_EVERY_MS = 5_000;
const ONE_ASKS_IN = 16;
const ONE_FAILS_IN = 18;
const ANSWER_AFTER_MS = 60_000;
const STEPS = 5;

interface PresentParts {
  readonly client: Client;
  readonly items: readonly WorkItem[];
  readonly unfinished: readonly Unfinished[];
  readonly signal: AbortSignal;
  readonly onTrouble: (error: unknown) => void;
}

const sizeIn = (payload: unknown): Size => {
  const { files = 1, lines = 10 } = (payload ?? {}) as Partial<Size>;
  return { files, lines };
};

const outcomeOf = (job: ClaimedJob): Outcome => {
  const size = sizeIn(job.payload);
  const next = stepAfter(job.agent, size);
  if (!next) return { stage: "done" };
  const asks = job.agent === "analyst" && lotOf(`asks ${job.work_item_id ?? ""}`) < 1 / ONE_ASKS_IN;
  return {
    stage: next.stage,
    next: [{ agent: next.agent, payload: size }],
    ...(asks ? { pause: { reason: "asks: keep the old option for a release?" } } : {}),
  };
};

/** Runs until the signal ends it. */
export const playPresent = async (parts: PresentParts): Promise<void> => {
  const { client, items, unfinished, signal, onTrouble } = parts;
  const wait = (ms: number): Promise<boolean> => sleep(ms, true, { signal }).catch(() => false);

  const workers = Array.from({ length: WORKERS }, (_, n) =>
    startWorker({
      client,
      name: `agent-${n + 1}`,
      agents: AGENTS,
      leaseMs: LEASE_MS,
      waitMs: 10_000,
      handle: async (job, gone, progress) => {
        const size = sizeIn(job.payload);
        const ms = effortOf(job, size) * UNIT_MS;
        for (let step = 1; step <= STEPS && !gone.aborted; step += 1) {
          await sleep(ms / STEPS, undefined, { signal: AbortSignal.any([signal, gone]) }).catch(
            () => undefined,
          );
          progress(progressOf(job.agent, size, step / STEPS));
        }
        if (job.attempt === 1 && lotOf(`fails ${job.id}`) < 1 / ONE_FAILS_IN)
          throw new Error("agent exited 1: the connection to the model was lost");
        return outcomeOf(job);
      },
      onTrouble: () => undefined,
    }),
  );

  // The jobs that ran when the past was over: their workers finish them soon, so that something moves at once.
  const goOn = async ({ job, remaining }: Unfinished): Promise<void> => {
    if (!(await wait(Math.min(2_000 + remaining / 30, 40_000)))) return;
    await client.complete(job.id, { lease_token: job.lease.token, ...outcomeOf(job) });
  };

  const create = async (): Promise<void> => {
    for (let count = 0; await wait(CREATE_EVERY_MS); count += 1) {
      const item = items[count % items.length];
      if (!item) return;
      const round = Math.floor(count / items.length);
      await client.createTask({
        repo: item.repo,
        work_item_id: round === 0 ? item.work_item : `${item.work_item}.${round + 1}`,
        title: `Merged pull request ${item.work_item}`,
        entry_job: { payload: sizeOf(item) },
      });
    }
  };

  const answer = async (): Promise<void> => {
    while (await wait(ANSWER_AFTER_MS / 4)) {
      const { serial_gate } = await client.queue();
      for (const { paused } of Object.values(serial_gate.per_repo))
        for (const { task_id, paused_at, pause_reason } of paused) {
          const isOld = Date.now() - Date.parse(paused_at) > ANSWER_AFTER_MS;
          if (isOld && pause_reason?.startsWith("asks:"))
            await client.resume({ task_id }, { by: "ann", answer: "Yes, for one release." });
        }
    }
  };

  const guarded = (work: Promise<void>): Promise<void> => work.catch(onTrouble);
  await Promise.all([guarded(create()), guarded(answer()), ...unfinished.map((each) => guarded(goOn(each)))]);
  await Promise.all(workers.map((worker) => worker.stop()));
};
