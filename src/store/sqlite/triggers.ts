/** Spells triggers for SQLite. They run in the SQLite of whichever program writes, which may be an old one, and must never
 *  make its write fail: plain text and no JSON functions, plain statements and no conflict clauses. (A trigger inherits
 *  the conflict clause of the statement that fires it: an INSERT OR IGNORE would be ignored here too.) */

import type { Dialect, EventInsert, JsonMember, TriggerAction } from "../port.ts";
import { writtenOut, type Statement } from "../sql.ts";
import { milliseconds } from "./milliseconds.ts";

/** Makes the row of a lane, unless it is there. */
const makeLane = (lane: string): string =>
  `INSERT INTO gate_lanes(repo, revision) SELECT ${lane}, 0
  WHERE NOT EXISTS (SELECT 1 FROM gate_lanes l WHERE l.repo = ${lane})`;

const SHORT_ESCAPES: Readonly<Record<number, string>> = {
  9: String.raw`\t`,
  10: String.raw`\n`,
  13: String.raw`\r`,
};

/** All but NUL, which replace() cannot find. */
const CONTROL_CHARACTERS = Array.from({ length: 31 }, (_, index) => index + 1);

/** Characters that JSON wants escaped, in the order in which they are replaced: the backslash first. */
const ESCAPED: readonly (readonly [character: string, escaped: string])[] = [
  [String.raw`'\'`, String.raw`'\\'`],
  [`'"'`, String.raw`'\"'`],
  ...CONTROL_CHARACTERS.map((code): readonly [string, string] => [
    `char(${code})`,
    `'${SHORT_ESCAPES[code] ?? `\\u${code.toString(16).padStart(4, "0")}`}'`,
  ]),
];

/** Calls inside of each other in one expression. SQLite before 3.46 parses with a stack of 100, of which each call takes
 *  three: a deeper expression makes the whole database unreadable to it ("parser stack overflow"). */
const NESTED = 10;

/** Nests the calls a few at a time, each group over the value of the one before. */
const jsonText = (value: string): string => {
  let text = value;
  for (let at = 0; at < ESCAPED.length; at += NESTED) {
    const escaped = ESCAPED.slice(at, at + NESTED).reduce(
      (inner, [character, instead]) => `replace(${inner}, ${character}, ${instead})`,
      "t",
    );
    text = `(SELECT ${escaped} FROM (SELECT ${text} AS t))`;
  }
  return `COALESCE('"' || ${text} || '"', 'null')`;
};

const jsonValue = (member: Exclude<JsonMember, true>): string =>
  "text" in member ? jsonText(writtenOut(member.text)) : `COALESCE(${writtenOut(member.number)}, 'null')`;

const jsonObject = (members: EventInsert["detail"]): string =>
  `'{${Object.entries(members)
    .map(([name, member]) => `"${name}":${member === true ? "true" : `' || ${jsonValue(member)} || '`}`)
    .join(",")}}'`;

const insertEvent = ({ columns, detail }: EventInsert): string =>
  `INSERT INTO gate_events(at, ${Object.keys(columns).join(", ")}, detail)
  VALUES (strftime('%Y-%m-%d %H:%M:%f', 'now'), ${Object.values(columns).map(writtenOut).join(", ")},
    ${jsonObject(detail)})`;

const statementsOf = (action: TriggerAction): string[] => {
  if (!("kind" in action)) return [writtenOut(action)];
  switch (action.kind) {
    case "if any":
      return [writtenOut(action.change)];
    case "lane update":
      return [makeLane(writtenOut(action.lane)), writtenOut(action.update)];
    case "lane lock":
      return []; // A writer is alone in the file.
    case "event":
      return [insertEvent(action)];
    case "draw":
      // The table draws its ids by AUTOINCREMENT.
      return [`UPDATE sqlite_sequence SET seq = seq + 1 WHERE name = '${action.from}'`];
    case "times":
      return [writtenOut(action.update(milliseconds))];
  }
};

/** CREATE TRIGGER keeps its text as it is: it is laid out to be read. */
export const makeTrigger: Dialect["makeTrigger"] = ({ name, table, after, when, body }): Statement[] => [
  {
    sql: `CREATE TRIGGER ${name} AFTER ${after} ON ${table}${when ? `\nWHEN ${writtenOut(when)}` : ""}
BEGIN
${body
  .flatMap(statementsOf)
  .map((statement) => `  ${statement};`)
  .join("\n")}
END`,
    params: [],
  },
];
