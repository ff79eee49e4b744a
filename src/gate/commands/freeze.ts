/** The freeze: a durable stop of a repository, until an operator clears it. */

import { all, lockLane, now, one, type Tx } from "../../store/port.ts";
import { sql, when } from "../../store/sql.ts";
import { withEffect } from "../rule/effect.ts";
import { GateError } from "../../contract/errors.ts";
import type { Context } from "./context.ts";
import { record, recordAll, WRITTEN } from "./record.ts";
import { familiarity, IN_QUERY, lockNamedLane } from "./lookup/repo.ts";
import type { FreezeNote, FreezeState, UnfreezeQuery, Unfrozen } from "../../contract/operations.ts";
import type { Note } from "../../contract/scalars.ts";
import { nameOf, whoActs, type Actor } from "../rule/policy.ts";
import { forceOf } from "../rule/scope.ts";
import {
  asFreeze,
  FREEZE_COLUMNS,
  isActive,
  readActiveFreezes,
  type FreezeRow,
} from "../rule/reasons/freeze.ts";
import { toIso, toStored } from "../../store/timestamps.ts";

/** Freezes a repository. Each call is a freeze of its own: a second bad deploy is a second thing to clear.
 *  @throws GateError layer_disabled, repo_looks_alike, invalid_request */
export function* freeze(context: Context, repo: string, note: FreezeNote): Tx<FreezeState> {
  const { policy } = context.rules;
  if (!policy.freeze)
    throw new GateError("layer_disabled", "The freeze is switched off.", {
      hint: "Start the service with SERIAL_GATE_FREEZE_ENABLED=true.",
    });
  const who = whoActs(context.actor, note.by);
  yield* lockNamedLane(context, repo, IN_QUERY);
  const familiar = yield* familiarity(repo, context.reach, {
    projects: context.rules.projects,
    visible: context.lookup.visible,
  });
  const frozen = yield* withEffect(policy, context.lookup, [repo], insertFreeze(repo, who, note));
  return { ...frozen, ...forceOf(policy, repo), ...familiar };
}

type FrozenRepo = Pick<FreezeState, "repo" | "frozen" | "frozen_at" | "frozen_reason" | "freeze_id">;

function* insertFreeze(repo: string, actor: Actor, note: FreezeNote): Tx<FrozenRepo> {
  const at = toStored(yield* now());
  const { reason = null, work_item_id = null } = note;
  const { freeze_id } = yield* one<{ freeze_id: number }>(sql`INSERT INTO repo_freeze
      (repo, frozen_at, frozen_by, reason, work_item_id, gate_writes)
    VALUES (${repo}, ${at}, ${nameOf(actor)}, ${reason}, ${work_item_id}, 1) RETURNING id AS freeze_id`);
  yield* record("repo.frozen", { repo, work_item_id }, { actor, reason, detail: { freeze_id } });
  return { repo, frozen: true, frozen_at: toIso(at), frozen_reason: reason, freeze_id };
}

/** Clears the freezes of a repository, or one of them, also while the freeze is switched off.
 *  @throws GateError invalid_request */
export function* unfreeze(context: Context, query: UnfreezeQuery, note: Note): Tx<Unfrozen> {
  const { rules, lookup, actor, reach } = context;
  const who = whoActs(actor, note.by);
  yield* lockLane(query.repo);
  const familiar = yield* familiarity(query.repo, reach, {
    projects: rules.projects,
    visible: lookup.visible,
  });
  const change = clearFreezes(query, who, note.reason);
  return { ...(yield* withEffect(rules.policy, lookup, [query.repo], change)), ...familiar };
}

function* clearFreezes(
  { repo, id }: UnfreezeQuery,
  actor: Actor,
  reason: string | undefined,
): Tx<Omit<Unfrozen, "effect" | "known" | "near">> {
  const at = toStored(yield* now());
  const cleared =
    yield* all<FreezeRow>(sql`UPDATE repo_freeze SET cleared_at = ${at}, cleared_by = ${nameOf(actor)}, ${WRITTEN}
    WHERE repo = ${repo} AND ${isActive("repo_freeze")}${when(id !== undefined, sql` AND id = ${id ?? null}`)}
    RETURNING ${FREEZE_COLUMNS}`);
  cleared.sort((a, b) => a.id - b.id);
  yield* recordAll(
    cleared.map(({ id: freeze_id, work_item_id }) => [
      "repo.unfrozen",
      { repo, work_item_id },
      { actor, reason, detail: { freeze_id } },
    ]),
  );
  const remaining = yield* readActiveFreezes(repo);
  return { repo, frozen: remaining.length > 0, cleared: cleared.length, freezes: cleared.map(asFreeze) };
}
