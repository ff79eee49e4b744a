/** The dry run of a pause or a resume of a long lane: its answer, from the rows that it lists and the jobs that it names. The caller
 *  takes the changes back. It changes no more tasks than an answer lists, so that it is short, however long the lane is. */

import { LISTED } from "../../../contract/effect.ts";
import type { LanePauseState } from "../../../contract/operations.ts";
import { all, lockLane, now, one, type Tx } from "../../../store/port.ts";
import { idsIn, inlineInteger, raw, sql } from "../../../store/sql.ts";
import { toStored } from "../../../store/timestamps.ts";
import { isHeld, verdictsAmong } from "../../rule/effect.ts";
import type { KnownLane } from "../../rule/lane.ts";
import { hasLane } from "../../rule/scope.ts";
import type { Context } from "../context.ts";
import type { TaskRef } from "../lookup/work-item.ts";
import { pauseOptions, pauseTasks, TASK_REF } from "../pause.ts";
import { laneState, toPause, toResume, type LaneChange } from "./at-once.ts";
import { refuseBusyLane } from "./busy.ts";
import { beginChange, idsOf, longAnswer, readyPlaces, STARTED, written, type Place } from "./steps.ts";

/** A lane in which all tasks are paused. */
const WITHOUT_HEAD: KnownLane = { head: null };

/** Says what a change of a long lane would do.
 *  @throws RolledBack with a BusyLane while another change of it goes on
 *  @throws GateError layer_disabled, invalid_request */
export function* tryChange(context: Context, change: LaneChange): Tx<LanePauseState> {
  const { rules, lookup } = context;
  const { policy } = rules;
  const { repo, verb } = change;
  const at = yield* now();
  yield* lockLane(repo);
  yield* refuseBusyLane(repo);
  const which = sql`repo = ${repo} AND ${verb === "pause" ? toPause : toResume}`;
  const { changed } = yield* one<{ changed: number }>(
    sql`SELECT COUNT(*) AS changed FROM tasks WHERE ${which}`,
  );
  const tasks = yield* all<TaskRef>(
    sql`SELECT ${TASK_REF} FROM tasks WHERE ${which} ORDER BY id LIMIT ${inlineInteger(LISTED)}`,
  );
  const ready = yield* readyPlaces(context, repo);
  const held = yield* firstHeld(context, repo);
  if (change.verb === "pause") yield* pauseAround(context, change, [...ready, ...held]);
  // At its first commit the lane has its head, and all of its tasks count as resumed.
  else yield* beginChange(context, change, { size: LISTED, call: null });
  const lane = verb === "pause" ? { lane: WITHOUT_HEAD } : {};
  const verdicts = (jobs: readonly Place[]) =>
    verdictsAmong(policy, lookup, { repo, jobs: idsOf(jobs), ...lane });
  // In strict lanes every job of a paused task is held, also behind those that were looked at.
  const holdsAll = verb === "pause" && policy.strictLanes && hasLane(policy, repo);
  const effect = {
    now_claimable: (yield* verdicts(held)).filter((job) => !isHeld(job)),
    now_held: (yield* verdicts(ready)).filter(isHeld),
  };
  return longAnswer(policy, {
    ...laneState(repo, tasks, verb === "pause" ? toStored(at) : null),
    changed,
    effect,
    isCut: ready.length === LISTED || (held.length === LISTED && !holdsAll),
  });
}

/** The first queued jobs of a lane that are not ready, in the order of its tasks. */
const firstHeld = ({ lookup: { useReadyIndex } }: Context, repo: string): Tx<Place[]> =>
  all(sql`SELECT id AS job_id, task_id FROM jobs
    WHERE repo = ${repo} AND status = 'queued'${raw(useReadyIndex ? " AND ready = 0" : "")} AND task_id > 0
    ORDER BY task_id, id LIMIT ${inlineInteger(LISTED)}`);

/** Pauses the tasks of some jobs, and those that may hold the lane against jobs that finished tasks left. */
function* pauseAround(
  context: Context,
  { repo, note }: Extract<LaneChange, { readonly verb: "pause" }>,
  jobs: readonly Place[],
): Tx<void> {
  const how = pauseOptions(context, note, { at: yield* now(), together: true });
  const started = yield* all<{
    id: number;
  }>(sql`SELECT id FROM tasks WHERE repo = ${repo} AND ${toPause} AND ${STARTED}
      LIMIT ${inlineInteger(LISTED)}`);
  const ids = new Set([...started.map(({ id }) => id), ...jobs.map(({ task_id }) => task_id)]);
  yield* pauseTasks(sql`id IN ${idsIn([...ids])} AND ${toPause}`, how, written(context));
}
