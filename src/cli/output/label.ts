/** The name of a task or a job in a sentence: its work item, or else its id. */

interface Labelled {
  readonly work_item_id: string | null;
  readonly task_id?: number | null;
  readonly job_id?: number | null;
  /** The id of a task. */
  readonly id?: number;
}

/** `WEB-7`, `task 9` or `job 8` */
export const labelOf = ({ work_item_id, id, task_id = id, job_id }: Labelled): string => {
  if (work_item_id !== null) return work_item_id;
  return typeof task_id === "number" ? `task ${task_id}` : `job ${job_id ?? "?"}`;
};

/** A thing in the output format `name`, which the verbs about such things take: `job/5`, `task/3`, `freeze/2` */
export const nameOf = (kind: "job" | "task" | "freeze" | "event", id: number): string => `${kind}/${id}`;

/** `WEB-7 in acme/web` */
export const labelInRepo = (labelled: Labelled & { readonly repo: string }): string =>
  `${labelOf(labelled)} in ${labelled.repo}`;
