/** Conditions of triggers about the columns of a row before and after its change. */

import { OWN_WRITE } from "../../contract/vocabulary.ts";
import { raw, sql, type Statement } from "../sql.ts";

export type Row = "NEW" | "OLD";

/** True when one of the columns changes, NULL included. IS DISTINCT FROM, spelled for the SQLite of any age. */
export const changes = (...columns: readonly string[]): Statement =>
  raw(
    columns
      .map((column) => `NEW.${column} <> OLD.${column} OR (NEW.${column} IS NULL) <> (OLD.${column} IS NULL)`)
      .join(" OR "),
  );

/** The lane of a row. A job without a repository is in the lane without a name. */
export const laneOf = (row: Row): Statement => raw(`COALESCE(${row}.repo, '')`);

/** True when the row moves to another lane. */
export const changesLane = sql`${laneOf("NEW")} <> ${laneOf("OLD")}`;

/** True unless a command changes many rows together. It then does once what the trigger would do for each row
 *  (gate/commands/record.ts). */
export const IS_ALONE = raw(`NEW.gate_writes <> OLD.gate_writes + ${OWN_WRITE.together}`);
