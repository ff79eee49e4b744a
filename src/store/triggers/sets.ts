/** The sets of triggers that a database may have. */

/** Triggers that are installed together. The database records their names and checksums. */
export interface TriggerSet {
  /** The name of the record in gate_settings. */
  readonly setting: string;
  /** The names of all its triggers begin with it, and no other name in the database does. Given for a set that changes:
   *  then a trigger that the record lost is found. */
  readonly prefix?: string;
}

/** The triggers that a database has whatever the policy: catalogue.ts. */
export const CATALOGUE_SET: TriggerSet = { setting: "triggers" };

/** The triggers that depend on the policy: gate/rule/ready-index.ts. PostgreSQL fires triggers by name: these sort behind
 *  those that lock the lane (lane-counters.ts). */
export const READY_INDEX = { setting: "ready_index", prefix: "gate_ready_" } as const satisfies TriggerSet;

/** The row of gate_settings that is there while the ready index is suspended: see `Dialect.suspends`. */
export const SUSPENDED = `${READY_INDEX.setting}_off`;

/** The row of gate_settings that counts how often the ready index's triggers were made, dropped or switched. */
export const EPOCH = `${READY_INDEX.setting}_epoch`;
