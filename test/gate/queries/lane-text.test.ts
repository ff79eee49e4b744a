import { expect, it } from "vitest";
import type { Lane } from "../../../src/contract/queue.ts";
import { piecesOf, textOf } from "../../../src/gate/queries/lanes/text.ts";

const REPO = 'acme/"é"';

const waiting = (count: number): Lane["waiting"] =>
  Array.from({ length: count }, (_, index) => ({
    job_id: index + 1,
    task_id: index + 1,
    work_item_id: `W-${index} …`,
    stage: "analysis",
    agent: "analyst",
    reason: "active-task",
    position: index + 1,
    since: "2026-06-15T08:00:00.000Z",
  }));

const running = (ends: readonly (string | null)[]): Lane["running"] =>
  ends.map((lease_expires_at, index) => ({
    task_id: 1,
    work_item_id: "é",
    job_id: 900 + index,
    agent: "developer",
    worker: "wörker",
    since: null,
    lease_expires_at,
  }));

const stuck = (count: number): Lane["stuck"] =>
  Array.from({ length: count }, (_, index) => ({ task_id: index, work_item_id: null, because: "it …" }));

const laneOf = (more: Partial<Lane>): Lane => ({
  active_task: null,
  running: [],
  waiting: [],
  paused: [],
  freezes: [],
  unlisted: { waiting: 3 },
  frozen: false,
  frozen_reason: null,
  frozen_at: null,
  stuck: [],
  ...more,
});

const TIMES = ["2026-06-15T08:00:00.000Z", null, "no time", "2026-06-15T08:00:01.000Z"];
const LATER = ["2026-06-15T08:00:00.000Z", "2026-06-15T09:00:00.000Z", null, "…"];

it.each([
  ["an empty lane", 0, 0],
  ["a lane with stuck tasks", 3, 2],
  ["a lane of as many entries as one step writes", 996, 0],
  ["a lane that its stuck tasks make long", 990, 20],
  ["a long lane", 2_500, 0],
  ["a long lane with stuck tasks", 2_500, 1_500],
])(
  "writes %s from its kept text as it would from its objects, with the leases as of now",
  (_, jobs, tasks) => {
    const kept = textOf(REPO, laneOf({ waiting: waiting(jobs), running: running(TIMES) }));
    const pieces = piecesOf(kept, stuck(tasks), (job) => LATER[job - 900] ?? null);
    const now = laneOf({ waiting: waiting(jobs), running: running(LATER), stuck: stuck(tasks) });
    const text = pieces.map(String).join("");
    expect(text).toBe(String(textOf(REPO, now).bytes));
    expect(JSON.parse(`{${text.slice(1)}}`)).toEqual({ [REPO]: now });
    const isLong = jobs + TIMES.length + tasks > 1_000;
    expect(text.indexOf('"frozen":') < text.indexOf('"waiting":[')).toBe(isLong);
  },
);
