/** The claim: hands out the oldest jobs that may start, to all who wait for them at once. */

import { all, now, tryLanes, type Tx } from "../../store/port.ts";
import { list, raw, rowsOf, sql, when, inlineInteger, type Statement } from "../../store/sql.ts";
import { recordAll, WRITTEN, type Change } from "./record.ts";
import { laneOf } from "./job.ts";
import type { Reach } from "../../contract/names/repo-pattern.ts";
import { decode } from "../../store/json.ts";
import type { ClaimedJob, ClaimRequest } from "../../contract/jobs.ts";
import { PAGE_BYTES } from "../page-bytes.ts";
import type { BatchContext } from "./context.ts";
import type { Actor } from "../rule/policy.ts";
import { inReach } from "../rule/reach.ts";
import type { Visibility } from "../rule/visibility.ts";
import { heldReason } from "../rule/predicate.ts";
import { tellAnswer } from "./pause.ts";
import { isOvertaken, overtakenBy } from "./overtakes.ts";
import { toIso, toStored } from "../../store/timestamps.ts";

interface Candidate {
  readonly id: number;
  readonly task_id: number | null;
  readonly repo: string | null;
  /** Of its payload. */
  readonly bytes: number;
}

/** A worker takes jobs of a few agents; for more than this, one walk past the jobs of all is no worse. */
const FEW_AGENTS = 10;

/** A look for jobs: of these agents and repositories, behind that id. */
interface Search extends Pick<ClaimRequest, "agents" | "repos"> {
  readonly reach: Reach;
  readonly after: number;
  readonly limit: number;
}

/** The oldest claimable jobs that a search finds. They are looked at again once their lane is locked. */
const candidates = (
  { rules, lookup: { visible, useReadyIndex } }: BatchContext,
  { agents, repos, reach, after, limit }: Search,
): Statement => {
  const oldest = (ofAgents: Statement): Statement =>
    sql`SELECT j.id, j.task_id, j.repo, COALESCE(OCTET_LENGTH(j.task_content), 0) AS bytes FROM jobs j
    WHERE ${raw(useReadyIndex ? "j.ready = 1" : "j.status = 'queued'")}${ofAgents}${when(
      repos !== undefined,
      sql` AND j.repo IN ${list(repos ?? [])}`,
    )}${inReach(reach, "j")}${when(after > 0, sql` AND j.id > ${after}`)} AND (${heldReason(rules.policy, visible)}) IS NULL
    ORDER BY j.id LIMIT ${inlineInteger(limit)}`;

  if (agents === undefined) return oldest(raw(""));
  const each = [...new Set(agents)];
  if (each.length === 1 || each.length > FEW_AGENTS) return oldest(sql` AND j.agent IN ${list(each)}`);
  // Agent by agent, in the order of the index that has them so: not past the jobs of all the others.
  const arms = each.map(
    (agent, arm) => sql`SELECT * FROM (${oldest(sql` AND j.agent = ${agent}`)}) AS arm_${inlineInteger(arm)}`,
  );
  return sql`${arms.reduce((all, arm) => sql`${all} UNION ALL ${arm}`)} ORDER BY id LIMIT ${inlineInteger(limit)}`;
};

/** How many jobs are looked at in one go once the first were passed over: as many others may claim at once. */
const LOOK_FURTHER = 20;

/** The next power of two: the limit is part of a statement's text, and texts must stay few. */
const roundUp = (count: number): number => 2 ** Math.ceil(Math.log2(count));

interface LeasedRow {
  id: number;
  task_id: number | null;
  repo: string | null;
  agent: string;
  task_content: string | null;
  attempts: number;
  max_attempts: number;
  work_item_id: string | null;
  stage: string | null;
  overtaken: number;
  answered_at: string | null;
}

/** One claim of those that are served together. */
export interface ClaimAttempt {
  readonly actor: Actor;
  /** The repositories that the caller may know. */
  readonly reach?: Reach;
  readonly request: ClaimRequest;
}

/** A job that one of the claims may take yet. */
interface Wish {
  readonly actor: Actor;
  readonly worker: string | null;
  readonly expires: string;
  /** The same in milliseconds since 1970. */
  readonly due: number;
  /** The length of the lease, in milliseconds. */
  readonly ms: number;
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

type Assignment = Wish & { readonly lane: string; readonly token: string };

/** The claimed job's task, whether another overtook it, and when it was answered, as far as they can be read. */
const itsTask = ({ stages, lanes }: Visibility): Statement =>
  sql`${raw(
    stages
      ? `(SELECT t.work_item_id FROM tasks t WHERE t.id = jobs.task_id) AS work_item_id,
      (SELECT t.stage FROM tasks t WHERE t.id = jobs.task_id) AS stage,
      (SELECT t.answered_at FROM tasks t WHERE t.id = jobs.task_id) AS answered_at`
      : "NULL AS work_item_id, NULL AS stage, NULL AS answered_at",
  )}, ${stages && lanes ? sql`CASE WHEN ${isOvertaken(raw("jobs.task_id"))} THEN 1 ELSE 0 END` : raw("0")} AS overtaken`;

/** Gives each job to its lease, if it may start at this very moment: another program may have moved it since to a lane
 *  that is not held. The leases go as one value, so that the text is the same however many they are. The status is
 *  inside of the CASE: beside the ids, SQLite would rather walk all jobs that are queued. */
const leaseJobs = (
  { rules, lookup: { visible } }: BatchContext,
  from: string,
  leases: ReadonlyMap<number, Assignment>,
): Statement => {
  const byJob = rowsOf(
    [...leases].map(([id, { lane, token, worker, actor, expires, due, ms }]) => [
      id,
      { lane, token, worker, actor, expires, due, ms },
    ]),
  );
  return sql`UPDATE jobs SET status = 'running', ready = 0, ${WRITTEN}, attempts = attempts + 1,
      lease_token = lease.value ->> 'token', lease_worker = lease.value ->> 'worker',
      lease_actor = lease.value ->> 'actor', lease_expires_at = lease.value ->> 'expires',
      lease_ms = CAST(lease.value ->> 'ms' AS INTEGER),
      due_ms = CAST(lease.value ->> 'due' AS BIGINT), started_at = ${from}, finished_at = NULL
    FROM ${byJob} AS lease
    WHERE jobs.id = CAST(lease.key AS BIGINT) AND COALESCE(repo, '') = lease.value ->> 'lane'
      AND CASE status WHEN 'queued' THEN (${heldReason(rules.policy, visible, "jobs")}) ELSE status END IS NULL
    RETURNING jobs.id, task_id, repo, agent, task_content, attempts, max_attempts, ${itsTask(visible)}`;
};

function* claimedJob(job: LeasedRow, { token, expires }: Assignment): Tx<ClaimedJob> {
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
    attempt: job.attempts,
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
}

/** Gives jobs to wishes, in order, but for jobs whose lane another holds or that may not start any more.
 *  @returns the wishes that got none */
function* assign(context: BatchContext, { jobs, wishes, from, passed }: Round): Tx<Wish[]> {
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
  const rows = leases.size > 0 ? yield* all<LeasedRow>(leaseJobs(context, from, leases)) : [];
  const changes: Change[] = [];
  for (const job of rows.sort((a, b) => a.id - b.id)) {
    const { id, repo, task_id, work_item_id, agent, attempts: attempt } = job;
    const lease = leases.get(id);
    if (!lease) continue;
    leases.delete(id);
    const { actor, worker, taken } = lease;
    taken.push(yield* claimedJob(job, lease));
    changes.push([
      "job.claimed",
      { repo, task_id, work_item_id, job_id: id },
      { actor, detail: { agent, attempt, worker } },
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
    const found: Candidate[] = yield* all<Candidate>(
      candidates(context, { agents, repos, reach, after, limit }),
    );
    for (let left = found; wishes.length > 0;) {
      left = left.filter((job) => !passed.has(laneOf(job)));
      if (left.length === 0) break;
      const jobs = context.rules.policy.strictLanes
        ? upToNextTask(left.slice(0, wishes.length))
        : left.slice(0, wishes.length);
      left = left.slice(jobs.length);
      wishes = yield* assign(context, { jobs, wishes, from, passed });
    }
    after = found.length < limit ? undefined : found.at(-1)?.id;
    limit = roundUp(Math.max(LOOK_FURTHER, wishes.length));
  }
  return each.map(({ taken }) => taken);
}
