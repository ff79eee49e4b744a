/** The functions that our triggers call on PostgreSQL, and the triggers that no other database needs. They are installed
 *  with the catalogue's triggers and replace those of the same name in the numbered migrations. */

import type { Routine } from "../port.ts";
import { raw } from "../sql.ts";
import { READY_INDEX, SUSPENDED } from "../triggers/sets.ts";
import { makeFunction, makeTriggerOn } from "./triggers.ts";

/** Locks a lane until the transaction ends, and makes its row if there is none. NULL is no lane. */
const LOCK_LANE = `BEGIN
  PERFORM 1 FROM gate_lanes WHERE repo = lane FOR UPDATE;
  IF NOT FOUND THEN
    INSERT INTO gate_lanes(repo, revision) VALUES (lane, 0) ON CONFLICT (repo) DO NOTHING;
    PERFORM 1 FROM gate_lanes WHERE repo = lane FOR UPDATE;
  END IF;
END`;

/** Milliseconds since 1970 of a stored time, NULL for any other text: the reader of src/store/timestamps.ts. It never
 *  fails. */
const MILLISECONDS = `DECLARE
  part TEXT[] := regexp_match(stored,
    '^([0-9]{4})-([0-9]{2})-([0-9]{2})[ T]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:[.]([0-9]{1,9}))?(?:Z|([+-])([0-9]{2})(?::?([0-9]{2}))?)?$');
  offset_minutes BIGINT;
  ms BIGINT;
BEGIN
  IF part IS NULL OR part[4] > '23' OR part[5] > '59' OR part[6] > '59' OR part[9] > '23' OR part[10] > '59' THEN
    RETURN NULL;
  END IF;
  offset_minutes := COALESCE(part[9], '0')::BIGINT * 60 + COALESCE(part[10], '0')::BIGINT;
  IF part[8] = '-' THEN
    offset_minutes := -offset_minutes;
  END IF;
  ms := (make_date(part[1]::INTEGER, part[2]::INTEGER, part[3]::INTEGER) - DATE '1970-01-01')::BIGINT * 86400000
    + part[4]::BIGINT * 3600000 + (part[5]::BIGINT - offset_minutes) * 60000 + part[6]::BIGINT * 1000
    + left(COALESCE(part[7], '') || '000', 3)::BIGINT;
  RETURN CASE WHEN ms BETWEEN -62135596800000 AND 253402300799999 THEN ms END;
EXCEPTION WHEN OTHERS THEN
  RETURN NULL; -- A day that no calendar has.
END`;

/** Draws a task's id again if anyone has drawn a later one since: the column's default was drawn before any trigger ran,
 *  and so before the lane was locked. An id that the writer chose, or had drawn before its statement, stays (ADR 14). */
const DRAW_AGAIN = `DECLARE
  ids regclass := pg_get_serial_sequence(of_table::text, 'id');
BEGIN
  IF id < pg_sequence_last_value(ids) THEN
    BEGIN
      IF id = currval(ids) AND id::text <> current_setting('serial_gate.drawn', true) THEN
        RETURN nextval(ids);
      END IF;
    EXCEPTION WHEN object_not_in_prerequisite_state THEN
      NULL; -- This session has drawn none.
    END;
  END IF;
  RETURN id;
END`;

/** Notes the id that the session had drawn last when a statement began. */
const NOTE_DRAWN = `DECLARE
  drawn BIGINT;
BEGIN
  BEGIN
    drawn := currval(pg_get_serial_sequence(TG_RELID::regclass::text, 'id'));
  EXCEPTION WHEN object_not_in_prerequisite_state THEN
    NULL; -- None yet.
  END;
  PERFORM set_config('serial_gate.drawn', COALESCE(drawn::text, ''), true);
  RETURN NULL;
END`;

/** Switches the ready index's triggers off when the row SUSPENDED appears, and on when it goes. A service without rights on
 *  the schema can do that much and no more. */
const SWITCH_READY_INDEX = `DECLARE
  each RECORD;
BEGIN
  IF COALESCE(NEW.name, OLD.name) = '${SUSPENDED}' THEN
    FOR each IN SELECT t.tgrelid::regclass AS on_table, t.tgname AS name FROM pg_trigger t
      JOIN pg_proc p ON p.oid = t.tgfoid JOIN pg_class c ON c.oid = TG_RELID
      WHERE starts_with(t.tgname::text, '${READY_INDEX.prefix}')
        AND p.pronamespace = c.relnamespace AND p.proowner = c.relowner
    LOOP
      EXECUTE format('ALTER TABLE %s %s TRIGGER %I', each.on_table,
        CASE TG_OP WHEN 'INSERT' THEN 'DISABLE' ELSE 'ENABLE' END, each.name);
    END LOOP;
  END IF;
  RETURN NULL;
END`;

export const routinesIn = (schema: string): Routine[] => {
  const call = (
    name: string,
    parameters: string,
    returns: string,
    body: string,
    attributes = "",
  ): Routine => ({
    name: `${name}()`,
    drop: raw(`DROP FUNCTION IF EXISTS ${schema}.${name}(${parameters}) CASCADE`),
    statements: makeFunction(schema, { name, parameters, returns, attributes, definer: false, body }),
  });
  const trigger = (name: string, on: string, rest: string, body: string): Routine => ({
    name,
    drop: raw(`DROP FUNCTION IF EXISTS ${schema}.${name}() CASCADE`),
    statements: [
      ...makeFunction(schema, { name, returns: "trigger", definer: true, body }),
      makeTriggerOn(schema, name, on, rest),
    ],
  });
  return [
    call("gate_lock_lane", "lane TEXT", "void", LOCK_LANE, " STRICT"),
    call("gate_milliseconds", "stored TEXT", "BIGINT", MILLISECONDS, " IMMUTABLE STRICT"),
    call("gate_draw_again", "id BIGINT, of_table REGCLASS", "BIGINT", DRAW_AGAIN),
    trigger("gate_tasks_note_drawn", `BEFORE INSERT ON ${schema}.tasks`, "STATEMENT", NOTE_DRAWN),
    trigger(
      "gate_switch_ready_index",
      `AFTER INSERT OR DELETE ON ${schema}.gate_settings`,
      "ROW",
      SWITCH_READY_INDEX,
    ),
  ];
};
