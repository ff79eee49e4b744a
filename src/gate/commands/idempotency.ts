/** Idempotency: a call under a key happens once. Its answer is written beside its effect, in one transaction, and the
 *  same key again gets that answer. The key's row comes first, so that a second call waits for the first to end.
 *  A call that is refused, or that came to nothing, leaves no row: the same key may try again.
 *  How HTTP carries a key is the edge's business. */

import { all, first, now, one, run, type Tx } from "../../store/port.ts";
import { rowsOf, sql } from "../../store/sql.ts";
import { GateError } from "../../contract/errors.ts";
import { keptAnswer, keptText } from "./kept/answer.ts";
import { ALONE, RolledBack, type Result } from "./outcome.ts";
import { EVERYWHERE, type Reach } from "../../contract/names/repo-pattern.ts";
import type { Identity } from "../rule/reach.ts";
import { toStored } from "../../store/timestamps.ts";

/** An answer is kept for this long, in milliseconds, unless its caller keeps more than its budget: kept/budget.ts. */
export const KEPT_MS = 24 * 60 * 60 * 1_000;

/** A caller that may send the same call again. */
export interface Call extends Partial<Identity> {
  readonly actor: string | null;
  /** Unique among the calls of this actor. */
  readonly key: string;
  /** The same text for the same request, another for any other. */
  readonly fingerprint: string;
  /** Called when the answer is a stored one. */
  readonly replayed: () => void;
  /** Called with the size in bytes of an answer that is being kept. */
  readonly keeping?: (bytes: number) => void;
}

/** The caller of an operation: a name alone, which may know all, a name with its limits, or either with a key. */
export type Caller = string | null | Identity | Call;

const isObject = (caller: Caller): caller is Identity | Call => typeof caller === "object" && caller !== null;

export const actorOf = (caller: Caller): string | null => (isObject(caller) ? caller.actor : caller);

/** The repositories that a caller may know. */
export const reachOf = (caller: Caller): Reach =>
  isObject(caller) ? (caller.reach ?? EVERYWHERE) : EVERYWHERE;

/** The agents whose jobs a caller may claim; null for all. */
export const agentsOf = (caller: Caller): readonly string[] | null =>
  isObject(caller) ? (caller.agents ?? null) : null;

export const isCall = (caller: Caller): caller is Call => isObject(caller) && "key" in caller;

interface Row {
  readonly fingerprint: string;
  readonly answer: string | null;
  readonly replays: number;
}

/** Runs an operation for a caller, or gives the answer that is stored under the caller's key.
 *  @param keepIf false for an answer that is not worth keeping; what is kept must fit into JSON
 *  @throws GateError idempotency_key_reused when the key was another call's
 *  @throws RolledBack with an answer that is not to be kept */
export function* idempotent<T>(
  caller: Caller,
  operation: (actor: string | null) => Tx<T>,
  keepIf: (value: T) => boolean = () => true,
): Tx<T> {
  if (!isCall(caller)) return yield* operation(actorOf(caller));
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
    return (yield* keptAnswer(row.answer)) as T;
  }
  const value = yield* operation(caller.actor);
  if (!keepIf(value)) throw new RolledBack(value);
  const { text, bytes } = weighed(caller, value);
  yield* run(sql`UPDATE gate_idempotency SET answer = ${text}, bytes = ${bytes}
    WHERE idempotency_key = ${key} AND actor = ${actor}`);
  return value;
}

/** The text under which an answer is kept, and its size, which the caller is told. */
const weighed = ({ keeping }: Call, answer: unknown): { text: string; bytes: number } => {
  const text = keptText(answer);
  const bytes = Buffer.byteLength(text);
  keeping?.(bytes);
  return { text, bytes };
};

/** Runs an operation for the requests of a batch, each of which happens once. The rows of the keys come last, so that a
 *  refused request needs none.
 *  @param operation gets the requests whose key is new, and gives a result for each
 *  @param keepIf false for a value that is not worth keeping
 *  @returns a result for each request; `alone` where its key was seen before, or may have been used meanwhile
 *  @throws RolledBack with `alone` for all when another call took one of the keys meanwhile */
export function* idempotentBatch<Request extends { readonly caller: Caller }, T>(
  requests: readonly Request[],
  operation: (fresh: readonly Request[]) => Tx<readonly Result<T>[]>,
  keepIf: (value: T) => boolean = () => true,
): Tx<Result<T>[]> {
  const seen = yield* seenAmong(requests);
  const fresh = requests.filter((_, index) => !seen.has(index));
  const results = fresh.length > 0 ? yield* operation(fresh) : [];
  const answers = results.flatMap((result, index) => {
    const caller = fresh[index]?.caller ?? null;
    return isCall(caller) && "value" in result && keepIf(result.value)
      ? [{ caller, answer: result.value }]
      : [];
  });
  if (!(yield* keepAnswers(answers))) throw new RolledBack(requests.map(() => ALONE));
  const decided = results.values();
  return requests.map(({ caller }, index): Result<T> => {
    const result = seen.has(index) ? ALONE : (decided.next().value ?? ALONE);
    // The same call, sent twice, may have ended elsewhere just now: a refusal under a key is looked at again.
    return "error" in result && isCall(caller) ? ALONE : result;
  });
}

const keyOf = ({ actor, key }: Call): { key: string; actor: string } => ({ key, actor: actor ?? "" });

/** The places of the requests whose key has a row. */
function* seenAmong(attempts: readonly { readonly caller: Caller }[]): Tx<Set<number>> {
  const asked = attempts.flatMap(({ caller }, index): [number, unknown][] =>
    isCall(caller) ? [[index, keyOf(caller)]] : [],
  );
  if (asked.length === 0) return new Set();
  const rows = yield* all<{ place: number }>(sql`SELECT CAST(asked.key AS BIGINT) AS place
    FROM ${rowsOf(asked)} AS asked JOIN gate_idempotency g
      ON g.idempotency_key = asked.value ->> 'key' AND g.actor = asked.value ->> 'actor'`);
  return new Set(rows.map(({ place }) => place));
}

/** Writes answers under their keys; false when one of the keys is taken. */
function* keepAnswers(answers: readonly { readonly caller: Call; readonly answer: unknown }[]): Tx<boolean> {
  if (answers.length === 0) return true;
  const rows = answers.map(({ caller, answer }) => ({
    ...keyOf(caller),
    fingerprint: caller.fingerprint,
    ...weighed(caller, answer),
  }));
  const kept =
    yield* all(sql`INSERT INTO gate_idempotency(idempotency_key, actor, fingerprint, at, answer, bytes)
    SELECT value ->> 'key', value ->> 'actor', value ->> 'fingerprint', ${toStored(yield* now())}, value ->> 'text',
      CAST(value ->> 'bytes' AS INTEGER)
    FROM ${rowsOf(rows.entries())} AS answered WHERE 1 = 1 ORDER BY 1, 2
    ON CONFLICT (idempotency_key, actor) DO NOTHING RETURNING idempotency_key`);
  return kept.length === rows.length;
}

/** A call whose answer is stored by an operation that goes on after it. */
export type StoredCall = Pick<Call, "actor" | "key" | "fingerprint">;

export const storedCallOf = (caller: Caller): StoredCall | null => {
  if (!isCall(caller)) return null;
  const { actor, key, fingerprint } = caller;
  return { actor, key, fingerprint };
};

/** The caller without its key: for a part of an operation that alone is no answer. */
export const withoutKey = (caller: Caller): Caller =>
  isCall(caller) ? { actor: caller.actor, reach: reachOf(caller), agents: agentsOf(caller) } : caller;

/** Writes an answer under its key, unless the key was used meanwhile. */
export function* keepAnswer({ actor, key, fingerprint }: StoredCall, answer: unknown): Tx<void> {
  yield* run(sql`INSERT INTO gate_idempotency(idempotency_key, actor, fingerprint, at, answer)
    VALUES (${key}, ${actor ?? ""}, ${fingerprint}, ${toStored(yield* now())}, ${keptText(answer)})
    ON CONFLICT (idempotency_key, actor) DO NOTHING`);
}

/** Forgets an answer whose caller has gone; false when it was asked for again already, so that it must stand. */
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
  const { many } = yield* one<{ many: number }>(sql`SELECT COUNT(*) AS many FROM (${old}) AS old`);
  if (many > 0) yield* run(sql`DELETE FROM gate_idempotency WHERE (idempotency_key, actor) IN (${old})`);
  return many;
}
