/** The claim: hands out the oldest jobs that may start. */

import { all, first, now, tryLane, type Tx } from "../store/port.ts";
import { list, raw, sql, when, whole, type Statement } from "../store/sql.ts";
import { record } from "./events.ts";
import { decode } from "./job.ts";
import type { ClaimedJob, ClaimRequest } from "./model.ts";
import type { Actor, Rules } from "./policy.ts";
import { heldReason, type Sight } from "./predicate.ts";
import { overtakenBy } from "./task.ts";
import { toIso, toStored } from "./time.ts";

/** How a claim looks for jobs: what of the decision it can see, and whether it may go by the marks. */
export interface Search {
  readonly sight: Sight;
  readonly marked: boolean;
}

interface Candidate {
  readonly id: number;
  readonly repo: string | null;
}

/** A worker takes jobs of a few agents; for more than this, one walk past the jobs of all is no worse. */
const FEW_AGENTS = 10;

/** The oldest claimable jobs behind a job that the caller takes. They are looked at again once their lane is
 *  held. */
const candidates = (
  rules: Rules,
  { sight, marked }: Search,
  { agents, repos }: ClaimRequest,
  after: number,
  limit: number,
): Statement => {
  const oldest = (ofAgents: Statement): Statement =>
    sql`SELECT j.id, j.repo FROM jobs j
    WHERE ${raw(marked ? "j.ready = 1" : "j.status = 'queued'")}${ofAgents}${when(
      repos !== undefined,
      sql` AND j.repo IN ${list(repos ?? [])}`,
    )}${when(after > 0, sql` AND j.id > ${after}`)} AND (${heldReason(rules.policy, sight)}) IS NULL
    ORDER BY j.id LIMIT ${whole(limit)}`;

  if (agents === undefined) return oldest(raw(""));
  const each = [...new Set(agents)];
  if (each.length === 1 || each.length > FEW_AGENTS) return oldest(sql` AND j.agent IN ${list(each)}`);
  // Agent by agent, in the order of the index that has them so: not past the jobs of all the others.
  const arms = each.map(
    (agent, arm) => sql`SELECT * FROM (${oldest(sql` AND j.agent = ${agent}`)}) AS arm_${whole(arm)}`,
  );
  return sql`${arms.reduce((all, arm) => sql`${all} UNION ALL ${arm}`)} ORDER BY id LIMIT ${whole(limit)}`;
};

/** How many jobs are looked at in one go once the first were passed over: as many others may claim at once. */
const LOOK_FURTHER = 20;

interface TakenRow {
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
}

interface Lease {
  readonly token: string;
  readonly worker: string | null;
  readonly from: string;
  readonly expires: string;
}

/** What the claimed job's task is, and how many finished while it was parked. */
const ITS_TASK = raw(`(SELECT t.work_item_id FROM tasks t WHERE t.id = jobs.task_id) AS work_item_id,
      (SELECT t.stage FROM tasks t WHERE t.id = jobs.task_id) AS stage,
      (SELECT COUNT(*) FROM gate_overtakes o WHERE o.task_id = jobs.task_id) AS overtaken`);
const UNSEEN_TASK = raw("NULL AS work_item_id, NULL AS stage, 0 AS overtaken");

/** Gives the job to a lease, if it may start at this very moment. */
const take = (rules: Rules, sight: Sight, id: number, lease: Lease): Statement =>
  sql`UPDATE jobs SET status = 'running', ready = 0, attempts = attempts + 1, lease_token = ${lease.token},
      lease_worker = ${lease.worker}, lease_expires_at = ${lease.expires}, started_at = ${lease.from},
      finished_at = NULL
    WHERE id = ${id} AND status = 'queued' AND (${heldReason(rules.policy, sight, "jobs")}) IS NULL
    RETURNING id, task_id, repo, agent, task_content, attempts, max_attempts, ${sight.stages ? ITS_TASK : UNSEEN_TASK}`;

/** Claims one job, unless another holds its lane or it may not start any more. */
function* claimOne(
  rules: Rules,
  actor: Actor,
  { id, repo }: Candidate,
  sight: Sight,
  lease: Lease,
): Tx<ClaimedJob | undefined> {
  if (!(yield* tryLane(repo ?? ""))) return undefined;
  const job = yield* first<TakenRow>(take(rules, sight, id, lease));
  if (!job) return undefined;
  const overtakers = job.task_id !== null && job.overtaken > 0 ? yield* overtakenBy(job.task_id, id) : [];
  yield* record(
    "job.claimed",
    { repo: job.repo, task_id: job.task_id, work_item_id: job.work_item_id, job_id: id },
    { actor, detail: { agent: job.agent, attempt: job.attempts, worker: lease.worker } },
  );
  return {
    id,
    task_id: job.task_id,
    repo: job.repo,
    work_item_id: job.work_item_id,
    agent: job.agent,
    stage: job.stage,
    payload: decode(job.task_content),
    attempt: job.attempts,
    max_attempts: job.max_attempts,
    lease: { token: lease.token, expires_at: toIso(lease.expires) },
    base: { stale: overtakers.length > 0, overtaken_by: overtakers },
  };
}

/** Claims up to `max` jobs, by job id, oldest first, passing over lanes that others hold. */
export function* claim(rules: Rules, actor: Actor, request: ClaimRequest, search: Search): Tx<ClaimedJob[]> {
  const at = yield* now();
  const term = {
    worker: request.worker ?? null,
    from: toStored(at),
    expires: toStored(at + (request.lease_ms ?? rules.defaults.leaseMs)),
  };
  const claimed: ClaimedJob[] = [];
  let limit = request.max;
  for (let after: number | undefined = 0; after !== undefined && claimed.length < request.max;) {
    const found: Candidate[] = yield* all<Candidate>(candidates(rules, search, request, after, limit));
    for (const candidate of found) {
      if (claimed.length === request.max) break;
      const lease = { ...term, token: rules.newToken() };
      const job = yield* claimOne(rules, actor, candidate, search.sight, lease);
      if (job) claimed.push(job);
    }
    after = found.length < limit ? undefined : found.at(-1)?.id;
    limit = LOOK_FURTHER;
  }
  return claimed;
}
