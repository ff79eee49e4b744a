/** A call under a key happens once: its answer is written beside its effect, in one transaction, and who sends the key
 *  again gets that answer. The key's row comes first, so that a second call waits for the first to end.
 *  What is refused, or comes to nothing, leaves no row: the same key may try again.
 *  What HTTP makes of a key is the edge's business. */

import { all, first, now, run, type Tx } from "../../store/port.ts";
import { rowsOf, sql } from "../../store/sql.ts";
import { RolledBack } from "../rule/effect.ts";
import { GateError } from "../../contract/errors.ts";
import type { Actor } from "../rule/policy.ts";
import { toStored } from "../../store/timestamps.ts";

/** How long an answer is kept at least, in milliseconds. */
export const KEPT_MS = 24 * 60 * 60 * 1_000;

/** A caller that may send the same call again. */
export interface Call {
  readonly actor: Actor;
  /** Its own among the calls of this actor. */
  readonly key: string;
  /** What is asked for: the same text for the same call, another for any other. */
  readonly fingerprint: string;
  /** Told when the answer is one that was given before. */
  readonly replayed: () => void;
}

/** Who calls, by name alone or with a key. */
export type Caller = Actor | Call;

export const actorOf = (caller: Caller): Actor => (isCall(caller) ? caller.actor : caller);

export const isCall = (caller: Caller): caller is Call => typeof caller === "object" && caller !== null;

interface Row {
  readonly fingerprint: string;
  readonly answer: string | null;
  readonly replays: number;
}

/** Runs an operation for a caller, or answers what it answered under the caller's key.
 *  @param isKept whether an answer is worth keeping; it must be one that JSON can hold
 *  @throws GateError idempotency_key_reused when the key was another call's
 *  @throws Undone with an answer that is not to be kept */
export function* idempotent<T>(
  caller: Caller,
  operation: (actor: Actor) => Tx<T>,
  isKept: (value: T) => boolean = () => true,
): Tx<T> {
  if (!isCall(caller)) return yield* operation(caller);
  const { key, fingerprint, replayed } = caller;
  const actor = caller.actor ?? "";
  const row = yield* first<Row>(sql`INSERT INTO gate_idempotency(idempotency_key, actor, fingerprint, at)
    VALUES (${key}, ${actor}, ${fingerprint}, ${toStored(yield* now())})
    ON CONFLICT (idempotency_key, actor) DO UPDATE SET replays = gate_idempotency.replays + 1
    RETURNING fingerprint, answer, replays`);
  if (row && row.replays > 0) {
    if (row.fingerprint !== fingerprint)
      throw new GateError(
        "idempotency_key_reused",
        "The Idempotency-Key was sent with another request before.",
        {
          hint: "Send a key of its own with every request, and the same key only with the same request.",
          faults: [{ in: "header", pointer: "/idempotency-key", detail: "belongs to another request" }],
        },
      );
    replayed();
    return JSON.parse(row.answer ?? "null") as T;
  }
  const value = yield* operation(caller.actor);
  if (!isKept(value)) throw new RolledBack(value);
  yield* run(sql`UPDATE gate_idempotency SET answer = ${JSON.stringify(value)}
    WHERE idempotency_key = ${key} AND actor = ${actor}`);
  return value;
}

/** Another call used one of the keys meanwhile: nothing happened, and each is to be made alone. */
class KeyCollision extends Error {
  override readonly name = "Interfered";
}

/** Runs an operation for calls that are served together, each of which happens once. Here a key's row comes last: what
 *  is refused or comes to nothing needs none.
 *  @param operation is handed the calls whose key is new, and gives what comes of each
 *  @param answerOf what `once` would answer; undefined for what is not to be kept
 *  @returns what came of each; undefined where the key was seen before, so that the call is one for `once`
 *  @throws Interfered when nothing happened, and each is to be made alone */
export function* idempotentBatch<Attempt extends { readonly caller: Caller }, T>(
  attempts: readonly Attempt[],
  operation: (fresh: readonly Attempt[]) => Tx<readonly T[]>,
  answerOf: (value: T) => unknown,
): Tx<(T | undefined)[]> {
  const seen = yield* seenAmong(attempts);
  const fresh = attempts.filter((_, index) => !seen.has(index));
  const values = fresh.length > 0 ? yield* operation(fresh) : [];
  yield* keep(
    fresh.flatMap(({ caller }, index) => {
      const value = values[index];
      const answer = value === undefined ? undefined : answerOf(value);
      return isCall(caller) && answer !== undefined ? [{ caller, answer }] : [];
    }),
  );
  const rest = values.values();
  return attempts.map((_, index) => (seen.has(index) ? undefined : rest.next().value));
}

const nameOf = ({ actor, key }: Call): { key: string; actor: string } => ({ key, actor: actor ?? "" });

/** The places of those whose key has a row. */
function* seenAmong(attempts: readonly { readonly caller: Caller }[]): Tx<Set<number>> {
  const asked = attempts.flatMap(({ caller }, index): [number, unknown][] =>
    isCall(caller) ? [[index, nameOf(caller)]] : [],
  );
  if (asked.length === 0) return new Set();
  const rows = yield* all<{ place: number }>(sql`SELECT CAST(asked.key AS BIGINT) AS place
    FROM ${rowsOf(asked)} AS asked JOIN gate_idempotency g
      ON g.idempotency_key = asked.value ->> 'key' AND g.actor = asked.value ->> 'actor'`);
  return new Set(rows.map(({ place }) => place));
}

/** Writes answers under their keys.
 *  @throws Interfered */
function* keep(answers: readonly { readonly caller: Call; readonly answer: unknown }[]): Tx<void> {
  if (answers.length === 0) return;
  const rows = answers.map(({ caller, answer }) => ({
    ...nameOf(caller),
    fingerprint: caller.fingerprint,
    answer: JSON.stringify(answer),
  }));
  const kept = yield* all(sql`INSERT INTO gate_idempotency(idempotency_key, actor, fingerprint, at, answer)
    SELECT value ->> 'key', value ->> 'actor', value ->> 'fingerprint', ${toStored(yield* now())}, value ->> 'answer'
    FROM ${rowsOf(rows.entries())} AS answered WHERE 1 = 1 ORDER BY 1, 2
    ON CONFLICT (idempotency_key, actor) DO NOTHING RETURNING idempotency_key`);
  if (kept.length < rows.length) throw new KeyCollision();
}

/** Whether there is an answer under the key. */
export function* hasStoredAnswer({ key, actor }: Call): Tx<boolean> {
  const row = yield* first(sql`SELECT replays FROM gate_idempotency
    WHERE idempotency_key = ${key} AND actor = ${actor ?? ""}`);
  return row !== undefined;
}

/** Forgets an answer that no one will come for; false when someone came for it already, so that it must stand. */
export function* forgetAnswer(caller: Caller): Tx<boolean> {
  if (!isCall(caller)) return true;
  const forgotten = yield* first(sql`DELETE FROM gate_idempotency
    WHERE idempotency_key = ${caller.key} AND actor = ${caller.actor ?? ""} AND replays = 0
    RETURNING idempotency_key`);
  return forgotten !== undefined;
}

/** Forgets answers that are older than they are kept, at most `limit`; returns how many. */
export function* pruneAnswers(limit: number): Tx<number> {
  const cutoff = toStored((yield* now()) - KEPT_MS);
  const old = sql`SELECT idempotency_key, actor FROM gate_idempotency WHERE at < ${cutoff} ORDER BY at LIMIT ${limit}`;
  const forgotten = yield* first<{ many: number }>(sql`SELECT COUNT(*) AS many FROM (${old}) AS old`);
  if (!forgotten || forgotten.many === 0) return 0;
  yield* run(sql`DELETE FROM gate_idempotency WHERE (idempotency_key, actor) IN (${old})`);
  return forgotten.many;
}
