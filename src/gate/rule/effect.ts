/** The effect of a change: the queued jobs that it makes ready, and the ready ones that it holds. It is found by making
 *  the change and looking before and after, so that the dry run of a change is the change itself, rolled back. */

import { LISTED, type ChangedVerdict, type Effect } from "../../contract/effect.ts";
import { all, type Tx } from "../../store/port.ts";
import { idsIn, inlineInteger, list, raw, sql, when, type Statement } from "../../store/sql.ts";
import { readLane, type KnownLane } from "./lane.ts";
import type { Policy } from "./policy.ts";
import { heldReason } from "./predicate.ts";
import { isEntryJob } from "./scope.ts";
import type { Lookup } from "./visibility.ts";

/** The jobs whose verdict can change: entry jobs, and in strict lanes every job. Where the ready index says where to look,
 *  a CASE keeps the status from the planner: beside it SQLite would walk all jobs that have it. */
const canChange = (policy: Policy, { useReadyIndex }: Lookup): Statement => {
  const { strictLanes, entryAgent } = policy;
  if (!useReadyIndex)
    return sql`j.status = 'queued'${when(!strictLanes, sql` AND ${isEntryJob(policy, "j")}`)}`;
  return strictLanes
    ? raw("CASE j.status WHEN 'queued' THEN 1 END = 1")
    : sql`CASE j.status WHEN 'queued' THEN j.agent END = ${entryAgent}`;
};

/** The jobs among some whose verdict can change, each with its reason. */
const verdicts = (policy: Policy, lookup: Lookup, which: Statement, lane?: KnownLane): Statement => {
  const { visible } = lookup;
  return sql`SELECT j.id AS job_id, j.task_id, j.repo, ${
    visible.stages ? raw("(SELECT t.work_item_id FROM tasks t WHERE t.id = j.task_id)") : raw("NULL")
  } AS work_item_id, (${heldReason(policy, visible, "j", lane)}) AS reason
    FROM jobs j WHERE ${canChange(policy, lookup)} AND ${which}`;
};

/** Reads the ready jobs of some repositories. Without the ready index every queued job is evaluated. */
function* readReady(
  policy: Policy,
  lookup: Lookup,
  repos: readonly string[],
  lane?: KnownLane,
): Tx<ChangedVerdict[]> {
  const proposed = sql`${raw(lookup.useReadyIndex ? "j.ready = 1 AND " : "")}j.repo IN ${list(repos)}`;
  return yield* all<ChangedVerdict>(
    sql`SELECT * FROM (${verdicts(policy, lookup, proposed, lane)}) AS v WHERE v.reason IS NULL ORDER BY v.job_id`,
  );
}

/** Reads the first ready jobs of a lane's tasks, in the order of the tasks. With the ready index no more are looked at. */
export function* firstReady(
  policy: Policy,
  lookup: Lookup,
  repo: string,
  limit: number,
): Tx<ChangedVerdict[]> {
  const proposed = sql`${raw(lookup.useReadyIndex ? "j.ready = 1 AND " : "")}j.repo = ${repo} AND j.task_id > 0`;
  const lane = yield* onlyLane(policy, lookup, [repo]);
  return yield* all<ChangedVerdict>(sql`SELECT * FROM (${verdicts(policy, lookup, proposed, lane)}) AS v
    WHERE v.reason IS NULL ORDER BY v.task_id, v.job_id LIMIT ${inlineInteger(limit)}`);
}

/** Reads the verdict on each of some jobs of a lane, by id.
 *  @param lane where its head is known already */
export function* verdictsAmong(
  policy: Policy,
  lookup: Lookup,
  {
    repo,
    jobs,
    lane,
  }: { readonly repo: string; readonly jobs: readonly number[]; readonly lane?: KnownLane },
): Tx<ChangedVerdict[]> {
  if (jobs.length === 0) return [];
  const known = lane ?? (yield* onlyLane(policy, lookup, [repo]));
  return yield* all<ChangedVerdict>(
    sql`${verdicts(policy, lookup, sql`j.id IN ${idsIn(jobs)}`, known)} ORDER BY j.id`,
  );
}

/** The order of the jobs in an effect. */
export const byJob = (a: ChangedVerdict, b: ChangedVerdict): number => a.job_id - b.job_id;

export const isHeld = ({ reason }: ChangedVerdict): boolean => reason !== null;

/** Reads which of some jobs a claim may hand out, whatever their agent. */
export function* readyAmong(policy: Policy, { visible }: Lookup, jobs: readonly number[]): Tx<Set<number>> {
  if (jobs.length === 0) return new Set();
  const ready = yield* all<{ id: number }>(sql`SELECT j.id FROM jobs j
    WHERE j.id IN ${idsIn(jobs)} AND j.status = 'queued' AND (${heldReason(policy, visible)}) IS NULL`);
  return new Set(ready.map(({ id }) => id));
}

/** Reads the one lane that a change concerns; undefined for several, and while lanes cannot be read. */
function* onlyLane(policy: Policy, { visible }: Lookup, repos: readonly string[]): Tx<KnownLane | undefined> {
  const [repo, ...others] = repos;
  if (repo === undefined || others.length > 0 || !visible.lanes || !visible.stages) return undefined;
  return yield* readLane(policy, repo);
}

const without = (jobs: readonly ChangedVerdict[], others: readonly ChangedVerdict[]): ChangedVerdict[] => {
  const known = new Set(others.map(({ job_id }) => job_id));
  return jobs.filter(({ job_id }) => !known.has(job_id));
};

/** The effect as an answer has it. */
const listed = (effect: Effect): Effect => {
  const { now_claimable, now_held } = effect;
  if (now_claimable.length <= LISTED && now_held.length <= LISTED) return effect;
  return { now_claimable: now_claimable.slice(0, LISTED), now_held: now_held.slice(0, LISTED), cut: true };
};

/** Makes a change and adds its effect on the jobs of the repositories.
 *  @param repos every repository whose jobs the change may concern */
export function* withEffect<T>(
  policy: Policy,
  lookup: Lookup,
  repos: readonly string[],
  change: Tx<T>,
): Tx<T & { effect: Effect }> {
  const before = yield* readReady(policy, lookup, repos, yield* onlyLane(policy, lookup, repos));
  const value = yield* change;
  const lane = yield* onlyLane(policy, lookup, repos);
  const after = yield* readReady(policy, lookup, repos, lane);
  const lost = without(before, after).map(({ job_id }) => job_id);
  const now_held =
    lost.length === 0
      ? []
      : yield* all<ChangedVerdict>(
          sql`${verdicts(policy, lookup, sql`j.id IN ${idsIn(lost)}`, lane)} ORDER BY j.id`,
        );
  return { ...value, effect: listed({ now_claimable: without(after, before), now_held }) };
}
