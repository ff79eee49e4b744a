/** What a change means for those who wait: the entry jobs that it lets start, and those that it holds.
 *  It is found by making the change and looking before and after, so that a trial of a change is the change itself,
 *  taken back. */

import { all, type Tx } from "../../store/port.ts";
import { list, raw, sql, type Statement } from "../../store/sql.ts";
import type { Lookup } from "./visibility.ts";
import type { ChangedVerdict, Effect } from "../../contract/effect.ts";
import type { Policy } from "./policy.ts";
import { heldReason } from "./predicate.ts";

/** Where there are marks, they say where to look, and a CASE keeps the rest from it: beside a status or an agent SQLite
 *  would walk all jobs that have it. */
const queuedEntry = ({ entryAgent }: Policy, { useReadyIndex }: Lookup): Statement =>
  useReadyIndex
    ? sql`CASE j.status WHEN 'queued' THEN j.agent END = ${entryAgent}`
    : sql`j.status = 'queued' AND j.agent = ${entryAgent}`;

/** The queued entry jobs among some, each with its reason. */
const verdicts = (policy: Policy, search: Lookup, which: Statement): Statement => {
  const { visible } = search;
  return sql`SELECT j.id AS job_id, j.task_id, j.repo, ${
    visible.stages ? raw("(SELECT t.work_item_id FROM tasks t WHERE t.id = j.task_id)") : raw("NULL")
  } AS work_item_id, (${heldReason(policy, visible)}) AS reason
    FROM jobs j WHERE ${queuedEntry(policy, search)} AND ${which}`;
};

/** The entry jobs of some repositories that may start. Without marks that is looked up for each that is queued. */
function* claimable(policy: Policy, search: Lookup, repos: readonly string[]): Tx<ChangedVerdict[]> {
  const proposed = sql`${raw(search.useReadyIndex ? "j.ready = 1 AND " : "")}j.repo IN ${list(repos)}`;
  return yield* all<ChangedVerdict>(
    sql`SELECT * FROM (${verdicts(policy, search, proposed)}) AS v WHERE v.reason IS NULL ORDER BY v.job_id`,
  );
}

const beside = (jobs: readonly ChangedVerdict[], others: readonly ChangedVerdict[]): ChangedVerdict[] => {
  const known = new Set(others.map(({ job_id }) => job_id));
  return jobs.filter(({ job_id }) => !known.has(job_id));
};

/** Makes a change and says what it means for the entry jobs of the repositories.
 *  @param repos all whose entry jobs the change may concern */
export function* withEffect<T>(
  policy: Policy,
  search: Lookup,
  repos: readonly string[],
  change: Tx<T>,
): Tx<T & { effect: Effect }> {
  const before = yield* claimable(policy, search, repos);
  const value = yield* change;
  const after = yield* claimable(policy, search, repos);
  const lost = beside(before, after).map(({ job_id }) => job_id);
  const now_held =
    lost.length === 0
      ? []
      : yield* all<ChangedVerdict>(
          sql`${verdicts(policy, search, sql`j.id IN ${list(lost)}`)} ORDER BY j.id`,
        );
  return { ...value, effect: { now_claimable: beside(after, before), now_held } };
}

/** Thrown to undo a transaction whose answer was all that was wanted. */
export class RolledBack extends Error {
  override readonly name = "Undone";
  readonly value: unknown;

  constructor(value: unknown) {
    super("Nothing of it is kept.");
    this.value = value;
  }
}

/** The change, taken back once it is made.
 *  @throws Undone with its answer */
export function* rollBack(change: Tx<unknown>): Tx<never> {
  throw new RolledBack(yield* change);
}
