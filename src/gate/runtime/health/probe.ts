/** The reads and writes that tell whether the database takes work. What is only tried out is rolled back; what must reach
 *  the disk is one row of gate_settings, because a full disk or a failing one shows in the commit alone. */

import { GateError } from "../../../contract/errors.ts";
import { now, run, StoreFault, type Store, type Tx, type WriteOptions } from "../../../store/port.ts";
import { sql } from "../../../store/sql.ts";
import { claim } from "../../commands/claim.ts";
import type { Context } from "../../commands/context.ts";
import { record } from "../../commands/record.ts";
import { createTask } from "../../commands/task/create.ts";
import { GATE_ACTOR } from "../../rule/policy.ts";
import { PROBES } from "../../rule/probes.ts";
import type { Pipeline } from "../pipeline.ts";

/** Another program's lock is waited for so long, in milliseconds: a caller waits for the answer. */
const OPTIONS: WriteOptions = { retryForMs: 200 };

/** A repository and a task that never exist. */
const NAME = "serial-gate/probe";
const PROBED_AT = "probed_at";

/** Reads the newest rows of every table that a claim reads or writes. */
export function* readEssentials(): Tx<void> {
  yield* run(PROBES.stages);
  yield* run(sql`SELECT id, status, ready FROM jobs ORDER BY id DESC LIMIT 1`);
  yield* run(sql`SELECT id, kind FROM gate_events ORDER BY id DESC LIMIT 1`);
}

function* tryTask(context: Context): Tx<null> {
  yield* createTask(context, { repo: NAME, work_item_id: NAME, stage: "analysis" });
  return null;
}

function* tryClaim(context: Context): Tx<null> {
  yield* claim(context, [{ actor: GATE_ACTOR, request: { max: 1, wait_ms: 0 } }]);
  return null;
}

function* tryEvent(): Tx<null> {
  yield* record("task.created", { repo: NAME }, { actor: GATE_ACTOR });
  return null;
}

/** More than most operations write: a disk that is nearly full may take a few bytes and no task. */
const FILL = "-".repeat(64 * 1024);

const touchDisk = (fill: string) =>
  function* (): Tx<void> {
    const at = `${yield* now()}${fill}`;
    yield* run(sql`INSERT INTO gate_settings(name, value) VALUES (${PROBED_AT}, ${at})
      ON CONFLICT (name) DO UPDATE SET value = excluded.value`);
  };

/** True for an answer: the database works, and the rule or another program's constraint refuses this task. */
const isAnswer = (error: unknown): boolean =>
  error instanceof GateError || (error instanceof StoreFault && error.kind === "refused");

/** Claims, creates a task and records an event, and takes them back; then commits a long row, and a short one in its place.
 *  @throws StoreFault */
export const tryToWork = async (pipeline: Pipeline, store: Store): Promise<void> => {
  const trial = { caller: null, dryRun: true, notify: "nobody", decides: true, write: OPTIONS } as const;
  await pipeline.run(trial, tryEvent);
  await pipeline.run(trial, tryClaim);
  try {
    await pipeline.run(trial, tryTask);
  } catch (error) {
    if (!isAnswer(error)) throw error;
  }
  await store.write(touchDisk(FILL), OPTIONS);
  await store.write(touchDisk(""), OPTIONS);
};
