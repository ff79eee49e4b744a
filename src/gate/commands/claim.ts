/** The claim: hands out the oldest jobs that may start, to all who wait for them at once. */

import { now, tryLanes, type Tx } from "../../store/port.ts";
import { leaseJobs, type NewLease } from "./handout/lease-jobs.ts";
import { findCandidates, type Candidate, type ClaimableJob } from "./handout/search.ts";
import { recordAll, type Change } from "./record.ts";
import { laneOf } from "./job.ts";
import type { Reach } from "../../contract/names/repo-pattern.ts";
import { decode } from "../../store/json.ts";
import type { ClaimedJob, ClaimRequest } from "../../contract/jobs.ts";
import { PAGE_BYTES } from "../page-bytes.ts";
import type { BatchContext } from "./context.ts";
import type { Actor } from "../rule/policy.ts";
import { tellAnswer } from "./pause.ts";
import { overtakenBy } from "./overtakes.ts";
import { toIso, toStored } from "../../store/timestamps.ts";

/** How many jobs are looked at in one go once the first were passed over: as many others may claim at once. */
const LOOK_FURTHER = 20;

/** The next power of two: the limit is part of a statement's text, and texts must stay few. */
const roundUp = (count: number): number => 2 ** Math.ceil(Math.log2(count));

/** One claim of those that are served together. */
export interface ClaimAttempt {
  readonly actor: Actor;
  /** The repositories that the caller may know. */
  readonly reach?: Reach;
  readonly request: ClaimRequest;
}

/** A job that one of the claims may take yet. */
interface Wish extends Omit<NewLease, "lane" | "token"> {
  /** The jobs of that claim so far. */
  readonly taken: ClaimedJob[];
  /** The payloads that were given to that claim, in bytes; it takes none beyond those of a page. */
  readonly load: { jobs: number; bytes: number };
}

/** Gives a payload to a claim; false for a claim that is full by it, which gets no more jobs. Each claim may have one job
 *  of any size. */
const takesLoad = ({ load }: Wish, bytes: number): boolean => {
  load.bytes += bytes;
  if (load.jobs > 0 && load.bytes > PAGE_BYTES) {
    load.bytes = Infinity;
    return false;
  }
  load.jobs += 1;
  return true;
};

type Assignment = Wish & NewLease;

function* claimedJob(job: ClaimableJob, { token, expires }: Assignment): Tx<ClaimedJob> {
  const { id, task_id } = job;
  const overtakers = task_id !== null && job.overtaken > 0 ? yield* overtakenBy(task_id, id) : [];
  const resumed = task_id !== null && job.answered_at !== null ? yield* tellAnswer(task_id, id) : null;
  return {
    id,
    task_id,
    repo: job.repo,
    work_item_id: job.work_item_id,
    agent: job.agent,
    stage: job.stage,
    payload: decode(job.task_content),
    attempt: job.attempts + 1,
    max_attempts: job.max_attempts,
    lease: { token, expires_at: toIso(expires) },
    base: { stale: overtakers.length > 0, overtaken_by: overtakers },
    resumed,
  };
}

interface Round {
  readonly jobs: readonly Candidate[];
  readonly wishes: readonly Wish[];
  /** The start of the leases, as the database's text. */
  readonly from: string;
  /** Lanes that others hold; the round adds those that it meets. */
  readonly passed: Set<string>;
  /** True in the first round after a look. */
  readonly isFresh: boolean;
}

/** Gives jobs to wishes, in order, but for jobs whose lane another holds or that may not start any more.
 *  @returns the wishes that got none */
function* assign(context: BatchContext, { jobs, wishes, from, passed, isFresh }: Round): Tx<Wish[]> {
  const lanes = [...new Set(jobs.map(laneOf))];
  const locked = yield* tryLanes(lanes);
  for (const lane of lanes) if (!locked.has(lane)) passed.add(lane);
  const free = jobs.filter((job) => locked.has(laneOf(job)));
  const leases = new Map<number, Assignment>();
  let next = 0;
  for (const job of free) {
    let wish = wishes[next++];
    while (wish && !takesLoad(wish, job.bytes)) wish = wishes[next++];
    if (wish) leases.set(job.id, { ...wish, lane: laneOf(job), token: context.rules.newToken() });
  }
  const rows = leases.size > 0 ? yield* leaseJobs(context, { leases, from, found: jobs, isFresh }) : [];
  const changes: Change[] = [];
  for (const job of rows.sort((a, b) => a.id - b.id)) {
    const { id, repo, task_id, work_item_id, agent, attempts } = job;
    const lease = leases.get(id);
    if (!lease) continue;
    leases.delete(id);
    const { actor, worker, taken } = lease;
    taken.push(yield* claimedJob(job, lease));
    changes.push([
      "job.claimed",
      { repo, task_id, work_item_id, job_id: id },
      { actor, detail: { agent, attempt: attempts + 1, worker } },
    ]);
  }
  yield* recordAll(changes);
  return [...leases.values(), ...wishes.slice(next)];
}

/** The jobs up to the first one whose lane another task of them is about to acquire: that task's lease decides whether it
 *  can still start. */
const upToNextTask = (jobs: readonly Candidate[]): readonly Candidate[] => {
  const tasks = new Map<string, number>();
  const end = jobs.findIndex((job) => {
    if (job.task_id === null) return false;
    const lane = laneOf(job);
    if (!tasks.has(lane)) tasks.set(lane, job.task_id);
    return tasks.get(lane) !== job.task_id;
  });
  return end < 0 ? jobs : jobs.slice(0, end);
};

/** Serves claims that take jobs of the same agents and repositories, for callers that may know the same repositories: up to `max` jobs each, by job id, oldest first,
 *  passing over lanes that others hold.
 *  @returns what each gets */
export function* claim(context: BatchContext, attempts: readonly ClaimAttempt[]): Tx<ClaimedJob[][]> {
  const at = yield* now();
  context.rules.leaseClock.observe(at);
  const from = toStored(at);
  const each = attempts.map(({ actor, request }): Wish => {
    const ms = request.lease_ms ?? context.rules.defaults.leaseMs;
    const due = at + ms;
    return {
      actor,
      worker: request.worker ?? null,
      expires: toStored(due),
      due,
      ms,
      taken: [],
      load: { jobs: 0, bytes: 0 },
    };
  });
  let wishes: Wish[] = each.flatMap((wish, index) =>
    Array.from({ length: attempts[index]?.request.max ?? 0 }, () => wish),
  );
  const { agents, repos } = attempts[0]?.request ?? {};
  const reach = attempts[0]?.reach ?? null;
  // Of a lane that another held nothing is taken later on either: an older job of it may be free by then, and has been
  // passed over.
  const passed = new Set<string>();
  let limit = roundUp(wishes.length);
  for (let after: number | undefined = 0; after !== undefined && wishes.length > 0;) {
    const found: Candidate[] = yield* findCandidates(context, { agents, repos, reach, after, limit });
    for (let left = found, isFresh = true; wishes.length > 0; isFresh = false) {
      left = left.filter((job) => !passed.has(laneOf(job)));
      if (left.length === 0) break;
      const jobs = context.rules.policy.strictLanes
        ? upToNextTask(left.slice(0, wishes.length))
        : left.slice(0, wishes.length);
      left = left.slice(jobs.length);
      wishes = yield* assign(context, { jobs, wishes, from, passed, isFresh });
    }
    after = found.length < limit ? undefined : found.at(-1)?.id;
    limit = roundUp(Math.max(LOOK_FURTHER, wishes.length));
  }
  return each.map(({ taken }) => taken);
}
