/** The functions that our triggers call on PostgreSQL, and the triggers that no other database needs. They are installed
 *  with the catalogue's triggers and replace those of the same name in the numbered migrations. */

import type { Routine } from "../port.ts";
import { raw } from "../sql.ts";
import { READY_INDEX, SUSPENDED } from "../triggers/sets.ts";
import { makeFunction, makeTriggerOn } from "./triggers.ts";

/** Locks a lane until the transaction ends, and makes its row if there is none. NULL is no lane. */
const LOCK_LANE = `BEGIN
  IF lane IS NULL THEN
    RETURN;
  END IF;
  PERFORM 1 FROM gate_lanes WHERE repo = lane FOR UPDATE;
  IF NOT FOUND THEN
    INSERT INTO gate_lanes(repo, revision) VALUES (lane, 0) ON CONFLICT (repo) DO NOTHING;
    PERFORM 1 FROM gate_lanes WHERE repo = lane FOR UPDATE;
  END IF;
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
  const call = (name: string, parameters: string, returns: string, body: string): Routine => ({
    name: `${name}()`,
    drop: raw(`DROP FUNCTION IF EXISTS ${schema}.${name}(${parameters}) CASCADE`),
    statements: makeFunction(schema, { name, parameters, returns, definer: false, body }),
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
    call("gate_lock_lane", "lane TEXT", "void", LOCK_LANE),
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
