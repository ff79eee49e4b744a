/** Keeps the triggers of a database equal to those that the program renders. It looks first: a trigger that is there
 *  and current is left alone, and where all are, nothing is written. */

import { createHash } from "node:crypto";
import { all, first, run, type Dialect, type Trigger, type Tx } from "../port.ts";
import { requireSchemaRights } from "../schema-rights.ts";
import { sql, type Statement } from "../sql.ts";
import { CATALOGUE_SET, EPOCH, READY_INDEX, SUSPENDED, type TriggerSet } from "./sets.ts";

interface Rendered {
  /** As in `Dialect.objects`. */
  readonly name: string;
  readonly drop: Statement;
  readonly statements: readonly Statement[];
  /** 16 hexadecimal digits of its text's digest. */
  readonly checksum: string;
}

const withChecksum = (made: Omit<Rendered, "checksum">): Rendered => {
  const text = made.statements.map((statement) => statement.sql).join("\n");
  return { ...made, checksum: createHash("sha256").update(text).digest("hex").slice(0, 16) };
};

const render = (dialect: Dialect, set: TriggerSet, triggers: readonly Trigger[]): Rendered[] => [
  // The other sets' triggers call them too.
  ...(set === CATALOGUE_SET ? dialect.routines.map(withChecksum) : []),
  ...triggers.map((trigger) =>
    withChecksum({
      name: trigger.name,
      drop: dialect.dropTrigger(trigger.name),
      statements: dialect.makeTrigger(trigger),
    }),
  ),
];

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

/** True when the ready index's triggers are switched off. */
function* isSuspended(): Tx<boolean> {
  return (yield* first(sql`SELECT name FROM gate_settings WHERE name = ${SUSPENDED}`)) !== undefined;
}

function* isRecorded(set: TriggerSet, record: string): Tx<boolean> {
  if (set === READY_INDEX && (yield* isSuspended())) return false;
  return (yield* recorded(set.setting)) === record;
}

/** Begins another time in which the ready index's triggers are those that they are: what was read in the one before may have
 *  changed while none of them saw it. */
function* nextEpoch(): Tx<void> {
  const row = yield* first<{ value: string }>(sql`SELECT value FROM gate_settings WHERE name = ${EPOCH}`);
  yield* run(
    row
      ? sql`UPDATE gate_settings SET value = CAST(CAST(value AS BIGINT) + 1 AS TEXT) WHERE name = ${EPOCH}`
      : sql`INSERT INTO gate_settings(name, value) VALUES (${EPOCH}, '1')`,
  );
}

/** Makes a reader of the time in which the ready index's triggers are these: the same text while they were in the database
 *  all the time; undefined while others are, or none. It reads three rows. */
export const readyEpochReader = (
  dialect: Dialect,
  triggers: readonly Trigger[],
): (() => Tx<string | undefined>) => {
  const record = recordOf(render(dialect, READY_INDEX, triggers));
  return function* () {
    const rows = yield* all<{ name: string; value: string }>(
      sql`SELECT name, value FROM gate_settings WHERE name IN (${READY_INDEX.setting}, ${SUSPENDED}, ${EPOCH})`,
    );
    const settings = new Map(rows.map(({ name, value }) => [name, value]));
    if (settings.has(SUSPENDED) || settings.get(READY_INDEX.setting) !== record) return undefined;
    return settings.get(EPOCH) ?? "0";
  };
};

/** Renders the triggers, and asks whether the database records them, each with that text. */
export const areTriggersRecorded = (
  dialect: Dialect,
  set: TriggerSet,
  triggers: readonly Trigger[],
): (() => Tx<boolean>) => {
  const record = recordOf(render(dialect, set, triggers));
  return () => isRecorded(set, record);
};

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
  const rendered = render(dialect, set, triggers);
  if (!(yield* isRecorded(set, recordOf(rendered)))) return false;
  return (yield* findStale(dialect, set, rendered)).length === 0;
}

/** Makes the triggers that are missing or have another text, and drops the others of the set.
 *  @returns false when there was nothing to do, and nothing is written
 *  @throws MigrationError when the program's role may not change the schema, and it must be changed */
export function* installTriggers(
  dialect: Dialect,
  set: TriggerSet,
  triggers: readonly Trigger[],
): Tx<boolean> {
  if (yield* areTriggersInstalled(dialect, set, triggers)) return false;
  if (set === READY_INDEX) yield* nextEpoch();
  if (set === READY_INDEX && (yield* isSuspended())) {
    yield* run(sql`DELETE FROM gate_settings WHERE name = ${SUSPENDED}`);
    if (yield* areTriggersInstalled(dialect, set, triggers)) return true;
  }
  yield* requireSchemaRights(dialect, set === READY_INDEX ? "the ready index of this policy" : "triggers");
  const rendered = render(dialect, set, triggers);
  const stale = yield* findStale(dialect, set, rendered);
  const wanted = new Set(rendered.map(({ name }) => name));
  const unwanted = [...(yield* namesOf(dialect, set))].filter((name) => !wanted.has(name));
  for (const name of unwanted) yield* run(dialect.dropTrigger(name));
  for (const { drop } of stale) yield* run(drop);
  for (const statement of stale.flatMap(({ statements }) => statements)) yield* run(statement);
  yield* run(sql`DELETE FROM gate_settings WHERE name = ${set.setting}`);
  yield* run(sql`INSERT INTO gate_settings(name, value) VALUES (${set.setting}, ${recordOf(rendered)})`);
  return true;
}

/** Switches the ready index's triggers off, so that they stand in no write's way: `installTriggers` brings them back. */
export function* suspendReadyIndex(dialect: Dialect): Tx<void> {
  if (dialect.suspends) {
    if (yield* isSuspended()) return;
    yield* nextEpoch();
    yield* run(sql`INSERT INTO gate_settings(name, value) VALUES (${SUSPENDED}, '')`);
    return;
  }
  yield* nextEpoch();
  for (const name of yield* namesOf(dialect, READY_INDEX)) yield* run(dialect.dropTrigger(name));
  yield* run(sql`DELETE FROM gate_settings WHERE name = ${READY_INDEX.setting}`);
}
