/** What happened, read from the record: a page at a time, by id, so that who goes on behind the last event that he saw
 *  misses none and sees none twice. How the record is written: events.ts. */

import { all, type Tx } from "../../store/port.ts";
import { raw, sql, when, inlineInteger, type Statement } from "../../store/sql.ts";
import { GateError, type InputFault } from "../../contract/errors.ts";
import { decode } from "../../store/json.ts";
import type { EventPage, EventQuery, HistoryEvent } from "../../contract/events.ts";
import { toIso } from "../../store/timestamps.ts";

/** The table of the record. */
export const EVENTS = "gate_events";

interface EventRow extends Omit<HistoryEvent, "detail"> {
  readonly detail: string | null;
}

/** A trigger does not always know whose work item a job was. */
const NAMED = raw(`COALESCE(e.work_item_id, (SELECT t.work_item_id FROM tasks t WHERE t.id = e.task_id))`);

const ofWorkItem = (workItem: string): Statement =>
  sql`(e.work_item_id = ${workItem} OR e.work_item_id IS NULL AND e.task_id IN
    (SELECT t.id FROM tasks t WHERE t.work_item_id = ${workItem}))`;

const matching = ({ repo, work_item }: EventQuery): Statement =>
  sql`${when(repo !== undefined, sql` AND e.repo = ${repo ?? null}`)}${when(
    work_item !== undefined,
    sql` AND ${ofWorkItem(work_item ?? "")}`,
  )}`;

/** A page begins at one place.
 *  @throws GateError invalid_request */
const refuseSeveralBeginnings = (query: EventQuery): void => {
  const given = (["after", "before", "last"] as const).filter((name) => query[name] !== undefined);
  const [, ...others] = given;
  if (others.length === 0) return;
  const faults = others.map((name): InputFault => {
    return { in: "query", pointer: `/${name}`, detail: `must be left out beside ${given[0] ?? ""}` };
  });
  throw new GateError(
    "invalid_request",
    `A page of events begins at one place, not at ${given.join(" and ")}.`,
    {
      faults,
    },
  );
};

/** A page of the record.
 *  @param settled up to which id the record is complete
 *  @throws GateError invalid_request */
export function* history(query: EventQuery, settled: number): Tx<EventPage> {
  refuseSeveralBeginnings(query);
  const { after = 0, before, last, limit } = query;
  const backward = before !== undefined || last !== undefined;
  const most = last ?? limit;
  const rows =
    yield* all<EventRow>(sql`SELECT e.id, e.at, e.kind, e.repo, e.task_id, ${NAMED} AS work_item_id, e.job_id,
      e.actor, e.reason, e.detail
    FROM gate_events e WHERE e.id <= ${settled}${
      backward ? when(before !== undefined, sql` AND e.id < ${before ?? null}`) : sql` AND e.id > ${after}`
    }${matching(query)} ORDER BY e.id ${raw(backward ? "DESC" : "ASC")} LIMIT ${inlineInteger(most)}`);
  if (backward) rows.reverse();
  const seen = rows.at(-1)?.id ?? before ?? after;
  // Where all that there is was shown, the next page need not look at it again.
  const exhausted = before === undefined && (backward || rows.length < most);
  return {
    events: rows.map((row) => ({ ...row, at: toIso(row.at), detail: decode(row.detail) })),
    next_cursor: exhausted ? Math.max(seen, settled) : seen,
  };
}
