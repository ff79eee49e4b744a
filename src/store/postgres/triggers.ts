/** Spells triggers for PostgreSQL: each is a function and a trigger of the same name. The function runs with the rights of
 *  its owner, because another program may lack them, and its write must never fail. So nobody else may call it, and it names
 *  everything by schema. */

import type { Dialect, EventInsert, JsonMember, Trigger, TriggerAction } from "../port.ts";
import { raw, sql, writtenOut, type Statement } from "../sql.ts";
import { PINNED, qualifierFor } from "./qualify.ts";

const BODY = "$gate$";

/** Locks a lane and makes its row if there is none: see routines.ts. */
const lockLane = (lane: string): string => `PERFORM gate_lock_lane(${lane})`;

/** See routines.ts. */
export const milliseconds = (text: Statement): Statement => sql`gate_milliseconds(${text})`;

/** The sequence from which PostgreSQL draws the ids of a table of ours. */
const idsOf = (table: string): string => `${table}_id_seq`;

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

const statementsOf = (schema: string, action: TriggerAction): string[] => {
  if (!("kind" in action)) return [writtenOut(action)];
  switch (action.kind) {
    case "if any":
      return [
        `IF EXISTS (SELECT 1 FROM ${writtenOut(action.row)}) THEN\n    ${indent(writtenOut(action.change))};\n  END IF`,
      ];
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
    case "draw":
      return [`PERFORM nextval('${`${schema}.${idsOf(action.from)}`.replaceAll("'", "''")}')`];
    case "times":
      return [writtenOut(action.update(milliseconds))];
  }
};

/** See routines.ts. */
const DRAW_ID = `NEW.id := gate_draw_again(NEW.id, TG_RELID);
  RETURN NEW;`;

interface Function {
  readonly name: string;
  readonly parameters?: string;
  readonly returns: string;
  /** Such as STRICT. */
  readonly attributes?: string;
  /** True when the function has its owner's rights. */
  readonly definer: boolean;
  readonly body: string;
}

/** The statements that make a function that only its owner may call, from a body of portable SQL. */
export const makeFunction = (
  schema: string,
  { name, parameters = "", returns, attributes = "", definer, body }: Function,
): Statement[] => [
  raw(`CREATE FUNCTION ${schema}.${name}(${parameters}) RETURNS ${returns} LANGUAGE plpgsql${attributes}
  ${definer ? "SECURITY DEFINER " : ""}SET search_path = ${PINNED} AS ${BODY}
${qualifierFor(schema).statement(body)} ${BODY}`),
  raw(`REVOKE ALL ON FUNCTION ${schema}.${name}(${parameters}) FROM PUBLIC`),
];

/** @param on its time and its table, such as `AFTER INSERT ON jobs` */
export const makeTriggerOn = (schema: string, name: string, on: string, rest: string): Statement =>
  raw(`CREATE TRIGGER ${name} ${on} FOR EACH ${rest}
EXECUTE FUNCTION ${schema}.${name}()`);

export const triggerMaker =
  (schema: string): Dialect["makeTrigger"] =>
  ({ name, table, after, when, body, drawsId }: Trigger) => [
    ...makeFunction(schema, {
      name,
      returns: "trigger",
      definer: true,
      body: `BEGIN
${body
  .flatMap((action) => statementsOf(schema, action))
  .map((statement) => `  ${statement};`)
  .join("\n")}
  ${drawsId ? DRAW_ID : "RETURN NULL;"}
END`,
    }),
    makeTriggerOn(
      schema,
      name,
      `${drawsId ? "BEFORE" : "AFTER"} ${after} ON ${schema}.${table}`,
      `ROW${when ? `\nWHEN (${writtenOut(when)})` : ""}`,
    ),
  ];
