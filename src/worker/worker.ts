/** A worker: claims one job after another, extends its lease while the handler runs, and reports the result.
 *  It retries through failures of the network and the service. A job whose result could not be reported returns to the
 *  queue when its lease expires, so a handler may see a job twice.
 *  It knows the client, nothing of the content of jobs. */

import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { isUnanswered, ProblemError, type Client } from "../client/client.ts";
import type { ClaimedJob, Completed } from "../contract/jobs.ts";
import { ERROR_LENGTH, peopleText } from "../contract/people-text.ts";

/** A success: the job's result, the task's next stage and the next jobs; with `pause`, the task waits for a person. */
export type Outcome = Omit<Parameters<Client["complete"]>[1], "lease_token" | "claim">;

/** Returned by a handler that cannot go on now: the job goes back to the queue and no attempt is counted. It is delayed
 *  until `run_after`; with `pause`, its task waits for a person. */
export class Release {
  readonly when: Omit<Parameters<Client["release"]>[1], "lease_token">;

  constructor(when: Release["when"] = {}) {
    this.when = when;
  }
}

/** Thrown by a handler that failed: the next attempt comes after `retryAfterMs` milliseconds in place of the backoff. */
export class RetryLater extends Error {
  override readonly name = "RetryLater";
  readonly retryAfterMs: number;

  constructor(message: string, retryAfterMs: number) {
    super(message);
    this.retryAfterMs = retryAfterMs;
  }
}

interface WorkerParts {
  readonly client: Client;
  /** Does the job. An exception fails the job, which is retried while it has attempts left.
   *  @param gone aborts when the job is no longer this worker's: its task finished or its lease is lost
   *  @param progress says how far the handler is, for people; sent with the next heartbeat */
  readonly handle: (
    job: ClaimedJob,
    gone: AbortSignal,
    progress: (text: string) => void,
  ) => Promise<Outcome | Release | undefined>;
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

/** True when the task finished since the job was claimed. */
const isFinished = (error: unknown): boolean => codeOf(error) === "task_terminal";

/** Anything that was thrown, in words that the service stores: a failure must reach it, whatever it is. */
const messageOf = (error: unknown): string => {
  try {
    const message = error instanceof Error ? error.message || error.name : error;
    return peopleText(String(message), ERROR_LENGTH);
  } catch {
    return "The handler threw a value that has no text.";
  }
};

/** A job while its handler runs. */
interface Run {
  readonly job: ClaimedJob;
  readonly gone: AbortController;
  readonly over: AbortController;
  /** The handler's last word on how far it is. */
  progress: string | undefined;
}

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
  const keepLease = async (current: Run): Promise<void> => {
    const { job, gone, over } = current;
    let told: string | undefined;
    const third = Math.floor(leaseMs / 3);
    let extendedAt = performance.now();
    while (!gone.signal.aborted && (await delay(third, over.signal))) {
      const sentAt = performance.now();
      try {
        const { progress } = current;
        const lease = { lease_token: job.lease.token, lease_ms: leaseMs };
        const news = progress === told ? {} : { progress };
        await client.heartbeat(job.id, { ...lease, ...news }, AbortSignal.timeout(third));
        extendedAt = sentAt;
        told = progress;
      } catch (error) {
        // After the lease expired, another worker may have the job: two must not work on it at once.
        if (isGone(error) || isFinished(error) || performance.now() - extendedAt >= leaseMs)
          gone.abort(error);
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

  /** Releases a job. One that is not released returns to the queue when its lease expires. */
  const giveBack = async (job: ClaimedJob): Promise<void> => {
    try {
      await client.release(job.id, { lease_token: job.lease.token });
    } catch (error) {
      onTrouble(error, job);
    }
  };

  /** Completes the job, and claims the next one in the same call. Of a task that finished meanwhile, the result alone is
   *  kept. */
  const complete = async (job: ClaimedJob, gone: AbortSignal, outcome?: Outcome): Promise<Completed> => {
    const lease_token = job.lease.token;
    const next = stopped() ? {} : { claim: { worker: name, agents, repos, lease_ms: leaseMs } };
    const send = async (part?: Outcome): Promise<Completed> => {
      const sentAt = performance.now();
      const body = { lease_token, ...part, ...next };
      const completed = await report(job, gone, (key) => client.complete(job.id, body, key));
      // The answer may be a repeated one: leases of that age may be over.
      if (performance.now() - sentAt <= leaseMs / 2) return completed;
      for (const each of completed.jobs ?? []) await giveBack(each);
      return { ...completed, jobs: [] };
    };
    try {
      return await send(outcome);
    } catch (error) {
      if (!isFinished(error)) throw error;
      onTrouble(error, job);
      return send({ result: outcome?.result });
    }
  };

  /** Completes or releases the job, or fails it with the handler's error. */
  const work = async (current: Run): Promise<Completed | undefined> => {
    const { job } = current;
    const { id, lease } = job;
    const lease_token = lease.token;
    const gone = current.gone.signal;
    try {
      const outcome = await handle(job, gone, (text) => {
        current.progress = text;
      });
      gone.throwIfAborted();
      if (outcome instanceof Release) {
        await report(job, gone, (key) => client.release(id, { lease_token, ...outcome.when }, key));
        return undefined;
      }
      // An outcome that is no JSON would fail in every repeat of the report; here it fails the job.
      JSON.stringify(outcome);
      return await complete(job, gone, outcome);
    } catch (error) {
      gone.throwIfAborted();
      if (isGone(error)) throw error;
      onTrouble(error, job);
      const retry = error instanceof RetryLater ? { retry_after_ms: error.retryAfterMs } : {};
      const failure = { lease_token, error: messageOf(error), ...retry };
      await report(job, gone, (key) => client.fail(id, failure, key));
      return undefined;
    }
  };

  const tellCompleted = (completed: Completed, job: ClaimedJob): void => {
    try {
      onCompleted(completed, job);
    } catch (error) {
      onTrouble(error, job);
    }
  };

  /** @returns the jobs that were claimed with the completion */
  const run = async (job: ClaimedJob): Promise<readonly ClaimedJob[]> => {
    const current: Run = {
      job,
      gone: new AbortController(),
      over: new AbortController(),
      progress: undefined,
    };
    const leaseKept = keepLease(current);
    try {
      const completed = await work(current);
      if (completed) tellCompleted(completed, job);
      return completed?.jobs ?? [];
    } catch (error) {
      onTrouble(error, job);
      // Releasing the job of a finished task ends it.
      if (codeOf(error) === "task_cancelled" || isFinished(error)) await giveBack(job);
      return [];
    } finally {
      current.over.abort();
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
        const jobs = [...(await claim())];
        failures = 0;
        for (let job = jobs.shift(); job; job = jobs.shift())
          if (stopped()) await giveBack(job);
          else jobs.push(...(await run(job)));
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
