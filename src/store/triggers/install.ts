/** Keeps the triggers of a database equal to those that the program renders. It looks first: a trigger that is there
 *  and current is left alone, and where all are, nothing is written. */

import { createHash } from "node:crypto";
import { all, first, run, type Dialect, type Trigger, type Tx } from "../port.ts";
import { sql, type Statement } from "../sql.ts";

/** Triggers that are installed and dropped together. The database records their names and checksums. */
export interface TriggerSet {
  /** The name of the record in gate_settings. */
  readonly setting: string;
  /** The names of all its triggers begin with it, and no other name in the database does. Given for a set that changes:
   *  then a trigger that the record lost is found. */
  readonly prefix?: string;
}

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

/** The names of the indexes, triggers and views, and of the functions without their parentheses. */
function* namesThere(dialect: Dialect): Tx<Set<string>> {
  return new Set((yield* all<{ name: string }>(dialect.objects)).map(({ name }) => name.replace("()", "")));
}

/** The triggers of a set that the database has or records. */
function* namesOf(dialect: Dialect, { setting, prefix }: TriggerSet): Tx<Set<string>> {
  const names = new Set(checksumsIn(yield* recorded(setting)).keys());
  if (prefix !== undefined)
    for (const name of yield* namesThere(dialect)) if (name.startsWith(prefix)) names.add(name);
  return names;
}

/** True when the database records these triggers, each with the text that the program renders. */
export function* areTriggersRecorded(
  dialect: Dialect,
  { setting }: TriggerSet,
  triggers: readonly Trigger[],
): Tx<boolean> {
  return (yield* recorded(setting)) === recordOf(render(dialect, triggers));
}

/** True when triggers of the set are recorded, of whatever text. */
export function* isTriggerSetInstalled({ setting }: TriggerSet): Tx<boolean> {
  return (yield* recorded(setting)) !== "";
}

function* findStale(
  dialect: Dialect,
  { setting }: TriggerSet,
  rendered: readonly Rendered[],
): Tx<Rendered[]> {
  const checksums = checksumsIn(yield* recorded(setting));
  const there = new Set((yield* all<{ name: string }>(dialect.objects)).map(({ name }) => name));
  return rendered.filter(({ name, checksum }) => checksums.get(name) !== checksum || !there.has(name));
}

/** True when the database has these triggers and records them: then installing them would write nothing. */
export function* areTriggersInstalled(
  dialect: Dialect,
  set: TriggerSet,
  triggers: readonly Trigger[],
): Tx<boolean> {
  if (!(yield* areTriggersRecorded(dialect, set, triggers))) return false;
  return (yield* findStale(dialect, set, render(dialect, triggers))).length === 0;
}

/** Makes the triggers that are missing or have another text, and drops the others of the set.
 *  @returns false when there was nothing to do, and nothing is written */
export function* installTriggers(
  dialect: Dialect,
  set: TriggerSet,
  triggers: readonly Trigger[],
): Tx<boolean> {
  if (yield* areTriggersInstalled(dialect, set, triggers)) return false;
  const rendered = render(dialect, triggers);
  const stale = yield* findStale(dialect, set, rendered);
  const wanted = new Set(triggers.map(({ name }) => name));
  const unwanted = [...(yield* namesOf(dialect, set))].filter((name) => !wanted.has(name));
  for (const name of [...unwanted, ...stale.map((each) => each.name)]) yield* run(dialect.dropTrigger(name));
  for (const statement of stale.flatMap(({ statements }) => statements)) yield* run(statement);
  yield* run(sql`DELETE FROM gate_settings WHERE name = ${set.setting}`);
  yield* run(sql`INSERT INTO gate_settings(name, value) VALUES (${set.setting}, ${recordOf(rendered)})`);
  return true;
}

/** Drops the triggers of the set, and their record. */
export function* dropTriggers(dialect: Dialect, set: TriggerSet): Tx<void> {
  for (const name of yield* namesOf(dialect, set)) yield* run(dialect.dropTrigger(name));
  yield* run(sql`DELETE FROM gate_settings WHERE name = ${set.setting}`);
}
