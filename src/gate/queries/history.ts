/** Reads the event log a page at a time, by id, so that a reader that continues after its last event
 *  misses none and sees none twice. How the log is written: events.ts. */

import { all, first, type Tx } from "../../store/port.ts";
import { idsIn, list, raw, sql, when, inlineInteger, type Statement } from "../../store/sql.ts";
import { GateError, type InputFault } from "../../contract/errors.ts";
import { decode } from "../../store/json.ts";
import type { EventPage, EventQuery, HistoryEvent } from "../../contract/events.ts";
import { EVENT_KINDS, type EventKind } from "../../contract/vocabulary.ts";
import { toIso } from "../../store/timestamps.ts";
import type { Reach } from "../../contract/names/repo-pattern.ts";
import { inReach } from "../rule/reach.ts";
import { resolveTask, type TaskRef } from "../commands/lookup/work-item.ts";
import { unfinished } from "../rule/lane.ts";
import { bytesOf, fitting, fittingAsJson, PAGE_BYTES, type Found } from "../page-bytes.ts";
import { untold } from "../commands/overtakes.ts";
import { refuseUnknown, type EventLog } from "./event-range.ts";
import { lifeFromRows, recordingBegan } from "./row-history.ts";

/** The table of the event log. */
export const EVENTS = "gate_events";

interface EventRow extends Omit<HistoryEvent, "detail"> {
  readonly detail: string | null;
}

/** A trigger does not always know whose work item a job was. */
const NAMED = raw(`COALESCE(e.work_item_id, (SELECT t.work_item_id FROM tasks t WHERE t.id = e.task_id))`);

const ofWorkItem = (workItem: string): Statement =>
  sql`(e.work_item_id = ${workItem} OR e.work_item_id IS NULL AND e.task_id IN
    (SELECT t.id FROM tasks t WHERE t.work_item_id = ${workItem}))`;

const FREEZE_KINDS = EVENT_KINDS.filter((kind) => kind.startsWith("repo."));
const TASK_KINDS = EVENT_KINDS.filter((kind) => kind.startsWith("task."));
/** Events by which a task lets later tasks of its repository overtake it, or takes its place back. */
const MAKES_WAY: readonly EventKind[] = ["task.paused", "task.resumed", "task.cancelled"];

/** The events by which the tasks that overtook a task began and ended: the first claim of each, and its last stage once it
 *  is finished. */
const overtakersOf = ({ task_id, repo }: TaskRef, from: number): Statement => {
  const among = (kinds: readonly EventKind[]): Statement =>
    sql`gate_events o JOIN tasks t ON t.id = o.task_id
      WHERE o.repo = ${repo} AND o.id >= ${from} AND o.kind IN ${list(kinds)}
        AND o.task_id IN (SELECT f.task_id FROM tasks own, ${untold("own")} AND own.id = ${task_id})`;
  return sql`e.id IN (SELECT MIN(o.id) FROM ${among(["job.claimed"])} GROUP BY o.task_id)
      OR e.id IN (SELECT MAX(o.id) FROM ${among(["task.stage", "task.cancelled"])}
        AND NOT (${unfinished("t")}) GROUP BY o.task_id)`;
};

/** Matches the life of a task: its own events, those of its dependencies, the pauses, resumes and cancellations of
 *  earlier tasks in its repository, the beginning and the end of the tasks that overtook it, and the freezes of all these
 *  repositories, from its creation on; from the first event kept when its creation is not among them. */
function* lifeOf(task: TaskRef): Tx<Statement> {
  const { task_id: id, repo, work_item_id } = task;
  const creation = yield* first<{ id: number }>(sql`SELECT e.id FROM gate_events e
    WHERE e.work_item_id = ${work_item_id} AND e.task_id = ${id} AND e.kind = 'task.created' ORDER BY e.id LIMIT 1`);
  const dependencies = sql`(SELECT d.depends_on_task_id FROM job_deps d WHERE d.task_id = ${id})`;
  return sql` AND e.id >= ${creation?.id ?? 0}
    AND e.repo IN (SELECT t.repo FROM tasks t WHERE t.id = ${id} OR t.id IN ${dependencies})
    AND (e.task_id = ${id}
      OR e.kind IN ${list(FREEZE_KINDS)}
      OR e.kind IN ${list(TASK_KINDS)} AND e.task_id IN ${dependencies}
      OR e.kind IN ${list(MAKES_WAY)} AND e.repo = ${repo} AND e.task_id < ${id}
      OR ${overtakersOf(task, creation?.id ?? 0)})`;
}

function* matching({ repo, work_item }: EventQuery, about: TaskRef | undefined): Tx<Statement> {
  if (about !== undefined) return yield* lifeOf(about);
  return sql`${when(repo !== undefined, sql` AND e.repo = ${repo ?? null}`)}${when(
    work_item !== undefined,
    sql` AND ${ofWorkItem(work_item ?? "")}`,
  )}`;
}

const leftOut = (name: keyof EventQuery, beside: keyof EventQuery): InputFault => ({
  in: "query",
  pointer: `/${name}`,
  detail: `must be left out beside ${beside}`,
});

/** A life is one selection of events, a work item's own events are another.
 *  @throws GateError invalid_request */
const refuseTwoSelections = (query: EventQuery): void => {
  const beside =
    query.about_task === undefined ? (["work_item"] as const) : (["work_item", "about", "repo"] as const);
  const selection = query.about_task === undefined ? "about" : "about_task";
  const other = beside.find((name) => query[name] !== undefined);
  if (query[selection] === undefined || other === undefined) return;
  throw new GateError("invalid_request", `Events are selected by ${selection} or by ${other}, not by both.`, {
    faults: [leftOut(selection, other)],
  });
};

/** A page begins at one place.
 *  @throws GateError invalid_request */
const refuseSeveralBeginnings = (query: EventQuery): void => {
  const given = (["after", "before", "last"] as const).filter((name) => query[name] !== undefined);
  const [beginning, ...others] = given;
  if (beginning === undefined || others.length === 0) return;
  const faults = others.map((name) => leftOut(name, beginning));
  throw new GateError(
    "invalid_request",
    `A page of events begins at one place, not at ${given.join(" and ")}.`,
    {
      faults,
    },
  );
};

/** Reads the beginning of a life, from before the event log.
 *  @returns nothing for a page that does not begin a life */
function* beginning(
  about: TaskRef | undefined,
  { after = 0, before, last }: EventQuery,
): Tx<Partial<EventPage>> {
  if (!about || after > 0 || before !== undefined || last !== undefined) return {};
  const began = yield* recordingBegan();
  if (Number.isNaN(began)) return {};
  return { recording_began: new Date(began).toISOString(), earlier: yield* lifeFromRows(about, began) };
}

/** The task whose life is asked for.
 *  @throws GateError unknown_task, unknown_work_item, ambiguous_work_item */
function* taskAbout({ about, about_task, repo }: EventQuery, reach: Reach): Tx<TaskRef | undefined> {
  if (about_task !== undefined) return yield* resolveTask({ task_id: about_task }, reach);
  return about === undefined ? undefined : yield* resolveTask({ work_item: about, repo }, reach);
}

/** Where a page lies in the log. */
const placeOf = ({ after = 0, before, last }: EventQuery, { completeUpTo }: EventLog) => {
  const backward = before !== undefined || last !== undefined;
  const from = backward
    ? when(before !== undefined, sql` AND e.id < ${before ?? null}`)
    : sql` AND e.id > ${after}`;
  return { backward, range: sql`e.id <= ${completeUpTo}${from}` };
};

const EVENT_BYTES = raw("COALESCE(OCTET_LENGTH(e.reason), 0) + COALESCE(OCTET_LENGTH(e.detail), 0)");

/** A page of the event log, as much of it as the caller may know. It ends before it is larger than `most` bytes.
 *  @throws GateError invalid_request, cursor_unknown; with `about` unknown_work_item, ambiguous_work_item, with `about_task`
 *    unknown_task */
export function* history(query: EventQuery, log: EventLog, reach: Reach, most = PAGE_BYTES): Tx<EventPage> {
  refuseSeveralBeginnings(query);
  refuseTwoSelections(query);
  const { after = 0, before, last, limit } = query;
  yield* refuseUnknown(after, log);
  const { backward, range } = placeOf(query, log);
  const many = last ?? limit;
  const about = yield* taskAbout(query, reach);
  const selected = yield* matching(query, about);
  const found = yield* all<Found>(
    sql`SELECT e.id, ${EVENT_BYTES} AS bytes FROM gate_events e WHERE ${range}${selected}${inReach(reach, "e")}
    ORDER BY e.id ${raw(backward ? "DESC" : "ASC")} LIMIT ${inlineInteger(many)}`,
  );
  const page = fitting(found, most);
  const rows =
    page.length === 0
      ? []
      : yield* all<EventRow>(sql`SELECT e.id, e.at, e.kind, e.repo, e.task_id, ${NAMED} AS work_item_id, e.job_id,
      e.actor, e.by_source, e.reason, e.detail
    FROM gate_events e WHERE e.id IN ${idsIn(page.map(({ id }) => id))} ORDER BY e.id ${raw(backward ? "DESC" : "ASC")}`);
  const read = rows.map((row) => ({ ...row, at: toIso(row.at), detail: decode(row.detail) }));
  const events = [...fittingAsJson(read, bytesOf(page), most)];
  if (backward) events.reverse();
  const isCut = events.length < found.length;
  const seen = events.at(-1)?.id ?? before ?? after;
  // Where all that there is was shown, the next page need not look at it again.
  const exhausted = before === undefined && (backward || (!isCut && found.length < many));
  return {
    ...(yield* beginning(about, query)),
    events,
    next_cursor: exhausted ? Math.max(seen, log.completeUpTo) : seen,
  };
}

/** The place in the log from which a follower sees the `last` newest events, and all later ones. */
export function* placeBefore(query: EventQuery, log: EventLog, reach: Reach): Tx<number> {
  const { range } = placeOf(query, log);
  const selected = yield* matching(query, undefined);
  const newest = sql`SELECT e.id FROM gate_events e WHERE ${range}${selected}${inReach(reach, "e")}
    ORDER BY e.id DESC LIMIT ${inlineInteger(query.last ?? 0)}`;
  const row = yield* first<{ id: number | null }>(sql`SELECT MIN(id) AS id FROM (${newest}) AS newest`);
  return row?.id ? row.id - 1 : log.completeUpTo;
}
