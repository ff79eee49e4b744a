/** The parts of the database that a decision can read: all of them, unless the database is damaged. */

/** Which parts of the decision can be evaluated. Less than all only while the database is damaged. */
export interface Visibility {
  /** repo_freeze */
  readonly freezes: boolean;
  /** job_deps */
  readonly dependencies: boolean;
  /** tasks: id and stage */
  readonly stages: boolean;
  /** tasks: all that makes a lane */
  readonly lanes: boolean;
}

export const EVERYTHING_READABLE: Visibility = {
  freezes: true,
  dependencies: true,
  stages: true,
  lanes: true,
};

/** How a claim looks for jobs: what of the decision it can see, and whether it may go by the marks. */
export interface Lookup {
  readonly visible: Visibility;
  readonly useReadyIndex: boolean;
}
