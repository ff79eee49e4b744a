/** The queue for a model: few words, and limits on lanes and entries, so that a large queue does not fill its memory. Names
 *  are quoted; reasons and titles, which other people write, are left to the structured content. */

import type { Queue } from "../client/client.ts";
import { quoted } from "./quoted.ts";

type Lane = Queue["serial_gate"]["per_repo"][string];

/** Lanes, and entries of a list of a lane, that an answer shows. */
const MOST_LANES = 50;
const MOST_ENTRIES = 20;

const nameOf = (name: string | null, id: number | null): string =>
  name === null ? `job or task ${id ?? "?"}` : quoted(name);

/** A lane with the first entries of its lists, and how many there are. */
const shortLane = (repo: string, lane: Lane) => {
  const { waiting, paused, running, stuck, freezes, unlisted, ...rest } = lane;
  const lists = { waiting, paused, running, stuck, freezes };
  return {
    repo,
    ...rest,
    ...Object.fromEntries(
      Object.entries(lists).map(([name, entries]) => [name, entries.slice(0, MOST_ENTRIES)]),
    ),
    counts: {
      waiting: waiting.length + (unlisted?.waiting ?? 0),
      paused: paused.length + (unlisted?.paused ?? 0),
      running: running.length,
      stuck: stuck.length,
      freezes: freezes.length + (unlisted?.freezes ?? 0),
    },
  };
};

const laneLine = (repo: string, { active_task, waiting, paused, stuck, frozen }: Lane): string => {
  const shown = waiting
    .slice(0, MOST_ENTRIES)
    .map(({ work_item_id, job_id, reason }) => `${nameOf(work_item_id, job_id)} (${reason ?? "ready"})`);
  const more = waiting.length > MOST_ENTRIES ? ` and ${waiting.length - MOST_ENTRIES} more` : "";
  return [
    `${quoted(repo)}:${frozen ? " FROZEN." : ""}`,
    active_task === null
      ? "nobody has the lane;"
      : `${nameOf(active_task.work_item_id, active_task.task_id)} has the lane (${active_task.stage}, job ${active_task.job?.status ?? "none"});`,
    waiting.length === 0 ? "nothing waits" : `waiting: ${shown.join(", ")}${more}`,
    ...(paused.length > 0 ? [`; ${paused.length} paused`] : []),
    ...(stuck.length > 0 ? [`; ${stuck.length} stuck without a person`] : []),
  ].join(" ");
};

/** The queue as text, and its lanes as data. Lanes that are stuck, frozen or waited in come first. */
export const describeQueue = ({ serial_gate: { per_repo, ...gate }, ...queue }: Queue) => {
  const weight = ({ stuck, frozen, waiting }: Lane): number =>
    (stuck.length > 0 ? 4 : 0) + (frozen ? 2 : 0) + (waiting.length > 0 ? 1 : 0);
  const lanes = Object.entries(per_repo).sort(([, a], [, b]) => weight(b) - weight(a));
  const shown = lanes.slice(0, MOST_LANES);
  const left = lanes.length - shown.length;
  const { queued, delayed, running, failed } = queue.jobs;
  return {
    text: [
      `Jobs: ${queued} queued, ${delayed} delayed, ${running} running, ${failed} failed.`,
      ...shown.map(([repo, lane]) => laneLine(repo, lane)),
      ...(left > 0 ? [`${left} further lanes are left out: name repositories to see them.`] : []),
    ].join("\n"),
    data: {
      ...queue,
      serial_gate: gate,
      lanes: shown.map(([repo, lane]) => shortLane(repo, lane)),
      lanes_left_out: left,
    },
  };
};
