/** Limits of the lists in `GET /queue`: a queue of any depth is an answer of a bounded size. A list that is cut says how many
 *  it leaves out; `GET /jobs` and `GET /tasks` list all, in pages. */

import { one, type Tx } from "../../../store/port.ts";
import { inlineInteger, join, sql } from "../../../store/sql.ts";
import type { Policy } from "../../rule/policy.ts";
import type { Selection } from "../pages.ts";

/** Waiting jobs of one lane, and the lower numbers that many deep lanes get. */
const IN_LANE = [10_000, 3_000, 1_000, 300, 100, 30, 10, 1] as const;

/** Entries of all lanes together. */
export const IN_ALL_LANES = 250_000;

/** Active freezes of one lane, the newest. */
export const FREEZES_IN_LANE = 20;

/** True for a queued job that waits: an entry job, and in strict lanes any other that is held. */
export const isListed = (policy: Policy, agent: string, reason: string | null): boolean =>
  agent === policy.entryAgent || (policy.strictLanes && reason !== null);

/** Reads how many waiting jobs and paused tasks each lane may list: the most with which all lanes together stay below the
 *  limit. The counters of the lanes tell, not the jobs.
 *  @param queued the jobs of all lanes together: where they are few, no lane is looked at */
export function* listedInLane(selected: Selection, queued: number): Tx<number> {
  if (queued <= IN_ALL_LANES) return IN_LANE[0];
  const sums = IN_LANE.map(
    (most) =>
      sql`COALESCE(SUM(CASE WHEN l.queued > ${inlineInteger(most)} THEN ${inlineInteger(most)} ELSE l.queued END), 0)
        AS of_${inlineInteger(most)}`,
  );
  const row = yield* one<Readonly<Record<string, number>>>(
    sql`SELECT ${join(sums, ", ")} FROM gate_lanes l WHERE 1 = 1${selected("l")}`,
  );
  return IN_LANE.find((most) => (row[`of_${most}`] ?? 0) <= IN_ALL_LANES) ?? IN_LANE[7];
}
