/** A worker: claims one job after another, keeps each one's lease while the handler works, and tells the service
 *  how it ended. Trouble with the network or the service is waited out; a job whose end could not be told goes
 *  back to the queue when its lease lapses, so a handler may see the same job again.
 *  It knows the client and nothing of what jobs are about. */

import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { isUnanswered, ProblemError, type Client } from "../client/client.ts";
import type { ClaimedJob, Completed } from "../contract/jobs.ts";

/** How a job ended well: what came of it, where its task goes and what is to be done next. */
export type Outcome = Omit<Parameters<Client["complete"]>[1], "lease_token">;

interface WorkerParts {
  readonly client: Client;
  /** Does the job. What it throws fails the job, which is tried again while it has attempts left.
   *  @param gone aborts when the job is no longer the worker's: its task was cancelled or its lease is lost */
  readonly handle: (job: ClaimedJob, gone: AbortSignal) => Promise<Outcome | undefined>;
  /** Who claims, for people to read. */
  readonly name?: string;
  /** The only kinds of job and repositories to claim; every one when left out. */
  readonly agents?: string[];
  readonly repos?: string[];
  readonly leaseMs?: number;
  /** How long one claim waits for a job at the service. */
  readonly waitMs?: number;
  /** Told of every completion that the service confirmed. */
  readonly onCompleted?: (completed: Completed, job: ClaimedJob) => void;
  /** Told of everything that did not go as it should; the worker goes on. */
  readonly onTrouble?: (error: unknown, job?: ClaimedJob) => void;
}

export interface Worker {
  /** Claims nothing more; resolves when the job in hand, if any, has ended. */
  stop(): Promise<void>;
}

/** Pauses between attempts to reach a service that does not answer, in milliseconds. */
const PATIENCE = { first: 200, most: 15_000 };
const ERROR_CHARACTERS = 10_000;

const patience = (failures: number): number =>
  Math.min(PATIENCE.most, PATIENCE.first * 2 ** Math.min(failures, 10)) * (0.5 + Math.random() / 2);

const codeOf = (error: unknown): string | undefined =>
  error instanceof ProblemError ? error.code : undefined;

/** Waits; false when the signal ended it early. */
const rest = (ms: number, until: AbortSignal): Promise<boolean> =>
  sleep(ms, true, { signal: until }).catch(() => false);

/** The job is not this worker's any more, whatever it does. */
const isGone = (error: unknown): boolean =>
  ["lease_lost", "task_cancelled", "unknown_job"].includes(codeOf(error) ?? "");

const sentence = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).replaceAll("\0", "").slice(0, ERROR_CHARACTERS);

/** Starts a worker. It runs until it is stopped. */
export const startWorker = ({
  client,
  handle,
  name,
  agents,
  repos,
  leaseMs = 60_000,
  waitMs = 30_000,
  onCompleted = () => undefined,
  onTrouble = () => undefined,
}: WorkerParts): Worker => {
  const stopping = new AbortController();
  const stopped = (): boolean => stopping.signal.aborted;
  let poll = new AbortController();

  /** Keeps the lease until the job is over, or aborts `gone` with the reason why it cannot be kept. */
  const keepLease = async (job: ClaimedJob, gone: AbortController, over: AbortSignal): Promise<void> => {
    const third = Math.floor(leaseMs / 3);
    let keptAt = performance.now();
    while (!gone.signal.aborted && (await rest(third, over))) {
      const sentAt = performance.now();
      try {
        const lease = { lease_token: job.lease.token, lease_ms: leaseMs };
        await client.heartbeat(job.id, lease, AbortSignal.timeout(third));
        keptAt = sentAt;
      } catch (error) {
        // Past its term the job may already be another worker's: working on would be two at once.
        if (isGone(error) || performance.now() - keptAt >= leaseMs) gone.abort(error);
        else onTrouble(error, job);
      }
    }
  };

  /** Tells the service until it has answered or the job is gone. */
  const tell = async <T>(
    job: ClaimedJob,
    gone: AbortSignal,
    message: (key: string) => Promise<T>,
  ): Promise<T> => {
    const key = randomUUID();
    for (let failures = 0; ; failures += 1) {
      try {
        return await message(key);
      } catch (error) {
        if (!isUnanswered(error) || gone.aborted) throw error;
        onTrouble(error, job);
      }
      await rest(patience(failures), gone);
    }
  };

  /** Completes the job, or fails it with what went wrong in it. */
  const work = async (job: ClaimedJob, gone: AbortSignal): Promise<Completed | undefined> => {
    const { id, lease } = job;
    const lease_token = lease.token;
    try {
      const outcome = await handle(job, gone);
      gone.throwIfAborted();
      return await tell(job, gone, (key) => client.complete(id, { lease_token, ...outcome }, key));
    } catch (error) {
      gone.throwIfAborted();
      if (isGone(error)) throw error;
      onTrouble(error, job);
      await tell(job, gone, (key) => client.fail(id, { lease_token, error: sentence(error) }, key));
      return undefined;
    }
  };

  const run = async (job: ClaimedJob): Promise<void> => {
    const gone = new AbortController();
    const over = new AbortController();
    const kept = keepLease(job, gone, over.signal);
    try {
      const completed = await work(job, gone.signal);
      if (completed) onCompleted(completed, job);
    } catch (error) {
      onTrouble(error, job);
      // A cancelled task's job ends when it is given back.
      if (codeOf(error) === "task_cancelled")
        await client.release(job.id, { lease_token: job.lease.token }).catch((late: unknown) => {
          onTrouble(late, job);
        });
    } finally {
      over.abort();
      await kept;
    }
  };

  /** A claim whose answer was lost is asked for again under its key, while the leases that it may have had hold. */
  const firstAsked = (): { key: string; at: number } => ({ key: randomUUID(), at: performance.now() });
  let asked: ReturnType<typeof firstAsked> | undefined;
  const claim = async (): Promise<readonly ClaimedJob[]> => {
    poll = new AbortController();
    if (!asked || performance.now() - asked.at > leaseMs / 2) asked = firstAsked();
    const request = { worker: name, agents, repos, wait_ms: waitMs, lease_ms: leaseMs };
    const { jobs } = await client.claim(request, poll.signal, asked.key);
    asked = undefined;
    return jobs;
  };

  const loop = async (): Promise<void> => {
    let failures = 0;
    while (!stopped()) {
      try {
        const jobs = await claim();
        failures = 0;
        for (const job of jobs) await run(job);
      } catch (error) {
        if (stopped()) return;
        onTrouble(error);
        await rest(patience(failures), stopping.signal);
        failures += 1;
      }
    }
  };

  const running = loop();
  return {
    stop: () => {
      stopping.abort();
      // The service takes back what it gives to one who hangs up; what is already on its way lapses.
      poll.abort();
      return running;
    },
  };
};
