/** The text of an answer that is kept under an Idempotency-Key. Large payloads and results in it are the jobs' own: they are
 *  kept by reference, and read again from the job when the answer is repeated. */

import { all, type Tx } from "../../../store/port.ts";
import { idsIn, sql } from "../../../store/sql.ts";
import { decode } from "../../../store/json.ts";

/** Characters of JSON from which on a payload or a result is a reference. */
const LARGE = 4_096;

/** The columns of a job that an answer repeats. */
const COLUMNS = { payload: "task_content", result: "result" } as const;
type Part = keyof typeof COLUMNS;

/** The member that only a text with references has. */
const REFERENCES = "serial_gate_references";

/** A place in the answer, the job there, and its member. */
interface Reference {
  readonly path: readonly (string | number)[];
  readonly job: number;
  readonly part: Part;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null;

const isLarge = (value: unknown): boolean =>
  isObject(value) || typeof value === "string" ? JSON.stringify(value).length >= LARGE : false;

/** The answer without the large parts of its jobs; the callers' own JSON is not searched. */
const withReferences = (value: unknown, path: Reference["path"], references: Reference[]): unknown => {
  if (Array.isArray(value))
    return value.map((part, index) => withReferences(part, [...path, index], references));
  if (!isObject(value)) return value;
  const { id } = value;
  return Object.fromEntries(
    Object.entries(value).map(([name, part]) => {
      if (!(name in COLUMNS)) return [name, withReferences(part, [...path, name], references)];
      if (typeof id !== "number" || !isLarge(part)) return [name, part];
      references.push({ path, job: id, part: name as Part });
      return [name, null];
    }),
  );
};

export const keptText = (answer: unknown): string => {
  const text = JSON.stringify(answer);
  if (text.length < LARGE) return text;
  const references: Reference[] = [];
  const rest = withReferences(answer, [], references);
  return references.length === 0 ? text : JSON.stringify({ [REFERENCES]: references, answer: rest });
};

interface ContentRow {
  readonly id: number;
  readonly task_content: string | null;
  readonly result: string | null;
}

/** Reads an answer from its text. */
export function* keptAnswer(text: string | null): Tx<unknown> {
  const kept: unknown = JSON.parse(text ?? "null");
  if (!isObject(kept) || !(REFERENCES in kept)) return kept;
  const { [REFERENCES]: references, answer } = kept as {
    readonly [REFERENCES]: readonly Reference[];
    readonly answer: unknown;
  };
  const rows = yield* all<ContentRow>(
    sql`SELECT j.id, j.task_content, j.result FROM jobs j WHERE j.id IN ${idsIn(references.map(({ job }) => job))}`,
  );
  const jobs = new Map(rows.map((row) => [row.id, row]));
  for (const { path, job, part } of references) {
    const place = path.reduce<unknown>((at, name) => (isObject(at) ? at[name] : undefined), answer);
    if (isObject(place)) place[part] = decode(jobs.get(job)?.[COLUMNS[part]] ?? null);
  }
  return answer;
}
