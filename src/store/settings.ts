/** The rows of gate_settings that describe the data: a copy of the database takes them along. The others describe
 *  triggers. */

export const SETTINGS = "gate_settings";

/** The program that made the database: `serial-gate`, or anything else for an adopted one. */
export const ORIGIN = "origin";

/** The highest event id that retention has deleted. The ids alone do not tell: a transaction that was rolled back leaves a
 *  gap that nobody missed. */
export const EVENTS_FORGOTTEN = "events_forgotten";
