/** The users of a service during a replay, over its HTTP API: an orchestrator that creates tasks in order of time,
 *  workers that take each task through its stages, and an operator who pauses some tasks and resumes them later.
 *  The course of a work item depends on the work item alone. A service that does not answer for a while costs time
 *  only: harmless calls are repeated, and lost answers are read back from the service's state. */

import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { isUnanswered, type Client } from "../client/client.ts";
import type { ClaimedJob } from "../contract/jobs.ts";
import { startWorker, type Outcome } from "../worker/worker.ts";
import type { Size, WorkItem } from "./work-items.ts";

export const ENTRY_AGENT = "analyst";

interface Step {
  readonly agent: string;
  readonly stage: string;
  /** True for work of a size that needs this step. */
  readonly needs: (size: Size) => boolean;
}

const STEPS: readonly Step[] = [
  { agent: ENTRY_AGENT, stage: "analysis", needs: () => true },
  { agent: "developer", stage: "development", needs: () => true },
  { agent: "reviewer", stage: "review", needs: ({ lines }) => lines >= 10 },
  { agent: "tester", stage: "testing", needs: ({ lines }) => lines >= 50 },
  { agent: "deployer", stage: "deploy", needs: ({ files }) => files >= 5 },
];

/** The step after the agent's job; undefined when the task is done. */
const stepAfter = (agent: string, size: Size): Step | undefined =>
  STEPS.slice(STEPS.findIndex((step) => step.agent === agent) + 1).find(({ needs }) => needs(size));

/** A number that a work item has in every run. */
const lotOf = ({ repo, work_item_id }: Pick<ClaimedJob, "repo" | "work_item_id">): number =>
  createHash("sha256")
    .update(`${repo ?? ""} ${work_item_id ?? ""}`)
    .digest()
    .readUInt32BE();

/** The work itself takes no time: a lease lasts as long as a worker retries to report it. */
const LEASE_MS = 15_000;
/** The orchestrator and the operator retry a call for this long, this often. */
const RETRY_FOR_MS = 60_000;
const RETRY_EVERY_MS = 500;
const ONE_PAUSED_IN = 50;
const MOST_OVERTAKERS = 4;

const isToBePaused = (job: ClaimedJob): boolean =>
  job.agent === ENTRY_AGENT && lotOf(job) % ONE_PAUSED_IN === 0;

/** The number of tasks of the repository that finish before a paused task is resumed. */
const overtakers = (job: ClaimedJob): number => 1 + ((lotOf(job) >>> 16) % MOST_OVERTAKERS);

interface PausedTask {
  readonly job: ClaimedJob;
  /** Tasks of the repository that must finish first. */
  waitsFor: number;
}

/** The work left in a repository. */
interface Lane {
  unfinished: number;
  paused: PausedTask[];
}

/** Counts so far. */
export interface Tally {
  created: number;
  claims: number;
  paused: number;
  resumed: number;
  done: number;
}

export interface Simulation {
  /** The number of tasks: a work item that occurs twice has one task. */
  readonly tasks: number;
  readonly tally: Readonly<Tally>;
  /** Runs until every task is done, or until the signal or an error ends it. The workers have stopped when it
   *  resolves. */
  work(): Promise<void>;
}

interface SimulationParts {
  readonly items: readonly WorkItem[];
  readonly workers: number;
  /** The client of the n-th worker; the orchestrator and the operator use the first. */
  readonly clientOf: (worker: number) => Client;
  readonly onTrouble: (error: unknown, job?: ClaimedJob) => void;
  readonly signal: AbortSignal;
}

const keyOf = ({ repo, work_item }: WorkItem): string => JSON.stringify([repo, work_item]);

const sizeOf = ({ files, lines }: WorkItem): Size => ({ files, lines });

const queryOf = ({ repo, work_item_id }: ClaimedJob): { repo: string; work_item: string } => ({
  repo: repo ?? "",
  work_item: work_item_id ?? "",
});

export const simulate = ({ items, workers, clientOf, onTrouble, signal }: SimulationParts): Simulation => {
  const client = clientOf(0);
  const tally: Tally = { created: 0, claims: 0, paused: 0, resumed: 0, done: 0 };
  const lanes = new Map<string, Lane>();
  const distinct = new Map(items.map((item) => [keyOf(item), item]));
  for (const { repo } of distinct.values()) {
    const lane = lanes.get(repo) ?? { unfinished: 0, paused: [] };
    lane.unfinished += 1;
    lanes.set(repo, lane);
  }

  let allDone: () => void;
  let giveUp: (error: unknown) => void;
  const end = new Promise<void>((accept, reject) => {
    allDone = accept;
    giveUp = reject;
  });

  /** Repeats a call until it is answered, for RETRY_FOR_MS. Only for calls that may be carried out twice. */
  const insist = async <T>(call: () => Promise<T>): Promise<T> => {
    const retryUntil = performance.now() + RETRY_FOR_MS;
    for (;;) {
      try {
        return await call();
      } catch (error) {
        if (!isUnanswered(error) || signal.aborted || performance.now() > retryUntil) throw error;
        onTrouble(error);
      }
      await sleep(RETRY_EVERY_MS);
    }
  };

  // The orchestrator creates one task after the other, so that their order is that of time.
  const createAll = async (): Promise<void> => {
    for (const item of items) {
      if (signal.aborted) return;
      const { repo, work_item: work_item_id } = item;
      await insist(() => client.createTask({ repo, work_item_id, entry_job: { payload: sizeOf(item) } }));
      tally.created += 1;
    }
  };

  // The operator resumes a paused task when enough others have finished, or when every unfinished task is paused.
  const resume = async ({ job }: PausedTask): Promise<void> => {
    const query = queryOf(job);
    await insist(() => client.resume(query));
    const agent = stepAfter(job.agent, job.payload as Size)?.agent;
    if (agent !== undefined)
      await insist(async () => {
        // The job may exist already: the answer to an earlier attempt may have been lost.
        const { jobs } = await client.task(job.task_id ?? NaN);
        if (jobs.some((other) => other.agent === agent)) return;
        const { repo, work_item: work_item_id } = query;
        await client.createJob({ repo, work_item_id, agent, payload: job.payload });
      });
    tally.resumed += 1;
  };
  const resumeDue = (lane: Lane): void => {
    const areAllPaused = lane.paused.length === lane.unfinished;
    const due = lane.paused.filter(({ waitsFor }) => areAllPaused || waitsFor <= 0);
    lane.paused = lane.paused.filter((task) => !due.includes(task));
    for (const task of due) resume(task).catch(giveUp);
  };

  const handle = async (job: ClaimedJob): Promise<Outcome> => {
    tally.claims += 1;
    const next = stepAfter(job.agent, job.payload as Size);
    if (!next) return { stage: "done" };
    // An analyst with a question for people: the task waits, its lane does not.
    const pauses = isToBePaused(job);
    if (pauses) await insist(() => client.pause(queryOf(job), { reason: "waits for an answer" }));
    return { stage: next.stage, next: pauses ? [] : [{ agent: next.agent, payload: job.payload }] };
  };
  const over = new Set<string>();
  const completed = (job: ClaimedJob): void => {
    const lane = lanes.get(job.repo ?? "");
    const step = `${job.task_id ?? ""} ${job.agent}`;
    if (!lane || over.has(step)) return;
    over.add(step);
    if (!stepAfter(job.agent, job.payload as Size)) {
      tally.done += 1;
      lane.unfinished -= 1;
      for (const task of lane.paused) task.waitsFor -= 1;
    } else if (isToBePaused(job)) {
      tally.paused += 1;
      lane.paused.push({ job, waitsFor: overtakers(job) });
    }
    resumeDue(lane);
    if (tally.done === distinct.size) allDone();
  };
  // After a failed report, the job's row says whether it was completed, at the latest when its lease has expired.
  const checked = new Set<string>();
  const checkCompleted = async (job: ClaimedJob): Promise<void> => {
    const attempt = `${job.id} ${job.attempt}`;
    if (checked.has(attempt)) return;
    checked.add(attempt);
    while (!signal.aborted && tally.done < distinct.size) {
      const { job: now } = await insist(() => client.job(job.id));
      const ours = now.attempt === job.attempt;
      if (ours && now.status === "done") completed(job);
      if (!ours || now.status !== "running") return;
      await sleep(RETRY_EVERY_MS);
    }
  };

  return {
    tasks: distinct.size,
    tally,
    work: async () => {
      signal.throwIfAborted();
      const leave = (): void => {
        giveUp(signal.reason);
      };
      signal.addEventListener("abort", leave);
      const running = Array.from({ length: workers }, (_, n) =>
        startWorker({
          client: clientOf(n),
          name: `worker-${n + 1}`,
          leaseMs: LEASE_MS,
          handle,
          onCompleted: (_, job) => {
            completed(job);
          },
          onTrouble: (error, job) => {
            onTrouble(error, job);
            if (job) checkCompleted(job).catch(giveUp);
          },
        }),
      );
      const creating = createAll();
      creating.catch(giveUp);
      try {
        await end;
        await creating;
      } finally {
        signal.removeEventListener("abort", leave);
        await Promise.all(running.map((worker) => worker.stop()));
      }
    },
  };
};
