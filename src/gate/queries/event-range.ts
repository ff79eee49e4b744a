/** The range of the event log: a reader whose place is not in it has missed events and must be told. Its place is ahead
 *  after a restore or a reset of the database, and behind once retention has deleted its next event. */

import { GateError } from "../../contract/errors.ts";
import { first, run, type Tx } from "../../store/port.ts";
import { EVENTS_FORGOTTEN } from "../../store/settings.ts";
import { sql } from "../../store/sql.ts";

/** Remembers that the events up to an id are deleted. Another node may have deleted more meanwhile. */
export function* recordForgotten(id: number): Tx<void> {
  yield* run(sql`INSERT INTO gate_settings(name, value) VALUES (${EVENTS_FORGOTTEN}, ${String(id)})
    ON CONFLICT (name) DO UPDATE SET value = excluded.value
      WHERE CAST(gate_settings.value AS BIGINT) < CAST(excluded.value AS BIGINT)`);
}

export interface EventLog {
  /** The id up to which the log is complete. */
  readonly completeUpTo: number;
  /** The highest id that the log ever drew. */
  readonly lastId: number;
}

function* cursorUnknown(message: string, newest: number): Tx<GateError> {
  const row = yield* first<{ id: number }>(sql`SELECT id FROM gate_events ORDER BY id LIMIT 1`);
  const oldest = row?.id ?? null;
  const rest = oldest === null ? "" : `, or read what is kept from event ${oldest} on`;
  return new GateError("cursor_unknown", message, {
    hint: `Continue after ${newest}${rest}.`,
    more: { oldest, newest },
  });
}

/** Refuses a place whose next events may be missing. The beginning, 0, is no place that can be lost.
 *  @throws GateError cursor_unknown */
export function* refuseUnknown(after: number, { completeUpTo, lastId }: EventLog): Tx<void> {
  if (after === 0) return;
  if (after > lastId)
    throw yield* cursorUnknown(
      `The event log ends at ${completeUpTo} and has no event ${after}: the database was restored or replaced.`,
      completeUpTo,
    );
  const row = yield* first<{ value: string }>(
    sql`SELECT value FROM gate_settings WHERE name = ${EVENTS_FORGOTTEN}`,
  );
  const forgotten = Number(row?.value ?? 0);
  if (after < forgotten)
    throw yield* cursorUnknown(
      `Events after ${after} are missing: those up to ${forgotten} are no longer kept.`,
      completeUpTo,
    );
}
