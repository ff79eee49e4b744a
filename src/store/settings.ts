/** The rows of gate_settings that describe the data: a copy of the database takes them along. The others describe
 *  triggers. */

export const SETTINGS = "gate_settings";

/** Which program made the database. An orchestrator's has no such row. `before-release`: a version of serial-gate before its
 *  release made or adopted it, and recorded neither. */
export const ORIGIN = "origin";
export type Origin = "serial-gate" | "orchestrator" | "before-release";

export const originOf = (value: string | undefined): Origin =>
  value === "serial-gate" || value === "before-release" ? value : "orchestrator";

/** The highest event id that retention has deleted. The ids alone do not tell: a transaction that was rolled back leaves a
 *  gap that nobody missed. */
export const EVENTS_FORGOTTEN = "events_forgotten";
