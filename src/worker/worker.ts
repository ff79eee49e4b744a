/** A worker: claims one job after another, extends its lease while the handler runs, and reports the result.
 *  It retries through failures of the network and the service. A job whose result could not be reported returns to the
 *  queue when its lease expires, so a handler may see a job twice.
 *  It knows the client, nothing of the content of jobs. */

import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { isUnanswered, ProblemError, type Client } from "../client/client.ts";
import type { ClaimedJob, Completed } from "../contract/jobs.ts";
import { ERROR_LENGTH, peopleText } from "../contract/people-text.ts";

/** A success: the job's result, the task's next stage and the next jobs. */
export type Outcome = Omit<Parameters<Client["complete"]>[1], "lease_token">;

interface WorkerParts {
  readonly client: Client;
  /** Does the job. An exception fails the job, which is retried while it has attempts left.
   *  @param gone aborts when the job is no longer this worker's: its task was cancelled or its lease is lost */
  readonly handle: (job: ClaimedJob, gone: AbortSignal) => Promise<Outcome | undefined>;
  /** Name of the worker, shown to people. */
  readonly name?: string;
  /** Claims only these kinds of job, and only in these repositories; any when left out. */
  readonly agents?: string[];
  readonly repos?: string[];
  /** Length of a lease in milliseconds, 60,000 by default. It is extended every third of that. */
  readonly leaseMs?: number;
  /** Longest wait of one claim for a job, in milliseconds, 30,000 by default. */
  readonly waitMs?: number;
  /** Called for every completion that the service confirmed. */
  readonly onCompleted?: (completed: Completed, job: ClaimedJob) => void;
  /** Called for every failure; the worker goes on. */
  readonly onTrouble?: (error: unknown, job?: ClaimedJob) => void;
}

export interface Worker {
  /** Stops claiming; resolves when the current job, if any, has ended. */
  stop(): Promise<void>;
}

/** Delay between attempts to reach the service, doubling from the first to the longest. Milliseconds. */
const RETRY_MS = { first: 200, longest: 15_000 };

/** Exponential backoff with jitter. */
const retryDelay = (failures: number): number =>
  Math.min(RETRY_MS.longest, RETRY_MS.first * 2 ** Math.min(failures, 10)) * (0.5 + Math.random() / 2);

const codeOf = (error: unknown): string | undefined =>
  error instanceof ProblemError ? error.code : undefined;

/** Waits; resolves to false when the signal ended the wait. */
const delay = (ms: number, until: AbortSignal): Promise<boolean> =>
  sleep(ms, true, { signal: until }).catch(() => false);

/** True when the job is no longer this worker's. */
const isGone = (error: unknown): boolean =>
  ["lease_lost", "task_cancelled", "unknown_job"].includes(codeOf(error) ?? "");

/** Anything that was thrown, in words that the service stores: a failure must reach it, whatever it is. */
const messageOf = (error: unknown): string => {
  try {
    const message = error instanceof Error ? error.message || error.name : error;
    return peopleText(String(message), ERROR_LENGTH);
  } catch {
    return "The handler threw a value that has no text.";
  }
};

/** Starts a worker, which runs until it is stopped. */
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

  /** Extends the lease until the job is over, or aborts `gone` with the reason why that is impossible. */
  const keepLease = async (job: ClaimedJob, gone: AbortController, over: AbortSignal): Promise<void> => {
    const third = Math.floor(leaseMs / 3);
    let extendedAt = performance.now();
    while (!gone.signal.aborted && (await delay(third, over))) {
      const sentAt = performance.now();
      try {
        const lease = { lease_token: job.lease.token, lease_ms: leaseMs };
        await client.heartbeat(job.id, lease, AbortSignal.timeout(third));
        extendedAt = sentAt;
      } catch (error) {
        // After the lease expired, another worker may have the job: two must not work on it at once.
        if (isGone(error) || performance.now() - extendedAt >= leaseMs) gone.abort(error);
        else onTrouble(error, job);
      }
    }
  };

  /** Sends a report until the service answers or the job is gone. */
  const report = async <T>(
    job: ClaimedJob,
    gone: AbortSignal,
    send: (key: string) => Promise<T>,
  ): Promise<T> => {
    const key = randomUUID();
    for (let failures = 0; ; failures += 1) {
      try {
        return await send(key);
      } catch (error) {
        if (!isUnanswered(error) || gone.aborted) throw error;
        onTrouble(error, job);
      }
      await delay(retryDelay(failures), gone);
    }
  };

  /** Completes the job, or fails it with the handler's error. */
  const work = async (job: ClaimedJob, gone: AbortSignal): Promise<Completed | undefined> => {
    const { id, lease } = job;
    const lease_token = lease.token;
    try {
      const outcome = await handle(job, gone);
      gone.throwIfAborted();
      // An outcome that is no JSON would fail in every repeat of the report; here it fails the job.
      JSON.stringify(outcome);
      return await report(job, gone, (key) => client.complete(id, { lease_token, ...outcome }, key));
    } catch (error) {
      gone.throwIfAborted();
      if (isGone(error)) throw error;
      onTrouble(error, job);
      await report(job, gone, (key) => client.fail(id, { lease_token, error: messageOf(error) }, key));
      return undefined;
    }
  };

  const run = async (job: ClaimedJob): Promise<void> => {
    const gone = new AbortController();
    const over = new AbortController();
    const leaseKept = keepLease(job, gone, over.signal);
    try {
      const completed = await work(job, gone.signal);
      if (completed) onCompleted(completed, job);
    } catch (error) {
      onTrouble(error, job);
      // Releasing the job of a cancelled task ends it.
      if (codeOf(error) === "task_cancelled")
        await client.release(job.id, { lease_token: job.lease.token }).catch((late: unknown) => {
          onTrouble(late, job);
        });
    } finally {
      over.abort();
      await leaseKept;
    }
  };

  /** A claim whose answer was lost is repeated under its key, as long as the leases that it may have given are valid. */
  const newAttempt = (): { key: string; at: number } => ({ key: randomUUID(), at: performance.now() });
  let attempt: ReturnType<typeof newAttempt> | undefined;
  const claim = async (): Promise<readonly ClaimedJob[]> => {
    poll = new AbortController();
    if (!attempt || performance.now() - attempt.at > leaseMs / 2) attempt = newAttempt();
    const request = { worker: name, agents, repos, wait_ms: waitMs, lease_ms: leaseMs };
    const { jobs } = await client.claim(request, poll.signal, attempt.key);
    attempt = undefined;
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
        await delay(retryDelay(failures), stopping.signal);
        failures += 1;
      }
    }
  };

  const running = loop();
  return {
    stop: () => {
      stopping.abort();
      // The service takes back jobs that it gives to a closed connection; a job already on its way expires.
      poll.abort();
      return running;
    },
  };
};
