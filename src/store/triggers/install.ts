/** Keeps the triggers of a database equal to those that the program renders. It looks first: a trigger that is there
 *  and current is left alone, and where all are, nothing is written. */

import { createHash } from "node:crypto";
import { all, first, run, type Dialect, type Trigger, type Tx } from "../port.ts";
import { sql, type Statement } from "../sql.ts";

interface Rendered {
  readonly name: string;
  readonly statements: readonly Statement[];
  /** 16 hexadecimal digits of its text's digest. */
  readonly checksum: string;
}

const render = (dialect: Dialect, triggers: readonly Trigger[]): Rendered[] =>
  triggers.map((trigger) => {
    const statements = dialect.makeTrigger(trigger);
    const text = statements.map((statement) => statement.sql).join("\n");
    const checksum = createHash("sha256").update(text).digest("hex").slice(0, 16);
    return { name: trigger.name, statements, checksum };
  });

/** The row of gate_settings: a line `name checksum` for each trigger. */
const recordOf = (rendered: readonly Rendered[]): string =>
  rendered.map(({ name, checksum }) => `${name} ${checksum}`).join("\n");

function* recorded(setting: string): Tx<string> {
  const row = yield* first<{ value: string }>(sql`SELECT value FROM gate_settings WHERE name = ${setting}`);
  return row?.value ?? "";
}

/** Checksums by name. */
const checksumsIn = (record: string): Map<string, string> =>
  new Map(
    record
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => {
        const [name = "", checksum = ""] = line.split(" ");
        return [name, checksum];
      }),
  );

function* triggersThere(dialect: Dialect): Tx<Set<string>> {
  return new Set((yield* all<{ name: string }>(dialect.objects)).map(({ name }) => name));
}

/** True when the database records these triggers, each with the text that the program renders.
 *  @param setting the name of the record in gate_settings; one set of triggers has one */
export function* areTriggersRecorded(
  dialect: Dialect,
  setting: string,
  triggers: readonly Trigger[],
): Tx<boolean> {
  return (yield* recorded(setting)) === recordOf(render(dialect, triggers));
}

/** True when the database has these triggers and records them: then installing them would write nothing. */
export function* areTriggersInstalled(
  dialect: Dialect,
  setting: string,
  triggers: readonly Trigger[],
): Tx<boolean> {
  if (!(yield* areTriggersRecorded(dialect, setting, triggers))) return false;
  const there = yield* triggersThere(dialect);
  return triggers.every(({ name }) => there.has(name));
}

/** Makes the triggers that are missing or have another text, and drops those that the record names and the list does
 *  not.
 *  @returns false when there was nothing to do, and nothing is written */
export function* installTriggers(
  dialect: Dialect,
  setting: string,
  triggers: readonly Trigger[],
): Tx<boolean> {
  const rendered = render(dialect, triggers);
  const record = yield* recorded(setting);
  const there = yield* triggersThere(dialect);
  const checksums = checksumsIn(record);
  const stale = rendered.filter(({ name, checksum }) => checksums.get(name) !== checksum || !there.has(name));
  if (stale.length === 0 && record === recordOf(rendered)) return false;

  const names = new Set(triggers.map(({ name }) => name));
  const unwanted = [...checksums.keys()].filter((name) => !names.has(name));
  for (const name of [...unwanted, ...stale.map((each) => each.name)]) yield* run(dialect.dropTrigger(name));
  for (const statement of stale.flatMap(({ statements }) => statements)) yield* run(statement);
  yield* run(sql`DELETE FROM gate_settings WHERE name = ${setting}`);
  yield* run(sql`INSERT INTO gate_settings(name, value) VALUES (${setting}, ${recordOf(rendered)})`);
  return true;
}

/** Drops the triggers and every other that the record names, and the record. */
export function* dropTriggers(dialect: Dialect, setting: string, triggers: readonly Trigger[]): Tx<void> {
  const names = new Set(triggers.map(({ name }) => name));
  for (const name of checksumsIn(yield* recorded(setting)).keys()) names.add(name);
  for (const name of names) yield* run(dialect.dropTrigger(name));
  yield* run(sql`DELETE FROM gate_settings WHERE name = ${setting}`);
}
