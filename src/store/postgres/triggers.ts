/** Spells triggers for PostgreSQL: each is a function and a trigger of the same name. The function runs with the rights and
 *  the search path of the program's own role: another program may lack both, and its write must never fail. */

import type { Dialect, EventInsert, JsonMember, TriggerAction } from "../port.ts";
import { raw, sql, writtenOut, type Statement } from "../sql.ts";

const BODY = "$gate$";

/** Locks a lane and makes its row if there is none; migrations/postgres/005_lanes.sql. */
const lockLane = (lane: string): string => `PERFORM gate_lock_lane(${lane})`;

/** migrations/postgres/003_jobs.sql. */
export const milliseconds = (text: Statement): Statement => sql`gate_milliseconds(${text})`;

const indent = (text: string): string => text.replaceAll("\n", "\n  ");

const jsonMember = (member: JsonMember): string => {
  if (member === true) return "true";
  return writtenOut("text" in member ? member.text : member.number);
};

const insertEvent = ({ columns, detail }: EventInsert): string =>
  `INSERT INTO gate_events(at, ${Object.keys(columns).join(", ")}, detail)
  VALUES (to_char(clock_timestamp() AT TIME ZONE 'utc', 'YYYY-MM-DD HH24:MI:SS.MS'), ${Object.values(columns)
    .map(writtenOut)
    .join(", ")},
    jsonb_build_object(${Object.entries(detail)
      .map(([name, member]) => `'${name}', ${jsonMember(member)}`)
      .join(", ")})::text)`;

const statementsOf = (action: TriggerAction): string[] => {
  if (!("kind" in action)) return [writtenOut(action)];
  switch (action.kind) {
    case "lane update": {
      const update = writtenOut(action.update);
      // The row is there but for a lane's first change: looking first would cost every other one.
      const makeAndUpdate = [lockLane(writtenOut(action.lane)), update].map((each) => `\n  ${indent(each)};`);
      return [update, indent(`IF NOT FOUND THEN${makeAndUpdate.join("")}\nEND IF`)];
    }
    case "lane lock": {
      const lanes = action.lanes.map(writtenOut).join(", ");
      return [lockLane(`LEAST(${lanes})`), lockLane(`GREATEST(${lanes})`)];
    }
    case "event":
      return [insertEvent(action)];
    case "times":
      return [writtenOut(action.update(milliseconds))];
  }
};

/** migrations/postgres/005_lanes.sql. */
const DRAW_ID = `NEW.id := gate_draw_again(NEW.id, TG_RELID);
  RETURN NEW;`;

export const makeTrigger: Dialect["makeTrigger"] = ({ name, table, after, when, body, drawsId }) => [
  raw(`CREATE FUNCTION ${name}() RETURNS trigger LANGUAGE plpgsql
  SECURITY DEFINER SET search_path FROM CURRENT AS ${BODY}
BEGIN
${body
  .flatMap(statementsOf)
  .map((statement) => `  ${statement};`)
  .join("\n")}
  ${drawsId ? DRAW_ID : "RETURN NULL;"}
END ${BODY}`),
  raw(`CREATE TRIGGER ${name} ${drawsId ? "BEFORE" : "AFTER"} ${after} ON ${table} FOR EACH ROW${when ? `\nWHEN (${writtenOut(when)})` : ""}
EXECUTE FUNCTION ${name}()`),
];
