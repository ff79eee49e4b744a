/** A lane in SQL: which tasks are in it, and which of them hold it against the tasks behind them. */

import { TERMINAL_STAGES } from "../../contract/vocabulary.ts";
import { raw, sql, when, type Statement } from "../../store/sql.ts";
import type { Policy } from "./policy.ts";

const TERMINAL_SQL = `('${TERMINAL_STAGES.join("', '")}')`;

/** True for a task that is not finished. */
export const unfinished = (task: string): Statement => raw(`${task}.stage NOT IN ${TERMINAL_SQL}`);

/** True for a task that holds its lane against the tasks behind it. */
export const holdsLane = (policy: Policy, task: string): Statement =>
  sql`${unfinished(task)}${when(policy.pause, raw(` AND ${task}.paused_at IS NULL`))}`;

/** Greater than any id. */
export const NO_END = Number.MAX_SAFE_INTEGER;

/** The id of the first task of a repository that holds its lane. */
export const headOf = (policy: Policy, repo: Statement): Statement =>
  sql`(SELECT MIN(t.id) FROM tasks t WHERE t.repo = ${repo} AND ${holdsLane(policy, "t")})`;
