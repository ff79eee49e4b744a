/** Judges what a gate did from the database's own rows: the recorded events, in their order, and what stands at
 *  the end. It knows the promises and shares nothing with the rule that should have kept them.
 *  What other programs wrote is in the record as theirs: it is taken as it is, and what the gate did after it is judged. */

import { all, type Tx } from "../store/port.ts";
import { sql, type Statement } from "../store/sql.ts";
import { type EventKind, isTerminal } from "../contract/vocabulary.ts";
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
  /** A sentence for every promise that was not kept; empty when all were. */
  readonly violations: readonly string[];
}

interface ExpectedTask {
  readonly repo: string;
  readonly work_item_id: string;
}

interface Expectation {
  /** The agent whose jobs are entry jobs. */
  readonly entryAgent: string;
  /** Tasks that must be there and done, whatever else is. */
  readonly tasks?: readonly ExpectedTask[];
}

type JobStatus = Job["status"];

/** What a recorded change of a job starts from and leads to. A job that is made for later is recorded as made
 *  only, so it may fall due from `queued`. */
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

const OPEN_STATUSES: readonly string[] = ["queued", "delayed", "running"];

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

/** What another program wrote: the rules are the gate's, not its. */
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

/** A task as the record has it so far. */
interface TaskRecord {
  readonly id: number;
  readonly workItem: string | null;
  readonly createdAt: number;
  stage: string;
  paused: boolean;
  started: boolean;
  /** The older tasks that were paused when this one started: they may run beside it once they resume. */
  readonly overtook: Set<number>;
}

interface JobRecord {
  readonly agent: string;
  status: JobStatus;
}

const isFinished = (stage: string): boolean => isTerminal(stage);

const freezeOf = ({ detail }: EventRow): number => (decode(detail) as { freeze_id: number }).freeze_id;

const nameOf = (id: number, workItem: string | null): string => `task ${id} (${workItem ?? "no work item"})`;

/** The state that the record adds up to, and what in it should not have happened.
 *  It is judged lane by lane: a lane is held while its events draw their ids, so that their order is that of the
 *  commits. Between lanes the order of ids says nothing, and nothing here depends on it. */
class EventReplay {
  readonly tasks = new Map<number, TaskRecord>();
  readonly jobs = new Map<number, JobRecord>();
  readonly violations: string[] = [];
  claims = 0;
  entryStarts = 0;
  overtakes = 0;
  pauses = 0;
  freezes = 0;
  longestWait: Verdict["longestWait"] = { ms: 0, workItem: null };
  readonly #entryAgent: string;
  /** The unfinished tasks of each repository. */
  readonly #lanes = new Map<string, Map<number, TaskRecord>>();
  /** The freezes that no one cleared yet, and whose repository each stops. */
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
        this.#tookAway(event);
        return;
      case "job.created": {
        const { agent, status = "queued" } = decode(event.detail) as { agent: string; status?: JobStatus };
        this.jobs.set(event.job_id ?? NaN, { agent, status });
        return;
      }
      case "job.deleted":
        this.jobs.delete(event.job_id ?? NaN);
        return;
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
            `freeze ${freezeOf(event)} of ${event.repo ?? "?"} was cleared and was not there`,
          );
        return;
      default:
        this.#jobChanged(event);
    }
  }

  #violation(event: EventRow, sentence: string): void {
    this.violations.push(`event ${event.id}: ${sentence}`);
  }

  #lane(repo: string | null): Map<number, TaskRecord> {
    const lane = this.#lanes.get(repo ?? "") ?? new Map<number, TaskRecord>();
    this.#lanes.set(repo ?? "", lane);
    return lane;
  }

  #created(event: EventRow): void {
    const { stage } = decode(event.detail) as { stage: string };
    const task: TaskRecord = {
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

  #taskOf(event: EventRow): TaskRecord | undefined {
    const task = this.tasks.get(event.task_id ?? NaN);
    if (!task)
      this.#violation(
        event,
        `${event.kind} of ${nameOf(event.task_id ?? NaN, event.work_item_id)}, whose creation is not recorded`,
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
  #tookAway(event: EventRow): void {
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
        `${event.kind} of job ${event.job_id ?? "?"}, which the record does not explain`,
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

  /** The gate stands here: who else was in the lane when the task's entry job started? */
  #entered(event: EventRow): void {
    const task = this.#taskOf(event);
    if (!task) return;
    this.entryStarts += 1;
    const who = nameOf(task.id, task.workItem);
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
          `${who} started out of turn: ${nameOf(other.id, other.workItem)} held the lane`,
        );
      else if (other.id > task.id && other.started && !other.overtook.has(task.id))
        this.#violation(
          event,
          `${who} started beside ${nameOf(other.id, other.workItem)}, which was in flight in the lane`,
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

/** The tasks that stand, against the record and what is expected; returns how many there are. */
function* compareTasks({ tasks, violations }: EventReplay, expected: readonly ExpectedTask[]): Tx<number> {
  const there = new Set<number>();
  const done = new Set<string>();
  yield* each<TaskRow>(
    (after, limit) => sql`SELECT id, repo, work_item_id, stage, paused_at FROM tasks
      WHERE id > ${after} ORDER BY id LIMIT ${limit}`,
    ({ id, repo, work_item_id, stage, paused_at }) => {
      there.add(id);
      if (stage === "done") done.add(keyOf(repo, work_item_id));
      const who = nameOf(id, work_item_id);
      const stands = shown(stage, paused_at !== null);
      const record = tasks.get(id);
      const recorded = record && shown(record.stage, record.paused);
      if (recorded === undefined) violations.push(`${who} has no record`);
      else if (recorded !== stands) violations.push(`${who} is ${stands}, but its record says ${recorded}`);
      if (!isFinished(stage)) violations.push(`${who} is not finished: ${stands}`);
    },
  );
  for (const { id, workItem } of tasks.values())
    if (!there.has(id)) violations.push(`${nameOf(id, workItem)} is recorded and gone`);
  for (const { repo, work_item_id } of expected)
    if (!done.has(keyOf(repo, work_item_id)))
      violations.push(`${work_item_id} of ${repo} has no task that is done`);
  return there.size;
}

/** The jobs that stand, against the record. */
function* compareJobs({ jobs, violations }: EventReplay): Tx<void> {
  const there = new Set<number>();
  yield* each<JobRow>(
    (after, limit) => sql`SELECT id, agent, status FROM jobs WHERE id > ${after} ORDER BY id LIMIT ${limit}`,
    ({ id, agent, status }) => {
      there.add(id);
      const record = jobs.get(id);
      if (!record) violations.push(`job ${id} (${agent}) has no record`);
      else if (record.status !== status)
        violations.push(`job ${id} (${agent}) is ${status}, but its record says ${record.status}`);
      if (OPEN_STATUSES.includes(status)) violations.push(`job ${id} (${agent}) is left over: ${status}`);
    },
  );
  for (const [id, { agent }] of jobs)
    if (!there.has(id)) violations.push(`job ${id} (${agent}) is recorded and gone`);
}

/** The freezes that stand, against the record. */
function* compareFreezes({ frozen, violations }: EventReplay): Tx<void> {
  const standing = new Set<number>();
  yield* each<{ id: number; repo: string }>(
    (after, limit) => sql`SELECT id, repo FROM repo_freeze
      WHERE cleared_at IS NULL AND id > ${after} ORDER BY id LIMIT ${limit}`,
    ({ id, repo }) => {
      standing.add(id);
      if (!frozen.has(id)) violations.push(`freeze ${id} of ${repo} stands, but its record says it does not`);
    },
  );
  for (const [id, repo] of frozen)
    if (!standing.has(id)) violations.push(`freeze ${id} of ${repo} is recorded and does not stand`);
}

/** Reads the whole database, which should be at rest, and says what of the gate's promises was not kept:
 *  - entry jobs of a repository started in task order but for recorded pauses;
 *  - no two tasks of a lane were in flight at once but for recorded pauses;
 *  - no entry job of a repository started while a freeze of it stood;
 *  - a job was claimed only while it was queued, and ended only while it ran;
 *  - a finished task stayed finished, every task is finished, and every one that is expected is there and done;
 *  - no job is left over;
 *  - the rows are what the record adds up to. */
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
