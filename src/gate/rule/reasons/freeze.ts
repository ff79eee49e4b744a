/** A repository that an operator or a bad deploy closed. Fails closed: without `repo_freeze`, all count as frozen. */

import type { Freeze } from "../../../contract/operations.ts";
import { all, type Tx } from "../../../store/port.ts";
import { exists, raw, sql, when, type Statement } from "../../../store/sql.ts";
import { toIsoOrNull } from "../../../store/timestamps.ts";
import type { Affected, HoldReason } from "../hold-reason.ts";
import { acquired, headOf, NO_END, unfinished } from "../lane.ts";
import type { Policy } from "../policy.ts";
import { isEntryJob, isInScope } from "../scope.ts";
import { freezeClause, freezeNoun } from "../words.ts";

/** True for a freeze that is in force. */
export const isActive = (freeze: string): Statement => raw(`${freeze}.cleared_at IS NULL`);

/** FROM and WHERE of a repository's active freezes, `f`. */
const activeFreezes = (repo: Statement): Statement =>
  sql`repo_freeze f WHERE f.repo = ${repo} AND ${isActive("f")}`;

export interface FreezeRow {
  readonly id: number;
  readonly repo: string;
  readonly frozen_at: string | null;
  readonly frozen_by: string | null;
  readonly reason: string | null;
  readonly work_item_id: string | null;
}

export const FREEZE_COLUMNS = raw("id, repo, frozen_at, frozen_by, reason, work_item_id");

export const asFreeze = ({ id, frozen_at, ...freeze }: FreezeRow): Freeze => ({
  freeze_id: id,
  ...freeze,
  frozen_at: toIsoOrNull(frozen_at),
});

/** Reads the active freezes of a repository, oldest first. */
export function* readActiveFreezes(repo: string): Tx<Freeze[]> {
  const rows = yield* all<FreezeRow>(sql`SELECT ${FREEZE_COLUMNS} FROM repo_freeze
    WHERE id IN (SELECT f.id FROM ${activeFreezes(sql`${repo}`)}) ORDER BY id`);
  return rows.map(asFreeze);
}

/** The jobs of a repository that the end of its freeze can make ready: up to the head of its lane, those without a task,
 *  and in strict lanes those of the tasks that acquired the lane, behind the head or not. */
const releasedIn = (policy: Policy, row: string): Affected => {
  const lane = raw(`${row}.repo`);
  const ofHolders = sql` OR task_id IN (SELECT t.id FROM tasks t
    WHERE t.repo = ${lane} AND ${acquired("t")} AND ${unfinished("t")})`;
  const upToHead = sql`task_id <= COALESCE(${headOf(policy, lane)}, ${NO_END})`;
  return {
    effect: "released",
    jobs: sql`repo = ${lane} AND (task_id IS NULL OR ${upToHead}${when(policy.strictLanes, ofHolders)})`,
    lane,
    expected: true,
  };
};

const HELD: Affected = {
  effect: "held",
  jobs: raw("repo = NEW.repo"),
  lane: raw("NEW.repo"),
  expected: true,
};

export const freeze: HoldReason = {
  name: "freeze",
  applies: (policy) => policy.enabled && policy.freeze,
  holds: (policy, job, visible) =>
    sql`${isEntryJob(policy, job)} AND ${isInScope(policy, job)}${
      visible.freezes ? sql` AND ${exists(activeFreezes(raw(`${job}.repo`)))}` : raw("")
    }`,
  probes: { freezes: sql`SELECT repo, cleared_at FROM repo_freeze LIMIT 1` },
  reevaluatedBy: (policy) => [
    {
      name: "frozen",
      table: "repo_freeze",
      after: "INSERT",
      when: isActive("NEW"),
      affects: [HELD],
    },
    {
      name: "changed",
      table: "repo_freeze",
      after: "UPDATE OF repo, cleared_at",
      affects: [HELD, releasedIn(policy, "OLD"), releasedIn(policy, "NEW")],
    },
    {
      name: "deleted",
      table: "repo_freeze",
      after: "DELETE",
      when: isActive("OLD"),
      affects: [releasedIn(policy, "OLD")],
    },
  ],
  *blockers({ task: { repo }, visible }) {
    if (!visible.freezes)
      return [
        {
          since: null,
          by: null,
          detail: `the freezes cannot be read, so ${repo} counts as frozen`,
          blocker: { kind: "unreadable", task: null, jobs: [], freeze: null },
          end: {
            clause: `the freezes cannot be read, so ${repo} counts as frozen`,
            noun: "freezes that cannot be read",
            awaits: "readable freezes",
            ended_by: "repair",
          },
          remedies: [],
        },
      ];
    return (yield* readActiveFreezes(repo)).map((each) => ({
      since: each.frozen_at,
      by: each.frozen_by,
      detail: `${repo} is frozen${each.reason === null ? "" : `: ${each.reason}`}${
        each.work_item_id === null ? "" : ` (after ${each.work_item_id})`
      }`,
      blocker: { kind: "freeze", task: null, jobs: [], freeze: each },
      end: {
        clause: freezeClause(each),
        noun: freezeNoun(each),
        awaits: "an unfreeze",
        ended_by: "call",
      },
      remedies: [{ action: "unfreeze", repo, id: each.freeze_id }],
    }));
  },
};
