/** The freeze: a durable stop of a repository, until an operator clears it. */

import { all, first, lockLane, now, type Tx } from "../store/port.ts";
import { sql, when } from "../store/sql.ts";
import { GateError } from "./errors.ts";
import { record } from "./events.ts";
import type { FreezeNote, FreezeState, UnfreezeQuery, Unfrozen } from "./model.ts";
import type { Actor, Rules } from "./policy.ts";
import { toIso, toStored } from "./time.ts";

/** Stops a repository. Each call is a freeze of its own: a second bad deploy is a second thing to clear.
 *  @throws GateError layer_disabled */
export function* freeze({ policy }: Rules, actor: Actor, repo: string, note: FreezeNote): Tx<FreezeState> {
  if (!policy.freeze)
    throw new GateError("layer_disabled", "The freeze is switched off.", {
      hint: "Start the service with SERIAL_GATE_FREEZE_ENABLED=true.",
    });
  yield* lockLane(repo);
  const at = toStored(yield* now());
  const { reason = null, work_item_id = null } = note;
  const inserted = yield* first<{
    id: number;
  }>(sql`INSERT INTO repo_freeze(repo, frozen_at, reason, work_item_id)
    VALUES (${repo}, ${at}, ${reason}, ${work_item_id}) RETURNING id`);
  const freeze_id = inserted?.id ?? NaN;
  yield* record("repo.frozen", { repo, work_item_id }, { actor, reason, detail: { freeze_id } });
  return { repo, frozen: true, frozen_at: toIso(at), frozen_reason: reason, freeze_id };
}

/** Clears the freezes of a repository, or one of them, also while the freeze is switched off. */
export function* unfreeze(actor: Actor, { repo, id }: UnfreezeQuery): Tx<Unfrozen> {
  yield* lockLane(repo);
  const at = toStored(yield* now());
  const cleared = yield* all<{
    id: number;
    work_item_id: string | null;
  }>(sql`UPDATE repo_freeze SET cleared_at = ${at}
    WHERE repo = ${repo} AND cleared_at IS NULL${when(id !== undefined, sql` AND id = ${id ?? null}`)}
    RETURNING id, work_item_id`);
  for (const { id: freeze_id, work_item_id } of cleared)
    yield* record("repo.unfrozen", { repo, work_item_id }, { actor, detail: { freeze_id } });
  const remaining = yield* first(
    sql`SELECT id FROM repo_freeze WHERE repo = ${repo} AND cleared_at IS NULL LIMIT 1`,
  );
  return { repo, frozen: remaining !== undefined, cleared: cleared.length };
}
