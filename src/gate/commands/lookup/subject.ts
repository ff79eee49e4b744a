/** The thing that an operation is about, and whether its caller may know it. A thing in another repository is refused in the
 *  words for one that does not exist. */

import { GateError } from "../../../contract/errors.ts";
import { sees, type Reach } from "../../../contract/names/repo-pattern.ts";
import { first, type Tx } from "../../../store/port.ts";
import { sql } from "../../../store/sql.ts";
import { inReach, unknownRepo } from "../../rule/reach.ts";

export type Subject = { readonly repo: string } | { readonly task: number } | { readonly job: number };

export const unknownTask = (id: number): GateError =>
  new GateError("unknown_task", `There is no task ${id}.`);

export const unknownJob = (id: number): GateError => new GateError("unknown_job", `There is no job ${id}.`);

/** Refuses a subject that the caller may not know.
 *  @throws GateError unknown_repo, unknown_task, unknown_job */
export function* refuseUnseen(reach: Reach, subject: Subject | undefined): Tx<void> {
  if (reach === null || subject === undefined) return;
  if ("repo" in subject) {
    if (!sees(reach, subject.repo)) throw unknownRepo(subject.repo);
  } else if ("task" in subject) {
    const { task } = subject;
    if (!(yield* first(sql`SELECT t.id FROM tasks t WHERE t.id = ${task}${inReach(reach, "t")}`)))
      throw unknownTask(task);
  } else {
    const { job } = subject;
    if (!(yield* first(sql`SELECT j.id FROM jobs j WHERE j.id = ${job}${inReach(reach, "j")}`)))
      throw unknownJob(job);
  }
}
