/** The freeze: a durable stop of a repository, until an operator clears it. */

import { all, first, lockLane, now, one, type Tx } from "../../store/port.ts";
import { raw, sql, when } from "../../store/sql.ts";
import { withEffect } from "../rule/effect.ts";
import { GateError } from "../../contract/errors.ts";
import type { Context } from "./context.ts";
import { record, recordAll, WRITTEN } from "./record.ts";
import type { Freeze, FreezeNote, FreezeState, UnfreezeQuery, Unfrozen } from "../../contract/operations.ts";
import type { Note } from "../../contract/scalars.ts";
import { whoActs, type Actor } from "../rule/policy.ts";
import { activeFreezes } from "../rule/predicate.ts";
import { toIso, toIsoOrNull, toStored } from "../../store/timestamps.ts";

interface FreezeRow {
  readonly id: number;
  readonly repo: string;
  readonly frozen_at: string | null;
  readonly frozen_by: string | null;
  readonly reason: string | null;
  readonly work_item_id: string | null;
}

const FREEZE_COLUMNS = raw("id, repo, frozen_at, frozen_by, reason, work_item_id");

const shown = ({ id, frozen_at, ...freeze }: FreezeRow): Freeze => ({
  freeze_id: id,
  ...freeze,
  frozen_at: toIsoOrNull(frozen_at),
});

/** The freezes of a repository that no one cleared, oldest first. */
export function* readFreezes(repo: string): Tx<Freeze[]> {
  const rows = yield* all<FreezeRow>(sql`SELECT ${FREEZE_COLUMNS} FROM repo_freeze
    WHERE id IN (SELECT f.id FROM ${activeFreezes(sql`${repo}`)}) ORDER BY id`);
  return rows.map(shown);
}

/** Stops a repository. Each call is a freeze of its own: a second bad deploy is a second thing to clear.
 *  @throws GateError layer_disabled, invalid_request */
export function* freeze(
  { rules: { policy }, lookup, actor }: Context,
  repo: string,
  note: FreezeNote,
): Tx<FreezeState> {
  if (!policy.freeze)
    throw new GateError("layer_disabled", "The freeze is switched off.", {
      hint: "Start the service with SERIAL_GATE_FREEZE_ENABLED=true.",
    });
  const who = whoActs(actor, note.by);
  yield* lockLane(repo);
  return yield* withEffect(policy, lookup, [repo], insertFreeze(repo, who, note));
}

function* insertFreeze(repo: string, actor: Actor, note: FreezeNote): Tx<Omit<FreezeState, "effect">> {
  const at = toStored(yield* now());
  const { reason = null, work_item_id = null } = note;
  const { freeze_id } = yield* one<{ freeze_id: number }>(sql`INSERT INTO repo_freeze
      (repo, frozen_at, frozen_by, reason, work_item_id, gate_writes)
    VALUES (${repo}, ${at}, ${actor}, ${reason}, ${work_item_id}, 1) RETURNING id AS freeze_id`);
  yield* record("repo.frozen", { repo, work_item_id }, { actor, reason, detail: { freeze_id } });
  return { repo, frozen: true, frozen_at: toIso(at), frozen_reason: reason, freeze_id };
}

/** Clears the freezes of a repository, or one of them, also while the freeze is switched off.
 *  @throws GateError invalid_request */
export function* unfreeze(
  { rules: { policy }, lookup, actor }: Context,
  query: UnfreezeQuery,
  note: Note,
): Tx<Unfrozen> {
  const who = whoActs(actor, note.by);
  yield* lockLane(query.repo);
  return yield* withEffect(policy, lookup, [query.repo], clearFreezes(query, who, note.reason));
}

function* clearFreezes(
  { repo, id }: UnfreezeQuery,
  actor: Actor,
  reason: string | undefined,
): Tx<Omit<Unfrozen, "effect">> {
  const at = toStored(yield* now());
  const cleared =
    yield* all<FreezeRow>(sql`UPDATE repo_freeze SET cleared_at = ${at}, cleared_by = ${actor}, ${WRITTEN}
    WHERE repo = ${repo} AND cleared_at IS NULL${when(id !== undefined, sql` AND id = ${id ?? null}`)}
    RETURNING ${FREEZE_COLUMNS}`);
  cleared.sort((a, b) => a.id - b.id);
  yield* recordAll(
    cleared.map(({ id: freeze_id, work_item_id }) => [
      "repo.unfrozen",
      { repo, work_item_id },
      { actor, reason, detail: { freeze_id } },
    ]),
  );
  const remaining = yield* first(sql`SELECT f.id FROM ${activeFreezes(sql`${repo}`)} LIMIT 1`);
  return { repo, frozen: remaining !== undefined, cleared: cleared.length, freezes: cleared.map(shown) };
}
