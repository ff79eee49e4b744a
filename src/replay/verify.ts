/** Verifies a gate from the rows of its database: the event log in its order, and the final state. It knows the
 *  promises and shares no code with the rule that keeps them. Events of other programs are applied without judgement;
 *  the gate's own events after them are judged. */

import { all, type Tx } from "../store/port.ts";
import { sql, type Statement } from "../store/sql.ts";
import { type EventKind, isTerminal, OPEN_STATUSES } from "../contract/vocabulary.ts";
import { decode } from "../store/json.ts";
import type { Job } from "../contract/jobs.ts";
import { fromStored } from "../store/timestamps.ts";

export interface Verdict {
  readonly tasks: number;
  readonly claims: number;
  /** Claims of entry jobs. */
  readonly entryStarts: number;
  /** Entry jobs that started while an older task of their repository was paused. */
  readonly overtakes: number;
  readonly pauses: number;
  readonly freezes: number;
  /** Milliseconds from a task's creation to the first claim of its entry job. */
  readonly longestWait: { readonly ms: number; readonly workItem: string | null };
  /** A sentence for every broken promise. */
  readonly violations: readonly string[];
}

interface ExpectedTask {
  readonly repo: string;
  readonly work_item_id: string;
}

interface Expectation {
  /** The agent of entry jobs. */
  readonly entryAgent: string;
  /** Tasks that must exist and be done. */
  readonly tasks?: readonly ExpectedTask[];
}

type JobStatus = Job["status"];

/** The statuses before and after each event of a job. A job created for later has no event of its delay, so
 *  `job.due` may follow `queued`. */
const JOB_CHANGES: Partial<Record<EventKind, { from: readonly JobStatus[]; to: JobStatus }>> = {
  "job.claimed": { from: ["queued"], to: "running" },
  "job.completed": { from: ["running"], to: "done" },
  "job.delayed": { from: ["running"], to: "delayed" },
  "job.failed": { from: ["running"], to: "failed" },
  "job.released": { from: ["running"], to: "queued" },
  "job.lapsed": { from: ["running"], to: "queued" },
  "job.due": { from: ["queued", "delayed"], to: "queued" },
  "job.retried": { from: ["failed"], to: "queued" },
  "job.cancelled": { from: ["queued", "delayed", "running"], to: "cancelled" },
};

const OPEN: readonly string[] = OPEN_STATUSES;

interface EventRow {
  readonly id: number;
  readonly at: string;
  readonly kind: EventKind;
  readonly repo: string | null;
  readonly task_id: number | null;
  readonly work_item_id: string | null;
  readonly job_id: number | null;
  readonly detail: string | null;
}

/** True for an event that another program caused: the gate's rules do not bind it. */
const isForeign = ({ detail }: EventRow): boolean =>
  (decode(detail) as { foreign?: boolean } | null)?.foreign === true;

interface TaskRow {
  readonly id: number;
  readonly repo: string;
  readonly work_item_id: string | null;
  readonly stage: string;
  readonly paused_at: string | null;
}

interface JobRow {
  readonly id: number;
  readonly agent: string;
  readonly status: string;
}

/** A task as the events so far describe it. */
interface ReplayedTask {
  readonly id: number;
  readonly workItem: string | null;
  readonly createdAt: number;
  stage: string;
  paused: boolean;
  started: boolean;
  /** The older tasks that were paused when this one started: they may run beside it once resumed. */
  readonly overtook: Set<number>;
}

interface ReplayedJob {
  readonly agent: string;
  status: JobStatus;
}

const isFinished = (stage: string): boolean => isTerminal(stage);

const freezeOf = ({ detail }: EventRow): number => (decode(detail) as { freeze_id: number }).freeze_id;

const nameOf = (id: number, workItem: string | null): string => `task ${id} (${workItem ?? "no work item"})`;

/** Rebuilds the state from the event log, and collects the events that break a promise.
 *  Each lane is judged by itself: a lane is locked while its events draw their ids, so their order is the order of
 *  commits. Between lanes the order of ids means nothing. */
class EventReplay {
  readonly tasks = new Map<number, ReplayedTask>();
  readonly jobs = new Map<number, ReplayedJob>();
  readonly violations: string[] = [];
  claims = 0;
  entryStarts = 0;
  overtakes = 0;
  pauses = 0;
  freezes = 0;
  longestWait: Verdict["longestWait"] = { ms: 0, workItem: null };
  readonly #entryAgent: string;
  /** The unfinished tasks of each repository. */
  readonly #lanes = new Map<string, Map<number, ReplayedTask>>();
  /** The active freezes and the repository of each. */
  readonly frozen = new Map<number, string>();

  constructor(entryAgent: string) {
    this.#entryAgent = entryAgent;
  }

  apply(event: EventRow): void {
    switch (event.kind) {
      case "task.created":
        this.#created(event);
        return;
      case "task.stage":
      case "task.cancelled":
        this.#moved(event);
        return;
      case "task.paused":
      case "task.resumed":
        this.#pausedOrResumed(event);
        return;
      case "task.moved":
      case "task.deleted":
        this.#takenAway(event);
        return;
      case "job.created": {
        const { agent, status = "queued" } = decode(event.detail) as { agent: string; status?: JobStatus };
        this.jobs.set(event.job_id ?? NaN, { agent, status });
        return;
      }
      case "job.deleted":
        this.jobs.delete(event.job_id ?? NaN);
        return;
      case "task.answered":
      case "job.moved":
      case "dependency.added":
      case "dependency.removed":
        return;
      case "repo.frozen":
        this.freezes += 1;
        this.frozen.set(freezeOf(event), event.repo ?? "");
        return;
      case "repo.unfrozen":
        if (!this.frozen.delete(freezeOf(event)))
          this.#violation(
            event,
            `freeze ${freezeOf(event)} of ${event.repo ?? "?"} was cleared but did not exist`,
          );
        return;
      default:
        this.#jobChanged(event);
    }
  }

  #violation(event: EventRow, sentence: string): void {
    this.violations.push(`event ${event.id}: ${sentence}`);
  }

  #lane(repo: string | null): Map<number, ReplayedTask> {
    const lane = this.#lanes.get(repo ?? "") ?? new Map<number, ReplayedTask>();
    this.#lanes.set(repo ?? "", lane);
    return lane;
  }

  #created(event: EventRow): void {
    const { stage } = decode(event.detail) as { stage: string };
    const task: ReplayedTask = {
      id: event.task_id ?? NaN,
      workItem: event.work_item_id,
      createdAt: fromStored(event.at),
      stage,
      paused: false,
      started: false,
      overtook: new Set(),
    };
    this.tasks.set(task.id, task);
    if (!isFinished(stage)) this.#lane(event.repo).set(task.id, task);
  }

  #taskOf(event: EventRow): ReplayedTask | undefined {
    const task = this.tasks.get(event.task_id ?? NaN);
    if (!task)
      this.#violation(
        event,
        `${event.kind} of ${nameOf(event.task_id ?? NaN, event.work_item_id)}, which has no task.created event`,
      );
    return task;
  }

  #moved(event: EventRow): void {
    const task = this.#taskOf(event);
    if (!task) return;
    const { to } = decode(event.detail) as { to: string };
    if (isFinished(task.stage) && !isForeign(event))
      this.#violation(event, `${nameOf(task.id, task.workItem)} left ${task.stage} for ${to}`);
    task.stage = to;
    if (isFinished(to)) this.#lane(event.repo).delete(task.id);
    else this.#lane(event.repo).set(task.id, task);
  }

  /** Another program moved the task to another lane, or away. */
  #takenAway(event: EventRow): void {
    const task = this.#taskOf(event);
    if (!task) return;
    for (const lane of this.#lanes.values()) lane.delete(task.id);
    if (event.kind === "task.deleted") this.tasks.delete(task.id);
    else if (!isFinished(task.stage)) this.#lane(event.repo).set(task.id, task);
  }

  #pausedOrResumed(event: EventRow): void {
    const task = this.#taskOf(event);
    if (!task) return;
    task.paused = event.kind === "task.paused";
    if (task.paused) this.pauses += 1;
  }

  #jobChanged(event: EventRow): void {
    const change = JOB_CHANGES[event.kind];
    const job = this.jobs.get(event.job_id ?? NaN);
    if (job && isForeign(event)) {
      job.status = (decode(event.detail) as { to: JobStatus }).to;
      return;
    }
    if (!change || !job) {
      this.#violation(
        event,
        `${event.kind} of job ${event.job_id ?? "?"} does not follow from the events before`,
      );
      return;
    }
    if (!change.from.includes(job.status))
      this.#violation(
        event,
        `${event.kind} of job ${event.job_id ?? "?"} (${job.agent} of ${event.work_item_id ?? "no task"}) while it was ${job.status}`,
      );
    job.status = change.to;
    if (event.kind !== "job.claimed") return;
    this.claims += 1;
    if (job.agent !== this.#entryAgent) return;
    for (const [freeze, repo] of this.frozen)
      if (repo === event.repo)
        this.#violation(
          event,
          `job ${event.job_id ?? "?"} (${job.agent} of ${event.work_item_id ?? "no task"}) started under freeze ${freeze} of ${repo}`,
        );
    if (event.task_id !== null) this.#entered(event);
  }

  /** Judges the start of a task by the other tasks in its lane. */
  #entered(event: EventRow): void {
    const task = this.#taskOf(event);
    if (!task) return;
    this.entryStarts += 1;
    const name = nameOf(task.id, task.workItem);
    let overtakes = false;
    for (const other of this.#lane(event.repo).values()) {
      const older = other.id < task.id;
      if (other.paused) {
        if (!older) continue;
        overtakes = true;
        task.overtook.add(other.id);
      } else if (older)
        this.#violation(
          event,
          `${name} started out of turn: ${nameOf(other.id, other.workItem)} was ahead in the lane`,
        );
      else if (other.id > task.id && other.started && !other.overtook.has(task.id))
        this.#violation(
          event,
          `${name} started beside ${nameOf(other.id, other.workItem)}, which was in progress in the lane`,
        );
    }
    if (overtakes) this.overtakes += 1;
    if (task.started) return;
    task.started = true;
    const ms = fromStored(event.at) - task.createdAt;
    if (ms > this.longestWait.ms) this.longestWait = { ms, workItem: task.workItem };
  }
}

const PAGE = 5_000;

/** Visits every row by id, a page at a time. */
function* each<Row extends { id: number }>(
  page: (after: number, limit: number) => Statement,
  visit: (row: Row) => void,
): Tx<void> {
  let last = 0;
  for (let rows = PAGE; rows === PAGE;) {
    const found = yield* all<Row>(page(last, PAGE));
    found.forEach(visit);
    rows = found.length;
    last = found.at(-1)?.id ?? last;
  }
}

const shown = (stage: string, paused: boolean): string => (paused ? `in ${stage}, paused` : `in ${stage}`);

const keyOf = (repo: string, workItem: string | null): string => JSON.stringify([repo, workItem]);

/** Compares the rows of tasks with the events and the expectation.
 *  @returns the number of tasks */
function* compareTasks({ tasks, violations }: EventReplay, expected: readonly ExpectedTask[]): Tx<number> {
  const there = new Set<number>();
  const done = new Set<string>();
  yield* each<TaskRow>(
    (after, limit) => sql`SELECT id, repo, work_item_id, stage, paused_at FROM tasks
      WHERE id > ${after} ORDER BY id LIMIT ${limit}`,
    ({ id, repo, work_item_id, stage, paused_at }) => {
      there.add(id);
      if (stage === "done") done.add(keyOf(repo, work_item_id));
      const name = nameOf(id, work_item_id);
      const state = shown(stage, paused_at !== null);
      const task = tasks.get(id);
      const replayed = task && shown(task.stage, task.paused);
      if (replayed === undefined) violations.push(`${name} has no events`);
      else if (replayed !== state) violations.push(`${name} is ${state}, but its events say ${replayed}`);
      if (!isFinished(stage)) violations.push(`${name} is not finished: ${state}`);
    },
  );
  for (const { id, workItem } of tasks.values())
    if (!there.has(id)) violations.push(`${nameOf(id, workItem)} has events but no row`);
  for (const { repo, work_item_id } of expected)
    if (!done.has(keyOf(repo, work_item_id)))
      violations.push(`${work_item_id} of ${repo} has no task that is done`);
  return there.size;
}

/** Compares the rows of jobs with the events. */
function* compareJobs({ jobs, violations }: EventReplay): Tx<void> {
  const there = new Set<number>();
  yield* each<JobRow>(
    (after, limit) => sql`SELECT id, agent, status FROM jobs WHERE id > ${after} ORDER BY id LIMIT ${limit}`,
    ({ id, agent, status }) => {
      there.add(id);
      const replayed = jobs.get(id);
      if (!replayed) violations.push(`job ${id} (${agent}) has no events`);
      else if (replayed.status !== status)
        violations.push(`job ${id} (${agent}) is ${status}, but its events say ${replayed.status}`);
      if (OPEN.includes(status)) violations.push(`job ${id} (${agent}) is left over: ${status}`);
    },
  );
  for (const [id, { agent }] of jobs)
    if (!there.has(id)) violations.push(`job ${id} (${agent}) has events but no row`);
}

/** Compares the active freezes with the events. */
function* compareFreezes({ frozen, violations }: EventReplay): Tx<void> {
  const active = new Set<number>();
  yield* each<{ id: number; repo: string }>(
    (after, limit) => sql`SELECT id, repo FROM repo_freeze
      WHERE cleared_at IS NULL AND id > ${after} ORDER BY id LIMIT ${limit}`,
    ({ id, repo }) => {
      active.add(id);
      if (!frozen.has(id)) violations.push(`freeze ${id} of ${repo} is active, but its events say it is not`);
    },
  );
  for (const [id, repo] of frozen)
    if (!active.has(id))
      violations.push(`freeze ${id} of ${repo} is active by its events, but has no active row`);
}

/** Reads the whole database, which must be at rest, and reports the promises that were broken:
 *  - the entry jobs of a repository start in task order, except for recorded pauses;
 *  - at most one task of a lane is in progress, except for recorded pauses;
 *  - no entry job of a repository starts while a freeze of it is active;
 *  - a job is claimed only while it is queued, and ends only while it runs;
 *  - a finished task stays finished, every task is finished, and every expected task is done;
 *  - no job is left over;
 *  - the rows equal the state rebuilt from the event log. */
export function* verify({ entryAgent, tasks: expected = [] }: Expectation): Tx<Verdict> {
  const replayed = new EventReplay(entryAgent);
  yield* each<EventRow>(
    (after, limit) => sql`SELECT id, at, kind, repo, task_id, work_item_id, job_id, detail FROM gate_events
      WHERE id > ${after} ORDER BY id LIMIT ${limit}`,
    (event) => {
      replayed.apply(event);
    },
  );
  const tasks = yield* compareTasks(replayed, expected);
  yield* compareJobs(replayed);
  yield* compareFreezes(replayed);
  const { claims, entryStarts, overtakes, pauses, freezes, longestWait, violations } = replayed;
  return { tasks, claims, entryStarts, overtakes, pauses, freezes, longestWait, violations };
}
