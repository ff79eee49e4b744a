/** The state that the pages show, computed from the lanes, the log and the address. */

import { computed, effect, signal } from "@preact/signals";
import { activeReason, countsOf, isReady, rowsOf, select, waitsByReason } from "../model/lanes.ts";
import { needsOf } from "../model/needs.ts";
import { now } from "./clock.ts";
import { pathOf, read } from "./http.ts";
import { changedAt, log, movedAt } from "./log.ts";
import { lanes, summary } from "./queue.ts";
import { route } from "./route.ts";
import { may } from "./session.ts";
import type { Job, JobPage } from "./types.ts";

const STEP_MS = 10_000;
/** For what changes with time alone, and need not each second. */
const slowNow = computed(() => Math.floor(now.value / STEP_MS) * STEP_MS);

export const rows = computed(() => rowsOf(lanes.value));
export const counts = computed(() => countsOf(rows.value));
export const waits = computed(() => waitsByReason(rows.value));
export const selected = computed(() => {
  const { q, show, sort, idle } = route.value;
  return select(rows.value, { q, show, sort, idle });
});

const MOST_FAILED = 100;
const failed = signal<readonly Job[]>([]);

/** Reads the newest failed jobs when their number changes. */
export const watchFailures = (): void => {
  const total = computed(() => summary.value?.jobs.failed ?? 0);
  effect(() => {
    if (total.value === 0 || !may("read")) {
      failed.value = [];
      return;
    }
    read<JobPage>(pathOf("/jobs", { status: "failed", limit: MOST_FAILED })).then(
      ({ jobs }) => (failed.value = jobs),
      () => undefined,
    );
  });
};

export const needs = computed(() => {
  const cover = log.value?.from;
  return needsOf(lanes.value, {
    now: slowNow.value,
    // Nothing in the log: the lane has not changed for as long as the log reaches back.
    changedAt: (repo) => changedAt.get(repo) ?? cover,
    failed: failed.value,
  });
});

export const running = computed(() => rows.value.reduce((sum, { lane }) => sum + lane.running.length, 0));

export type Movement = "moving" | "still" | "idle" | "unknown";

const STILL_MS = 300_000;

/** Whether work moves: another fact than whether this page is connected. */
export const movement = computed<Movement>(() => {
  if (running.value === 0 && !rows.value.some(({ lane }) => isReady(lane))) return "idle";
  if (movedAt.value === null) return "unknown";
  return slowNow.value - movedAt.value > STILL_MS ? "still" : "moving";
});

/** Jobs that workers could claim now. */
export const ready = computed(() => {
  const entries = waits.value.get("ready") ?? 0;
  // The next job of a task in progress is not among the waiting.
  return rows.value.reduce(
    (sum, { lane }) =>
      sum +
      (activeReason(lane) === null &&
      !lane.waiting.some(({ job_id }) => job_id === lane.active_task?.job?.job_id)
        ? 1
        : 0),
    entries,
  );
});
export const paused = computed(() => rows.value.reduce((sum, { lane }) => sum + lane.paused.length, 0));
export const waitingCount = computed(() => {
  let sum = 0;
  for (const [reason, number] of waits.value) if (reason !== "ready" && reason !== "paused") sum += number;
  return sum;
});

/** The repositories that are selected for one action on all. */
export const picked = signal<ReadonlySet<string>>(new Set());

export const pick = (repo: string, isPicked: boolean): void => {
  const next = new Set(picked.value);
  if (isPicked) next.add(repo);
  else next.delete(repo);
  picked.value = next;
};

/** The row that the keyboard is at. */
export const cursor = signal<string | null>(null);
