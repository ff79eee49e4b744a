/** The names of tasks in sentences for people. */

interface Named {
  readonly id: number;
  readonly work_item_id: string | null;
  readonly repo: string;
}

/** `WEB-7`, or `WEB-7 in acme/web` where the sentence is about another repository; `task 9` without a work item.
 *  @param among the repository that the sentence is about; none to name it always */
export const labelOf = ({ id, work_item_id, repo }: Named, among?: string): string =>
  `${work_item_id ?? `task ${id}`}${repo === among ? "" : ` in ${repo}`}`;
