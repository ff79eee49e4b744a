/** A worker: hands one claimed job after another to a handler, and reports the result.
 *  It retries through failures of the network and the service. A job whose result could not be reported returns to the
 *  queue when its lease expires, so a handler may see a job twice.
 *  It knows the client, nothing of the content of jobs. */

import type { Client } from "../client/client.ts";
import type { JobsOptions } from "../client/jobs.ts";
import { isGone, type Outcome, type RunningJob } from "../client/running-job.ts";
import type { Answer, Body, ClaimedJob } from "../client/types.ts";

export type { Outcome };

/** Returned by a handler that cannot go on now: the job goes back to the queue and no attempt is counted. It is delayed
 *  until `run_after`; with `pause`, its task waits for a person. */
export class Release {
  readonly when: Pick<Body<"releaseJob">, "run_after" | "pause">;

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

interface WorkerParts extends Omit<JobsOptions, "signal"> {
  readonly client: Client;
  /** Does the job. An exception fails the job, which is retried while it has attempts left.
   *  @param gone aborts when the job is no longer this worker's: its task finished or its lease is lost
   *  @param progress says how far the handler is, for people; sent with the next heartbeat */
  readonly handle: (
    job: ClaimedJob,
    gone: AbortSignal,
    progress: (text: string) => void,
  ) => Promise<Outcome | Release | undefined>;
  /** Called for every completion that the service confirmed. */
  readonly onCompleted?: (completed: Answer<"completeJob">, job: ClaimedJob) => void;
}

export interface Worker {
  /** Stops claiming; resolves when the current job, if any, has ended. */
  stop(): Promise<void>;
}

/** Starts a worker, which runs until it is stopped. */
export const startWorker = ({ client, handle, onCompleted, ...options }: WorkerParts): Worker => {
  const { onTrouble = () => undefined } = options;
  const stopping = new AbortController();

  /** Completes or releases the job.
   *  @returns the completion; undefined for a release */
  const end = async (job: RunningJob): Promise<Answer<"completeJob"> | undefined> => {
    const outcome = await handle(job, job.signal, (text) => {
      job.progress(text);
    });
    job.signal.throwIfAborted();
    if (outcome instanceof Release) {
      await job.release(outcome.when);
      return undefined;
    }
    // An outcome that is no JSON would fail in every repeat of the report; here it fails the job.
    JSON.stringify(outcome);
    return job.complete(outcome);
  };

  /** Fails the job with the handler's error, unless it is no longer ours. */
  const work = async (job: RunningJob): Promise<Answer<"completeJob"> | undefined> => {
    try {
      return await end(job);
    } catch (error) {
      job.signal.throwIfAborted();
      if (isGone(error)) throw error;
      onTrouble(error, job);
      const later = error instanceof RetryLater ? { retryAfterMs: error.retryAfterMs } : {};
      await job.fail(error, later);
      return undefined;
    }
  };

  const run = async (): Promise<void> => {
    for await (const job of client.jobs({ ...options, signal: stopping.signal }))
      try {
        const completed = await work(job);
        if (completed) onCompleted?.(completed, job);
      } catch (error) {
        onTrouble(error, job);
      }
  };

  const running = run();
  return {
    stop: () => {
      stopping.abort();
      return running;
    },
  };
};
