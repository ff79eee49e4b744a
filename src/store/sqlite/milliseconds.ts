/** Reads stored times in SQL, as src/store/timestamps.ts does. It runs in the SQLite of whichever program writes, which may
 *  be an old one, and never fails: patterns come first, and a date function sees only `YYYY-MM-DD`. */

import { FIRST_MS, LAST_MS } from "../timestamps.ts";
import { raw, sql, type Statement } from "../sql.ts";

const DATE_AND_TIME = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9][ T][0-2][0-9]:[0-5][0-9]:[0-5][0-9]";

/** Ends of a text that are a zone, by their length; the longest first. */
const ZONES = [
  ["*[+-][0-2][0-9]:[0-5][0-9]", 6],
  ["*[+-][0-2][0-9][0-5][0-9]", 5],
  ["*[+-][0-2][0-9]", 3],
  ["*Z", 1],
] as const;

const number = (text: string): string => `CAST(${text} AS INTEGER)`;

const ZONE_LENGTH = `CASE ${ZONES.map(([pattern, length]) => `WHEN rest GLOB '${pattern}' THEN ${length}`).join(" ")} ELSE 0 END`;

/** julianday() takes the 31st of any month: only a day that comes back as it was is one. */
const IS_TIME = `substr(t, 12, 2) <= '23' AND date(julianday(substr(t, 1, 10))) = substr(t, 1, 10)
      AND (fraction = '' OR fraction GLOB '.[0-9]*' AND substr(fraction, 2) NOT GLOB '*[^0-9]*' AND length(fraction) <= 10)
      AND substr(zone, 2, 2) <= '23'`;

const OFFSET = `(CASE substr(zone, 1, 1) WHEN '-' THEN -1 ELSE 1 END
        * (${number("substr(zone, 2, 2)")} * 60 + ${number("substr(replace(zone, ':', ''), 4, 2)")}))`;

const MILLISECONDS = `${number("julianday(substr(t, 1, 10)) - 2440587.5")} * 86400000
      + ${number("substr(t, 12, 2)")} * 3600000 + (${number("substr(t, 15, 2)")} - ${OFFSET}) * 60000
      + ${number("substr(t, 18, 2)")} * 1000 + ${number("substr(fraction || '000', 2, 3)")}`;

export const milliseconds = (text: Statement): Statement =>
  sql`(SELECT CASE WHEN ms BETWEEN ${raw(String(FIRST_MS))} AND ${raw(String(LAST_MS))} THEN ms END FROM (
    SELECT CASE WHEN ${raw(IS_TIME)} THEN ${raw(MILLISECONDS)} END AS ms FROM (
    SELECT t, substr(rest, 1, length(rest) - size) AS fraction, substr(rest, length(rest) - size + 1) AS zone FROM (
    SELECT t, rest, ${raw(ZONE_LENGTH)} AS size FROM (
    SELECT t, substr(t, 20) AS rest FROM (SELECT ${text} AS t)
    WHERE length(t) <= 35 AND instr(t, char(0)) = 0 AND substr(t, 1, 19) GLOB '${raw(DATE_AND_TIME)}')))))`;
