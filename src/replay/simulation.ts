/** All who use a gate while work items are replayed: the orchestrator that creates tasks as time went, the workers
 *  that take each task through its stages, and the operator who parks some and lets them go on later.
 *  Everything goes through the HTTP API. What happens to a work item follows from the work item alone.
 *  A service that is away for a while costs time and nothing else: what may be told twice is told again, and where
 *  an answer was lost the service's own state tells what it was. */

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
  /** Whether work of that size needs it. */
  readonly needs: (size: Size) => boolean;
}

const STEPS: readonly Step[] = [
  { agent: ENTRY_AGENT, stage: "analysis", needs: () => true },
  { agent: "developer", stage: "development", needs: () => true },
  { agent: "reviewer", stage: "review", needs: ({ lines }) => lines >= 10 },
  { agent: "tester", stage: "testing", needs: ({ lines }) => lines >= 50 },
  { agent: "deployer", stage: "deploy", needs: ({ files }) => files >= 5 },
];

/** What follows the agent's job; undefined when its task is done then. */
const stepAfter = (agent: string, size: Size): Step | undefined =>
  STEPS.slice(STEPS.findIndex((step) => step.agent === agent) + 1).find(({ needs }) => needs(size));

/** A number that is the same for a work item in every run. */
const lotOf = ({ repo, work_item_id }: Pick<ClaimedJob, "repo" | "work_item_id">): number =>
  createHash("sha256")
    .update(`${repo ?? ""} ${work_item_id ?? ""}`)
    .digest()
    .readUInt32BE();

/** Their work takes no time; it is how long a worker tries to tell a service that is gone. */
const LEASE_MS = 15_000;
/** How long the orchestrator and the operator try, and how soon again. */
const PATIENCE_MS = 60_000;
const AGAIN_MS = 500;
const ONE_PARKED_IN = 50;
const MOST_OVERTAKERS = 4;

const isToBeParked = (job: ClaimedJob): boolean =>
  job.agent === ENTRY_AGENT && lotOf(job) % ONE_PARKED_IN === 0;

/** How many tasks of the repository finish before a parked one goes on. */
const overtakers = (job: ClaimedJob): number => 1 + ((lotOf(job) >>> 16) % MOST_OVERTAKERS);

interface Parked {
  readonly job: ClaimedJob;
  waitsFor: number;
}

/** What is still to happen in a repository. */
interface Lane {
  unfinished: number;
  parked: Parked[];
}

/** What has happened so far. */
export interface Tally {
  created: number;
  claims: number;
  parked: number;
  resumed: number;
  done: number;
}

export interface Simulation {
  /** How many tasks the work items make: one that occurs again is the same task. */
  readonly tasks: number;
  readonly tally: Readonly<Tally>;
  /** Works until every task is done, or the signal or an error ends it; the workers have stopped then. */
  work(): Promise<void>;
}

interface SimulationParts {
  readonly items: readonly WorkItem[];
  readonly workers: number;
  /** Who talks to the service for the n-th worker; the orchestrator and the operator are the first. */
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
  const tally: Tally = { created: 0, claims: 0, parked: 0, resumed: 0, done: 0 };
  const lanes = new Map<string, Lane>();
  const distinct = new Map(items.map((item) => [keyOf(item), item]));
  for (const { repo } of distinct.values()) {
    const lane = lanes.get(repo) ?? { unfinished: 0, parked: [] };
    lane.unfinished += 1;
    lanes.set(repo, lane);
  }

  let allDone: () => void;
  let giveUp: (error: unknown) => void;
  const end = new Promise<void>((accept, reject) => {
    allDone = accept;
    giveUp = reject;
  });

  /** Asks until there is an answer, for a while. Only for what does no harm when it happens twice. */
  const insist = async <T>(call: () => Promise<T>): Promise<T> => {
    const patientUntil = performance.now() + PATIENCE_MS;
    for (;;) {
      try {
        return await call();
      } catch (error) {
        if (!isUnanswered(error) || signal.aborted || performance.now() > patientUntil) throw error;
        onTrouble(error);
      }
      await sleep(AGAIN_MS);
    }
  };

  // The orchestrator: one task after the other, or their order would not be that of time.
  const createAll = async (): Promise<void> => {
    for (const item of items) {
      if (signal.aborted) return;
      const { repo, work_item: work_item_id } = item;
      await insist(() => client.createTask({ repo, work_item_id, entry_job: { payload: sizeOf(item) } }));
      tally.created += 1;
    }
  };

  // The operator: lets a parked task go on when enough others went before it, or when no one is left to.
  const goOn = async ({ job }: Parked): Promise<void> => {
    const query = queryOf(job);
    await insist(() => client.resume(query));
    const agent = stepAfter(job.agent, job.payload as Size)?.agent;
    if (agent !== undefined)
      await insist(async () => {
        // A job is made once: the answer that was lost may have been that it is there.
        const { jobs } = await client.task(job.task_id ?? NaN);
        if (jobs.some((other) => other.agent === agent)) return;
        const { repo, work_item: work_item_id } = query;
        await client.createJob({ repo, work_item_id, agent, payload: job.payload });
      });
    tally.resumed += 1;
  };
  const look = (lane: Lane): void => {
    const none = lane.parked.length === lane.unfinished;
    const ready = lane.parked.filter(({ waitsFor }) => none || waitsFor <= 0);
    lane.parked = lane.parked.filter((parked) => !ready.includes(parked));
    for (const parked of ready) goOn(parked).catch(giveUp);
  };

  // The workers.
  const handle = async (job: ClaimedJob): Promise<Outcome> => {
    tally.claims += 1;
    const next = stepAfter(job.agent, job.payload as Size);
    if (!next) return { stage: "done" };
    // As when an analyst has a question for people: the task waits, and its lane does not.
    const parks = isToBeParked(job);
    if (parks) await insist(() => client.pause(queryOf(job), { reason: "waits for an answer" }));
    return { stage: next.stage, next: parks ? [] : [{ agent: next.agent, payload: job.payload }] };
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
      for (const parked of lane.parked) parked.waitsFor -= 1;
    } else if (isToBeParked(job)) {
      tally.parked += 1;
      lane.parked.push({ job, waitsFor: overtakers(job) });
    }
    look(lane);
    if (tally.done === distinct.size) allDone();
  };
  // Whether the job is done that its worker had trouble with: at the latest when its lease has lapsed, its row tells.
  const sought = new Set<string>();
  const seek = async (job: ClaimedJob): Promise<void> => {
    const attempt = `${job.id} ${job.attempt}`;
    if (sought.has(attempt)) return;
    sought.add(attempt);
    while (!signal.aborted && tally.done < distinct.size) {
      const { job: now } = await insist(() => client.job(job.id));
      const ours = now.attempt === job.attempt;
      if (ours && now.status === "done") completed(job);
      if (!ours || now.status !== "running") return;
      await sleep(AGAIN_MS);
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
      const everyone = Array.from({ length: workers }, (_, n) =>
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
            if (job) seek(job).catch(giveUp);
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
        await Promise.all(everyone.map((worker) => worker.stop()));
      }
    },
  };
};
