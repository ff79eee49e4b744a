/** A lane in which a verb for all of its tasks goes on. Another verb on its pauses waits until it is over: what the caller saw
 *  counts already, and the rows follow. */

import { first, type Tx } from "../../../store/port.ts";
import { sql } from "../../../store/sql.ts";
import { RolledBack } from "../outcome.ts";

export class BusyLane {
  readonly repo: string;

  constructor(repo: string) {
    this.repo = repo;
  }
}

/** @throws RolledBack with a BusyLane */
export function* refuseBusyLane(repo: string): Tx<void> {
  if (yield* first(sql`SELECT repo FROM gate_lane_steps WHERE repo = ${repo}`))
    throw new RolledBack(new BusyLane(repo));
}
