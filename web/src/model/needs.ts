/** Everything that waits for a person, from the lanes as they are: one item each, the most urgent kind first. */

import type { Job, Lane } from "../state/types.ts";
import { activeReason } from "./lanes.ts";
import { timeOf } from "./words.ts";

export type NeedKind = "stuck" | "frozen" | "failed" | "paused" | "unclaimed";

export interface Need {
  readonly key: string;
  readonly kind: NeedKind;
  readonly repo: string;
  readonly task_id: number | null;
  readonly work_item_id: string | null;
  readonly job_id: number | null;
  readonly freeze_id: number | null;
  readonly agent: string | null;
  /** The service's or a person's words: why it is stuck, frozen, paused or failed. */
  readonly because: string | null;
  readonly by: string | null;
  /** Milliseconds since 1970; null where it is not known. */
  readonly since: number | null;
  /** Waiting jobs behind it. */
  readonly behind: number;
  /** When the first of them was created. */
  readonly behindSince: number | null;
}

const LONG_PAUSE_MS = 86_400_000;
/** A worker that polls finds a ready job in less. */
const UNCLAIMED_MS = 120_000;

const need = (kind: NeedKind, repo: string, more: Partial<Need>): Need => ({
  kind,
  repo,
  task_id: null,
  work_item_id: null,
  job_id: null,
  freeze_id: null,
  agent: null,
  because: null,
  by: null,
  since: null,
  behind: 0,
  behindSince: null,
  ...more,
  key: [kind, repo, more.task_id ?? "", more.job_id ?? "", more.freeze_id ?? ""].join("|"),
});

interface Seen {
  readonly now: number;
  /** When a lane last changed; undefined while that is not known. */
  readonly changedAt: (repo: string) => number | undefined;
  readonly failed: readonly Job[];
}

const behindIn = (jobs: Lane["waiting"]): Pick<Need, "behind" | "behindSince"> => {
  const times = jobs.flatMap(({ since }) => timeOf(since) ?? []);
  return { behind: jobs.length, behindSince: times.length === 0 ? null : Math.min(...times) };
};

const stuckIn = (repo: string, lane: Lane): Need[] =>
  lane.stuck.map(({ task_id, work_item_id, because }) => {
    const job = lane.active_task?.task_id === task_id ? lane.active_task.job : null;
    return need("stuck", repo, {
      task_id,
      work_item_id,
      because,
      job_id: job?.job_id ?? null,
      since: timeOf(job?.since),
      ...behindIn(lane.waiting.filter((each) => each.task_id !== task_id)),
    });
  });

const frozenIn = (repo: string, { freezes, frozen, waiting }: Lane): Need[] => {
  // A part of the database cannot be read: it counts as frozen, and there is no freeze to clear.
  if (frozen && freezes.length === 0)
    return [need("frozen", repo, { because: "its freezes cannot be read", behind: waiting.length })];
  return freezes.map(({ freeze_id, reason, by, frozen_at, work_item_id }) =>
    need("frozen", repo, {
      freeze_id,
      because: reason,
      by,
      work_item_id,
      since: timeOf(frozen_at),
      behind: waiting.filter((each) => each.reason === "freeze").length,
    }),
  );
};

const pausedIn = (repo: string, { paused }: Lane, now: number): Need[] =>
  paused.flatMap(({ task_id, work_item_id, pause_reason, paused_by, paused_at }) => {
    const since = timeOf(paused_at);
    if (since === null || now - since < LONG_PAUSE_MS) return [];
    return [need("paused", repo, { task_id, work_item_id, because: pause_reason, by: paused_by, since })];
  });

const unclaimedIn = (repo: string, lane: Lane, { now, changedAt }: Seen): Need[] => {
  const changed = changedAt(repo);
  const jobs = lane.waiting.filter(({ reason }) => reason === null);
  const { task_id = null, work_item_id = null, job } = lane.active_task ?? {};
  const isNext = job && activeReason(lane) === null && !jobs.some(({ job_id }) => job_id === job.job_id);
  const ready = [...jobs, ...(isNext ? [{ ...job, task_id, work_item_id }] : [])];
  return ready.flatMap(({ since, ...one }) => {
    // A change of the lane may have made it ready only then.
    const created = timeOf(since);
    const readySince = created === null ? changed : Math.max(created, changed ?? created);
    if (readySince === undefined || now - readySince < UNCLAIMED_MS) return [];
    const { job_id, agent } = one;
    return [
      need("unclaimed", repo, {
        job_id,
        agent,
        task_id: one.task_id,
        work_item_id: one.work_item_id,
        since: readySince,
      }),
    ];
  });
};

const failedAmong = (
  lanes: ReadonlyMap<string, Lane>,
  failed: readonly Job[],
  isTold: (task: number | null) => boolean,
): Need[] =>
  failed.flatMap((job) => {
    const lane = job.repo === null ? undefined : lanes.get(job.repo);
    if (!lane || job.repo === null || isTold(job.task_id)) return [];
    const isLast = lane.active_task?.job?.job_id === job.id;
    const isPaused = lane.paused.some(({ task_id }) => task_id === job.task_id);
    if (!isLast && !isPaused) return [];
    return [
      need("failed", job.repo, {
        job_id: job.id,
        task_id: job.task_id,
        work_item_id: job.work_item_id,
        agent: job.agent,
        because: job.error,
        since: timeOf(job.finished_at),
      }),
    ];
  });

const ORDER: readonly NeedKind[] = ["stuck", "frozen", "failed", "unclaimed", "paused"];

/** The things that wait for a person, the most urgent kind first, within a kind the longest first. */
export const needsOf = (lanes: ReadonlyMap<string, Lane>, seen: Seen): Need[] => {
  const needs: Need[] = [];
  const told = new Set<number | null>();
  for (const [repo, lane] of lanes) {
    if (lane.stuck.length > 0) {
      needs.push(...stuckIn(repo, lane));
      for (const { task_id } of lane.stuck) told.add(task_id);
    }
    if (lane.frozen) needs.push(...frozenIn(repo, lane));
    if (lane.paused.length > 0) needs.push(...pausedIn(repo, lane, seen.now));
    if (!lane.frozen) needs.push(...unclaimedIn(repo, lane, seen));
  }
  needs.push(...failedAmong(lanes, seen.failed, (task) => told.has(task)));
  return needs.sort(
    (a, b) =>
      ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind) ||
      (a.since ?? 0) - (b.since ?? 0) ||
      (a.repo < b.repo ? -1 : 1),
  );
};
