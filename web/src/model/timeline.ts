/** A lane's history as spans to draw, from its events: which task held it when, which job ran, where a task was paused or
 *  overtaken, when the repository was frozen. Pure: events in, spans out. */

import { isTerminal } from "../../../src/contract/vocabulary.ts";
import type { Lane, LogEvent } from "../state/types.ts";
import { taskName, timeOf } from "./words.ts";

export type SpanKind = "waits" | "holds" | "job" | "paused" | "frozen";

export interface Span {
  readonly kind: SpanKind;
  readonly from: number;
  /** Null while it lasts. */
  readonly to: number | null;
  /** True when it began before the first event that was read. */
  readonly cut: boolean;
  /** In words, without the times. */
  readonly facts: string;
}

export interface Mark {
  readonly at: number;
  readonly facts: string;
}

export interface TaskLine {
  readonly task_id: number;
  readonly name: string;
  readonly spans: readonly Span[];
  readonly marks: readonly Mark[];
  readonly from: number;
  readonly to: number | null;
}

export interface Timeline {
  readonly tasks: readonly TaskLine[];
  readonly freezes: readonly Span[];
}

interface Draft {
  readonly id: number;
  name: string;
  readonly from: number;
  readonly cut: boolean;
  to: number | null;
  waits: number | null;
  holds: number | null;
  paused: { at: number; facts: string } | null;
  readonly jobs: Map<number, { at: number; facts: string }>;
  readonly spans: Span[];
  readonly marks: Mark[];
}

const detailOf = ({ detail }: LogEvent): Readonly<Record<string, unknown>> =>
  typeof detail === "object" && detail !== null ? (detail as Record<string, unknown>) : {};

const ENDS: Readonly<Record<string, string>> = {
  "job.completed": "completed",
  "job.failed": "failed",
  "job.delayed": "failed, to be retried",
  "job.released": "given back",
  "job.lapsed": "its lease expired",
  "job.cancelled": "cancelled",
};

class Drafts {
  readonly tasks = new Map<number, Draft>();
  readonly freezes: Span[] = [];
  readonly #open = new Map<number, { at: number; facts: string; cut: boolean }>();
  readonly #start: number;

  constructor(start: number) {
    this.#start = start;
  }

  of(id: number, workItem: string | null, at?: number): Draft {
    let draft = this.tasks.get(id);
    if (!draft) {
      draft = {
        id,
        name: taskName(workItem, id),
        from: at ?? this.#start,
        cut: at === undefined,
        to: null,
        waits: at ?? this.#start,
        holds: null,
        paused: null,
        jobs: new Map(),
        spans: [],
        marks: [],
      };
      this.tasks.set(id, draft);
    }
    if (workItem !== null) draft.name = workItem;
    return draft;
  }

  freeze(id: number, at: number, facts: string, cut = false): void {
    if (!this.#open.has(id)) this.#open.set(id, { at, facts, cut });
  }

  unfreeze(id: number, at: number, how: string): void {
    const {
      at: from,
      facts,
      cut,
    } = this.#open.get(id) ?? { at: this.#start, facts: `freeze ${id}`, cut: true };
    this.#open.delete(id);
    this.freezes.push({ kind: "frozen", from, to: at, cut, facts: `${facts}; ${how}` });
  }

  close(): void {
    for (const { at, facts, cut } of this.#open.values())
      this.freezes.push({ kind: "frozen", from: at, to: null, cut, facts });
  }
}

const endWait = (draft: Draft, at: number): void => {
  if (draft.waits !== null && at > draft.waits)
    draft.spans.push({
      kind: "waits",
      from: draft.waits,
      to: at,
      cut: draft.cut && draft.waits === draft.from,
      facts: "waited",
    });
  draft.waits = null;
};

const endHold = (draft: Draft, at: number): void => {
  if (draft.holds !== null)
    draft.spans.push({ kind: "holds", from: draft.holds, to: at, cut: false, facts: "held the lane" });
  draft.holds = null;
};

const endPause = (draft: Draft, at: number, how: string): void => {
  if (draft.paused)
    draft.spans.push({
      kind: "paused",
      from: draft.paused.at,
      to: at,
      cut: false,
      facts: `${draft.paused.facts}${how}`,
    });
  draft.paused = null;
};

const endJob = (draft: Draft, job: number, at: number, how: string): void => {
  const run = draft.jobs.get(job);
  if (run) draft.spans.push({ kind: "job", from: run.at, to: at, cut: false, facts: `${run.facts}: ${how}` });
  draft.jobs.delete(job);
};

const endTask = (draft: Draft, at: number): void => {
  endWait(draft, at);
  endHold(draft, at);
  endPause(draft, at, "");
  draft.to = at;
};

const byWhom = ({ actor, reason }: LogEvent): string =>
  `${actor === null ? "" : ` by ${actor}`}${reason === null ? "" : `: ${reason}`}`;

const claim = (drafts: Drafts, draft: Draft, event: LogEvent, at: number): void => {
  const { agent, worker } = detailOf(event);
  const who = typeof worker === "string" ? ` on ${worker}` : "";
  if (event.job_id !== null)
    draft.jobs.set(event.job_id, {
      at,
      facts: `${typeof agent === "string" ? agent : "a job"}${who} (job ${event.job_id})`,
    });
  if (draft.holds !== null || draft.paused) return;
  endWait(draft, at);
  draft.holds = at;
  for (const other of drafts.tasks.values())
    if (other.id < draft.id && other.to === null && other.paused)
      other.marks.push({ at, facts: `overtaken by ${draft.name}` });
};

const take = (drafts: Drafts, event: LogEvent): void => {
  const at = timeOf(event.at);
  if (at === null) return;
  const { kind, task_id, job_id, work_item_id } = event;
  const { freeze_id, to } = detailOf(event);
  if (kind === "repo.frozen" && typeof freeze_id === "number")
    drafts.freeze(freeze_id, at, `frozen${byWhom(event)}`);
  else if (kind === "repo.unfrozen" && typeof freeze_id === "number")
    drafts.unfreeze(freeze_id, at, `cleared${byWhom(event)}`);
  if (task_id === null || kind.startsWith("repo.")) return;
  const draft = drafts.of(task_id, work_item_id, kind === "task.created" ? at : undefined);
  if (kind === "job.claimed") claim(drafts, draft, event, at);
  else if (job_id !== null && ENDS[kind] !== undefined)
    endJob(draft, job_id, at, `${ENDS[kind] ?? kind}${event.reason === null ? "" : ` (${event.reason})`}`);
  else if (kind === "task.paused") {
    endWait(draft, at);
    endHold(draft, at);
    draft.paused ??= { at, facts: `paused${byWhom(event)}` };
  } else if (kind === "task.resumed") {
    endPause(draft, at, event.actor === null ? "" : `; resumed by ${event.actor}`);
    draft.waits = at;
  } else if (kind === "task.cancelled" || kind === "task.deleted") endTask(draft, at);
  else if (kind === "task.stage" && typeof to === "string" && isTerminal(to)) endTask(draft, at);
};

/** The open spans of the tasks that are not over, in the state that the lane has now. */
const lasting = (draft: Draft): Span[] => {
  const open = { to: null, cut: false } as const;
  return [
    ...(draft.waits === null
      ? []
      : [
          {
            ...open,
            kind: "waits" as const,
            from: draft.waits,
            cut: draft.cut && draft.waits === draft.from,
            facts: "waits",
          },
        ]),
    ...(draft.holds === null
      ? []
      : [{ ...open, kind: "holds" as const, from: draft.holds, facts: "holds the lane" }]),
    ...(draft.paused === null
      ? []
      : [{ ...open, kind: "paused" as const, from: draft.paused.at, facts: draft.paused.facts }]),
    ...Array.from(draft.jobs.values(), ({ at, facts }) => ({
      ...open,
      kind: "job" as const,
      from: at,
      facts: `${facts}: running`,
    })),
  ];
};

/** Adds what the lane has now and no event tells: tasks and freezes from before the first event. */
const addLane = (drafts: Drafts, lane: Lane): void => {
  for (const { freeze_id, frozen_at, by, reason } of lane.freezes) {
    const at = timeOf(frozen_at);
    if (at !== null)
      drafts.freeze(
        freeze_id,
        at,
        `frozen${by === null ? "" : ` by ${by}`}${reason === null ? "" : `: ${reason}`}`,
      );
  }
  for (const { task_id, work_item_id, paused_at, paused_by, pause_reason } of lane.paused) {
    if (drafts.tasks.has(task_id)) continue;
    const draft = drafts.of(task_id, work_item_id);
    draft.waits = null;
    const at = timeOf(paused_at);
    if (at !== null)
      draft.paused = {
        at,
        facts: `paused${paused_by === null ? "" : ` by ${paused_by}`}${pause_reason === null ? "" : `: ${pause_reason}`}`,
      };
  }
  const active = lane.active_task;
  const since = timeOf(active?.since);
  if (active && !drafts.tasks.has(active.task_id)) {
    const draft = drafts.of(active.task_id, active.work_item_id);
    if (since !== null) {
      draft.waits = null;
      draft.holds = since;
    }
  }
  for (const { task_id, work_item_id, since: created } of lane.waiting)
    if (task_id !== null && !drafts.tasks.has(task_id))
      drafts.of(task_id, work_item_id, timeOf(created) ?? undefined);
};

/** The later lies on the earlier. */
const LAYERS: readonly SpanKind[] = ["waits", "holds", "paused", "job", "frozen"];

/** @param start the time of the first event that was read
 *  @param lane the lane as it is now; undefined when nothing is in it */
export const timelineOf = (events: readonly LogEvent[], start: number, lane: Lane | undefined): Timeline => {
  const drafts = new Drafts(start);
  for (const event of events) take(drafts, event);
  if (lane) addLane(drafts, lane);
  drafts.close();
  const tasks = [...drafts.tasks.values()]
    .sort((a, b) => a.id - b.id)
    .map((draft): TaskLine => ({
      task_id: draft.id,
      name: draft.name,
      spans: [...draft.spans, ...(draft.to === null ? lasting(draft) : [])].sort(
        (a, b) => LAYERS.indexOf(a.kind) - LAYERS.indexOf(b.kind) || a.from - b.from,
      ),
      marks: draft.marks,
      from: draft.from,
      to: draft.to,
    }));
  return { tasks, freezes: drafts.freezes };
};
