/** The shape of a hold reason: all that the program knows about one thing that may hold a job. The predicate, the ready
 *  index, degraded mode and the explanation fold over the list of reasons; none of them knows a reason by its name. */

import type { Blocker, RootCause } from "../../contract/explanation.ts";
import type { Job } from "../../contract/jobs.ts";
import type { Task } from "../../contract/tasks.ts";
import type { Reason } from "../../contract/vocabulary.ts";
import type { Trigger, TriggerAction, Tx } from "../../store/port.ts";
import type { Statement } from "../../store/sql.ts";
import type { KnownLane } from "./lane.ts";
import type { Policy } from "./policy.ts";
import type { Remedy } from "./remedy.ts";
import type { Visibility } from "./visibility.ts";

/** Jobs that a write can affect, and how. `held`: ready jobs may become held. `released`: held jobs may become ready.
 *  `either`: both. The narrower it is, the fewer rows the database looks at. */
export interface Affected {
  readonly effect: "held" | "released" | "either";
  /** A condition on a row of `jobs`. It alone says where to look, so it must name an indexed column. */
  readonly jobs: Statement;
  /** The repository of all these jobs, where a write can affect many of one: the head of its lane is looked up once then,
   *  not for each job. */
  readonly lane?: Statement;
  /** True where most such writes affect a job: no look for one goes before. */
  readonly expected?: true;
}

/** A write, by any program, that can change what a condition says of a queued job. */
export interface Write extends Pick<Trigger, "table" | "after" | "when"> {
  /** Tells the writes of one reason apart: a part of the trigger's name. */
  readonly name: string;
  /** Locks for the other lanes that the write concerns, before any job of them is evaluated. */
  readonly locks?: readonly TriggerAction[];
  readonly affects: readonly Affected[];
}

/** The end of a chain of waits, in words. */
export interface ChainEnd {
  /** `acme/api has been frozen since …`, for a sentence about the root cause. */
  readonly clause: string;
  /** `acme/api frozen since …`, behind "on". */
  readonly noun: string;
  /** `an unfreeze`, behind "waits for". */
  readonly awaits: string;
  readonly ended_by: RootCause["ended_by"];
}

/** One thing that holds a job now, with the calls that remove it. */
export interface FoundBlocker {
  /** ISO 8601, where it is known. */
  readonly since: string | null;
  readonly by: string | null;
  /** A clause for people, without a full stop. */
  readonly detail: string;
  readonly blocker: Blocker;
  /** Present where the blocker is no other task. */
  readonly end?: ChainEnd;
  readonly remedies: readonly Remedy[];
}

/** A held job and the means to describe what holds it. */
export interface BlockerQuestion {
  readonly policy: Policy;
  readonly visible: Visibility;
  readonly job: Job;
  readonly task: Task;
  readonly readTask: (id: number) => Tx<Task>;
  /** Reads the jobs of a task that are not over, and those that failed. */
  readonly readOpenJobs: (task: number) => Tx<Job[]>;
}

export interface HoldReason {
  readonly name: Reason;
  /** True while the policy asks for it. */
  readonly applies: (policy: Policy) => boolean;
  /** True for a queued job that it holds.
   *  @param job the alias of a row of `jobs`
   *  @param lane the lane of every such row, where it was read already
   *  @returns undefined where the rows that it needs are not visible and it therefore fails open */
  readonly holds: (
    policy: Policy,
    job: string,
    visible: Visibility,
    lane?: KnownLane,
  ) => Statement | undefined;
  /** Statements that fail while a part of the database that the condition reads is unreadable. */
  readonly probes: Readonly<Partial<Record<keyof Visibility, Statement>>>;
  /** Every write that can change the condition, but for those to the job itself. */
  readonly reevaluatedBy: (policy: Policy) => readonly Write[];
  /** Reads what holds a job that the condition is true for. */
  readonly blockers: (question: BlockerQuestion) => Tx<readonly FoundBlocker[]>;
}
