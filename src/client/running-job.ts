/** A claimed job while somebody works on it: its lease is renewed until its end is reported, or until it is no longer ours. */

import { ERROR_LENGTH, peopleText } from "../contract/people-text.ts";
import { mayPass, ProblemError } from "./problem.ts";
import { backoff, newKey, sleep } from "./transport.ts";
import type { Answer, Body, ClaimedJob } from "./types.ts";

/** A success: the job's result, the task's next stage and the next jobs; with `pause`, the task waits for a person. */
export type Outcome = Omit<Body<"completeJob">, "lease_token" | "claim">;

/** Told of every failure that is outlived. */
export type OnTrouble = (error: unknown, job?: ClaimedJob) => void;

/** Delay between attempts to reach the service, doubling from the first to the longest. Milliseconds. */
const RETRY_MS = { first: 200, longest: 15_000 };

export const retryDelay = (failures: number): number => backoff(RETRY_MS, failures);

/** Waits; resolves to false when the signal ended the wait. */
export const delay = (ms: number, until: AbortSignal): Promise<boolean> =>
  sleep(ms, until).then(
    () => true,
    () => false,
  );

const codeOf = (error: unknown): string | undefined =>
  error instanceof ProblemError ? error.code : undefined;

const LOST = ["lease_lost", "unknown_job"];
const FINISHED = ["task_cancelled", "task_terminal"];

/** True when the job is no longer this worker's. */
export const isGone = (error: unknown): boolean => [...LOST, ...FINISHED].includes(codeOf(error) ?? "");

/** The calls about a claimed job. */
export interface JobCalls {
  heartbeat(id: number, input: Body<"heartbeat">, signal?: AbortSignal): Promise<unknown>;
  complete(id: number, input: Body<"completeJob">, key?: string): Promise<Answer<"completeJob">>;
  fail(id: number, input: Body<"failJob">, key?: string): Promise<Answer<"failJob">>;
  release(
    id: number,
    input: Pick<Body<"releaseJob">, "run_after" | "pause"> & { readonly lease_token: string },
    key?: string,
  ): Promise<Answer<"releaseJob">>;
}

interface Parts {
  readonly client: JobCalls;
  readonly job: ClaimedJob;
  readonly leaseMs: number;
  readonly onTrouble: OnTrouble;
  /** The claim to send with a completion; undefined for none. */
  readonly nextClaim: () => Body<"completeJob">["claim"];
}

class JobHandle {
  readonly #parts: Parts;
  readonly #gone = new AbortController();
  readonly #over = new AbortController();
  readonly #leaseKept: Promise<void>;
  #hasEnded = false;
  #progress: string | undefined;
  #next: RunningJob[] = [];

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#leaseKept = this.#keepLease();
  }

  /** Aborts when the job is no longer ours: its lease is lost or its task finished. Stop then; the reason says why. */
  get signal(): AbortSignal {
    return this.#gone.signal;
  }

  /** Tells people how far the work is, with the next heartbeat. */
  progress(text: string): void {
    this.#progress = text;
  }

  /** Completes the job, and claims the next one in the same call. Of a task that finished meanwhile, the result alone is
   *  kept. It is repeated until the service answers.
   *  @throws ProblemError as `Client.complete`; the reason of `signal` once the job is no longer ours */
  async complete(outcome: Outcome = {}): Promise<Answer<"completeJob">> {
    try {
      return await this.#complete(outcome);
    } catch (error) {
      if (codeOf(error) !== "task_terminal") throw error;
      this.#parts.onTrouble(error, this.#parts.job);
      return this.#complete({ result: outcome.result });
    }
  }

  /** Fails the job: it is retried with backoff, or after `retryAfterMs` milliseconds, while it has attempts left.
   *  @param error what went wrong, for people; anything that was thrown will do
   *  @throws ProblemError as `Client.fail`; the reason of `signal` once the job is no longer ours */
  async fail(
    error: unknown,
    { retry, retryAfterMs }: { retry?: boolean; retryAfterMs?: number } = {},
  ): Promise<Answer<"failJob">> {
    const { client, job } = this.#parts;
    const failure = { ...this.#lease, error: messageOf(error), retry, retry_after_ms: retryAfterMs };
    return this.#end(await this.#report((key) => client.fail(job.id, failure, key)));
  }

  /** Gives the job back without counting an attempt: delayed until `run_after`, its task paused with `pause`.
   *  @throws ProblemError as `Client.release`; the reason of `signal` once the job is no longer ours */
  async release(when: Pick<Body<"releaseJob">, "run_after" | "pause"> = {}): Promise<Answer<"releaseJob">> {
    const { client, job } = this.#parts;
    return this.#end(await this.#report((key) => client.release(job.id, { ...this.#lease, ...when }, key)));
  }

  /** Stops renewing the lease, and releases the job unless it has ended. That of a finished task ends by it.
   *  @returns the jobs that were claimed with the completion */
  async leave(): Promise<RunningJob[]> {
    const { client, job, onTrouble } = this.#parts;
    const next = this.#next;
    this.#next = [];
    this.#over.abort();
    await this.#leaseKept;
    const isStillOurs = !this.signal.aborted || FINISHED.includes(codeOf(this.signal.reason) ?? "");
    if (!this.#hasEnded && isStillOurs) {
      this.#hasEnded = true;
      await client.release(job.id, this.#lease).catch((error: unknown) => {
        onTrouble(error, job);
      });
    }
    return next;
  }

  get #lease(): { lease_token: string } {
    return { lease_token: this.#parts.job.lease.token };
  }

  #end<T>(answer: T): T {
    this.#hasEnded = true;
    this.#over.abort();
    return answer;
  }

  async #complete(outcome: Outcome): Promise<Answer<"completeJob">> {
    const { client, job, leaseMs, nextClaim } = this.#parts;
    const claim = nextClaim();
    const body = { ...this.#lease, ...outcome, ...(claim ? { claim } : {}) };
    const sentAt = performance.now();
    const answer = this.#end(await this.#report((key) => client.complete(job.id, body, key)));
    const next = (answer.jobs ?? []).map((each) => runningJob({ ...this.#parts, job: each }));
    // The answer may be a repeated one: leases of that age may be over.
    if (performance.now() - sentAt <= leaseMs / 2) this.#next = next;
    else for (const each of next) await each.leave();
    return answer;
  }

  /** Sends a report until the service answers or the job is gone. */
  async #report<T>(send: (key: string) => Promise<T>): Promise<T> {
    const key = newKey();
    for (let failures = 0; ; failures += 1) {
      this.signal.throwIfAborted();
      try {
        return await send(key);
      } catch (error) {
        if (LOST.includes(codeOf(error) ?? "")) this.#gone.abort(error);
        if (!mayPass(error) || this.signal.aborted) throw error;
        this.#parts.onTrouble(error, this.#parts.job);
      }
      await delay(retryDelay(failures), this.signal);
    }
  }

  /** Extends the lease until the job is over, or aborts `signal` with the reason why that is impossible. */
  async #keepLease(): Promise<void> {
    const { client, job, leaseMs, onTrouble } = this.#parts;
    const third = Math.floor(leaseMs / 3);
    let told: string | undefined;
    let extendedAt = performance.now();
    while (!this.signal.aborted && (await delay(third, this.#over.signal))) {
      const sentAt = performance.now();
      try {
        const progress = this.#progress;
        const news = progress === told ? {} : { progress };
        const renewal = { ...this.#lease, lease_ms: leaseMs, ...news };
        await client.heartbeat(job.id, renewal, AbortSignal.timeout(third));
        extendedAt = sentAt;
        told = progress;
      } catch (error) {
        // After the lease expired, another worker may have the job: two must not work on it at once.
        if (isGone(error) || performance.now() - extendedAt >= leaseMs) this.#gone.abort(error);
        else onTrouble(error, job);
      }
    }
  }
}

/** A claimed job, and the calls that end it. */
export type RunningJob = ClaimedJob & JobHandle;

export const runningJob = (parts: Parts): RunningJob => Object.assign(new JobHandle(parts), parts.job);

/** Anything that was thrown, in words that the service stores: a failure must reach it, whatever it is. */
const messageOf = (error: unknown): string => {
  try {
    const message = error instanceof Error ? error.message || error.name : error;
    return peopleText(String(message), ERROR_LENGTH);
  } catch {
    return "The error has no text.";
  }
};
