/** Turns jobs to running, each under its lease. Where another writer may have come in between, the rule is evaluated once more;
 *  where a writer is alone, the look that found the jobs stands. */

import { all, run, type Tx } from "../../../store/port.ts";
import { idsIn, rowsOf, sql, type Statement } from "../../../store/sql.ts";
import { heldReason } from "../../rule/predicate.ts";
import type { Actor } from "../../rule/policy.ts";
import type { BatchContext } from "../context.ts";
import { acquireLanes } from "../../rule/ready-index.ts";
import { WRITTEN, WRITTEN_TOGETHER } from "../record.ts";
import { itsTask, MOST_READ, type Candidate, type ClaimableJob } from "./search.ts";

/** A lease to be. */
export interface NewLease {
  readonly lane: string;
  readonly token: string;
  readonly worker: string | null;
  readonly actor: Actor;
  readonly expires: string;
  /** The same in milliseconds since 1970. */
  readonly due: number;
  /** The length of the lease, in milliseconds. */
  readonly ms: number;
}

/** Leases by the job that each is for. */
export interface Handout {
  readonly leases: ReadonlyMap<number, NewLease>;
  /** The start of the leases, as the database's text. */
  readonly from: string;
  /** The jobs as a look found them, those with a lease among them. */
  readonly found: readonly Candidate[];
  /** False once the transaction wrote something since that look. */
  readonly isFresh: boolean;
}

/** The leases go as one value, so that the text is the same however many they are. */
const lease = ({ leases, from }: Handout, written: Statement): { set: Statement; by: Statement } => ({
  set: sql`status = 'running', ready = 0, ${written}, attempts = attempts + 1,
      lease_token = lease.value ->> 'token', lease_worker = lease.value ->> 'worker',
      lease_actor = lease.value ->> 'actor', lease_expires_at = lease.value ->> 'expires',
      lease_ms = CAST(lease.value ->> 'ms' AS INTEGER),
      due_ms = CAST(lease.value ->> 'due' AS BIGINT), started_at = ${from}, finished_at = NULL`,
  by: sql`${rowsOf(
    [...leases].map(([id, { lane, token, worker, actor, expires, due, ms }]) => [
      id,
      { lane, token, worker, actor, expires, due, ms },
    ]),
  )} AS lease WHERE jobs.id = CAST(lease.key AS BIGINT)`,
});

/** Gives each job to its lease, if it may start at this very moment: another program may have moved it since to a lane
 *  that is not held. The status is inside of the CASE: beside the ids, SQLite would rather walk all jobs that are queued. */
const leaseIfReady = (
  { rules, lookup: { visible } }: BatchContext,
  handout: Handout,
  written: Statement,
): Tx<ClaimableJob[]> => {
  const { set, by } = lease(handout, written);
  return all<ClaimableJob>(sql`UPDATE jobs SET ${set} FROM ${by} AND COALESCE(repo, '') = lease.value ->> 'lane'
      AND CASE status WHEN 'queued' THEN (${heldReason(rules.policy, visible, "jobs")}) ELSE status END IS NULL
    RETURNING jobs.id, task_id, repo, agent, task_content, attempts - 1 AS attempts, max_attempts, ${itsTask(visible, "jobs")}`);
};

interface Payload {
  readonly id: number;
  readonly task_content: string | null;
}

/** Reads the payloads that the look left out. */
function* readLargePayloads(jobs: readonly Candidate[]): Tx<Map<number, string | null>> {
  const large = jobs.filter(({ bytes }) => bytes > MOST_READ);
  if (large.length === 0) return new Map();
  const rows = yield* all<Payload>(
    sql`SELECT id, task_content FROM jobs WHERE id IN ${idsIn(large.map(({ id }) => id))}`,
  );
  return new Map(rows.map(({ id, task_content }) => [id, task_content]));
}

/** Gives each job to its lease as it was found. */
function* leaseAsFound(handout: Handout, written: Statement): Tx<ClaimableJob[]> {
  const { leases, found } = handout;
  const { set, by } = lease(handout, written);
  yield* run(sql`UPDATE jobs SET ${set} FROM ${by}`);
  const given = found.filter(({ id }) => leases.has(id));
  const payloads = yield* readLargePayloads(given);
  // The look of a writer that is alone reads every column.
  return given.map((job) => ({ ...(job as ClaimableJob), ...payloadOf(job, payloads) }));
}

const payloadOf = (
  { id }: Candidate,
  payloads: ReadonlyMap<number, string | null>,
): Partial<Pick<ClaimableJob, "task_content">> => {
  const payload = payloads.get(id);
  return payload === undefined ? {} : { task_content: payload };
};

/** Gives jobs to their leases, and the lanes to their tasks: in one statement for all, because a trigger takes PostgreSQL several
 *  times as long for each. For a single job it would be a round trip more. Without the ready index nothing may write to tasks
 *  here: they may be unreadable.
 *  @returns the jobs that could still start, as they were before */
export function* leaseJobs(context: BatchContext, handout: Handout): Tx<ClaimableJob[]> {
  const isTogether = context.lookup.useReadyIndex && handout.leases.size > 1;
  const written = isTogether ? WRITTEN_TOGETHER : WRITTEN;
  const isAsFound = context.isAlone && handout.isFresh;
  const jobs = yield* isAsFound ? leaseAsFound(handout, written) : leaseIfReady(context, handout, written);
  const tasks = new Set(isTogether ? jobs.flatMap(({ task_id }) => task_id ?? []) : []);
  if (tasks.size > 0) yield* acquireLanes([...tasks]);
  return jobs;
}
