/** The parts of the database that a decision can read: all of them, unless the database is damaged. */

export interface Visibility {
  /** repo_freeze */
  readonly freezes: boolean;
  /** job_deps */
  readonly dependencies: boolean;
  /** tasks: id, work item and stage */
  readonly stages: boolean;
  /** tasks: the columns that make a lane */
  readonly lanes: boolean;
}

export const EVERYTHING_READABLE: Visibility = {
  freezes: true,
  dependencies: true,
  stages: true,
  lanes: true,
};

/** How a decision looks for jobs: with the parts that it can read, and by the ready index where that is right. */
export interface Lookup {
  readonly visible: Visibility;
  readonly useReadyIndex: boolean;
}
