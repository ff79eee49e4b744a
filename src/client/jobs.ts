/** Claims one job after another, through failures of the network and the service. */

import {
  delay,
  retryDelay,
  runningJob,
  type JobCalls,
  type OnTrouble,
  type RunningJob,
} from "./running-job.ts";
import { newKey } from "./transport.ts";
import type { Answer, Body } from "./types.ts";

export interface JobsOptions {
  /** Claims only these kinds of job, and only in these repositories; any when left out. */
  readonly agents?: string[] | undefined;
  readonly repos?: string[] | undefined;
  /** Name of the worker, shown to people. */
  readonly name?: string | undefined;
  /** Length of a lease in milliseconds, 60,000 by default. It is renewed every third of that. */
  readonly leaseMs?: number;
  /** Longest wait of one claim for a job, in milliseconds, 30,000 by default. */
  readonly waitMs?: number;
  /** Ends the claiming; a job that runs goes on. */
  readonly signal?: AbortSignal | undefined;
  /** Called for every failure; the claiming goes on. */
  readonly onTrouble?: OnTrouble;
}

interface WorkerCalls extends JobCalls {
  claim(request: Body<"claimJobs">, signal?: AbortSignal, key?: string): Promise<Answer<"claimJobs">>;
}

const NEVER = new AbortController().signal;

/** @throws nothing: every failure is told to `onTrouble` */
export async function* claimedJobs(
  client: WorkerCalls,
  options: JobsOptions,
): AsyncGenerator<RunningJob, void> {
  const { agents, repos, name, leaseMs = 60_000, waitMs = 30_000 } = options;
  const { signal = NEVER, onTrouble = () => undefined } = options;
  const isOver = (): boolean => signal.aborted;
  const request = { worker: name, agents, repos, lease_ms: leaseMs };
  const nextClaim = (): typeof request | undefined => (isOver() ? undefined : request);

  /** A claim whose answer was lost is repeated under its key, as long as the leases that it may have given are valid. */
  const newAttempt = (): { key: string; at: number } => ({ key: newKey(), at: performance.now() });
  let attempt: ReturnType<typeof newAttempt> | undefined;
  const claim = async (): Promise<RunningJob[]> => {
    if (!attempt || performance.now() - attempt.at > leaseMs / 2) attempt = newAttempt();
    // The service takes back jobs that it gives to a closed connection; a job already on its way expires.
    const { jobs } = await client.claim({ ...request, wait_ms: waitMs }, signal, attempt.key);
    attempt = undefined;
    return jobs.map((job) => runningJob({ client, job, leaseMs, onTrouble, nextClaim }));
  };

  let waiting: RunningJob[] = [];
  try {
    for (let failures = 0; !isOver();) {
      try {
        waiting = await claim();
        failures = 0;
      } catch (error) {
        if (isOver()) return;
        onTrouble(error);
        await delay(retryDelay(failures), signal);
        failures += 1;
      }
      for (let job = waiting.shift(); job && !isOver(); job = waiting.shift())
        try {
          yield job;
        } finally {
          waiting.push(...(await job.leave()));
        }
    }
  } finally {
    for (const job of waiting) await job.leave();
  }
}
