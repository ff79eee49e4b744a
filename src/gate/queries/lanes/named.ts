/** A few lanes by their names, as rows that lead a statement: each lane is then looked up by its name in an index. In a list
 *  for IN, of four names or so, SQLite finds it cheaper to walk through all jobs of a status. */

import { PAGE } from "../pages.ts";
import type { Policy } from "../../rule/policy.ts";
import { headOf } from "../../rule/lane.ts";
import { raw, rowsOf, sql, type Statement } from "../../../store/sql.ts";

/** A lane, and the jobs that a reading of it may read. */
export interface SizedLane {
  readonly repo: string;
  readonly queued: number;
  readonly running: number;
}

/** `WITH named AS (…)`, rows `repo` and `head`: the first task that holds the lane.
 *  @param policy undefined where the heads are not needed, or cannot be read */
export const namedLanes = (repos: readonly string[], policy?: Policy): Statement =>
  sql`WITH named AS MATERIALIZED (SELECT each.repo, ${policy ? headOf(policy, raw("each.repo")) : raw("NULL")} AS head
    FROM (SELECT listed.value ->> 'text' AS repo FROM ${rowsOf(repos.map((text, index) => [index, { text }]))} AS listed) AS each)`;

/** The jobs and the lanes that are read together at most. */
const TOGETHER = { jobs: 1_000, lanes: 200 };

/** Groups lanes that are read together, in their order. A deep lane is read by itself, and so is one that is listed in part.
 *  @param most how many jobs a lane lists */
export function* groupsOf(lanes: readonly SizedLane[], most: number): Generator<readonly SizedLane[]> {
  let group: SizedLane[] = [];
  let jobs = 0;
  for (const lane of lanes) {
    const isAlone = lane.queued > Math.min(most, PAGE) || lane.running > PAGE;
    const own = isAlone ? TOGETHER.jobs : lane.queued + lane.running;
    if (group.length > 0 && (jobs + own > TOGETHER.jobs || group.length === TOGETHER.lanes)) {
      yield group;
      group = [];
      jobs = 0;
    }
    group.push(lane);
    jobs += own;
  }
  if (group.length > 0) yield group;
}
