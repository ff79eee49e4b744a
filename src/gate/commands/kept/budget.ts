/** The budget of a caller for its kept answers: the oldest are forgotten first, and none that a caller may still ask for. */

import { all, now, one, run, type Tx } from "../../../store/port.ts";
import { list, sql } from "../../../store/sql.ts";
import { toStored } from "../../../store/timestamps.ts";

/** A caller that repeats a call whose reply was lost gets its answer for at least this long, in milliseconds. */
export const KEPT_AT_LEAST_MS = 2 * 60 * 1_000;

/** Rows that are forgotten in one transaction. */
const AT_ONCE = 1_000;

interface Kept {
  /** Bytes that the caller's answers take. */
  readonly bytes: number;
  /** True when more can be forgotten in another transaction. */
  readonly isMore: boolean;
}

/** Forgets a caller's oldest answers, at most `AT_ONCE` of them, as far as they are more than `most` bytes in all. */
export function* trimAnswers(actor: string, most: number): Tx<Kept> {
  const { bytes } = yield* one<{ bytes: number }>(
    sql`SELECT CAST(COALESCE(SUM(bytes), 0) AS BIGINT) AS bytes FROM gate_idempotency WHERE actor = ${actor}`,
  );
  if (bytes <= most) return { bytes, isMore: false };
  const cutoff = toStored((yield* now()) - KEPT_AT_LEAST_MS);
  const oldest = yield* all<{ idempotency_key: string; bytes: number }>(sql`SELECT idempotency_key, bytes
    FROM gate_idempotency WHERE actor = ${actor} AND at < ${cutoff} ORDER BY at, idempotency_key LIMIT ${AT_ONCE}`);
  let left = bytes;
  const forgotten: string[] = [];
  for (const row of oldest) {
    if (left <= most) break;
    left -= row.bytes;
    forgotten.push(row.idempotency_key);
  }
  if (forgotten.length > 0)
    yield* run(
      sql`DELETE FROM gate_idempotency WHERE actor = ${actor} AND idempotency_key IN ${list(forgotten)}`,
    );
  return { bytes: left, isMore: left > most && oldest.length === AT_ONCE };
}
