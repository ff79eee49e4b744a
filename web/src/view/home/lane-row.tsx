/** One lane in the list: its task, the waiting in order with their reasons, the paused, and a freeze as a bar. */

import type { JSX } from "preact";
import { cursor, pick, picked } from "../../state/board.ts";
import { hrefOf } from "../../state/route.ts";
import type { WaitingJob } from "../../state/types.ts";
import { activeReason, type LaneRow } from "../../model/lanes.ts";
import { count, many, taskName, timeOf } from "../../model/words.ts";
import { Age, Repo, State, Text } from "../common/parts.tsx";
import { Icon, type IconName } from "../common/icon.tsx";

const MOST_CHIPS = 6;
/** Characters that the chips of a lane have together. */
const ROOM = 46;
/** The width of a chip beside its name, in characters. */
const FRAME = 5;
const LONGEST = 22;

/** As many names as there is room for, at least one. */
const fitting = (names: readonly string[], room: number): number => {
  let left = room;
  let count = 0;
  for (const name of names.slice(0, MOST_CHIPS)) {
    left -= Math.min(name.length, LONGEST) + FRAME;
    if (left < 0 && count > 0) break;
    count += 1;
  }
  return count;
};

const REASON_ICONS: Readonly<Record<string, IconName>> = {
  freeze: "freeze",
  dependency: "arrow",
  "active-task": "waiting",
  paused: "pause",
  finished: "close",
};

const Chip = ({
  task,
  name,
  reason,
  title,
}: {
  task: number | null;
  name: string;
  reason: string;
  title: string;
}): JSX.Element => {
  const inside = (
    <>
      <Icon name={reason === "ready" ? "ready" : (REASON_ICONS[reason] ?? "waiting")} />
      <bdi>{name}</bdi>
    </>
  );
  return task === null ? (
    <span class={`chip chip-${reason}`} title={title}>
      {inside}
    </span>
  ) : (
    <a class={`chip chip-${reason}`} href={hrefOf({ task })} title={title} tabIndex={-1}>
      {inside}
    </a>
  );
};

const Queue = ({ lane }: LaneRow): JSX.Element => {
  const active = lane.active_task;
  const apart = new Set([active?.task_id, ...lane.paused.map(({ task_id }) => task_id)]);
  const behind = lane.waiting.filter(({ task_id }) => task_id === null || !apart.has(task_id));
  const nameOfJob = (job: WaitingJob): string => taskName(job.work_item_id, job.task_id, job.job_id);
  const names = behind.slice(0, MOST_CHIPS).map(nameOfJob);
  const number = fitting(names, lane.paused.length > 0 ? ROOM * 0.6 : ROOM);
  const first = behind.slice(0, number);
  const taken = names.slice(0, number).reduce((sum, name) => sum + Math.min(name.length, LONGEST) + FRAME, 0);
  const pausedNames = lane.paused
    .slice(0, MOST_CHIPS)
    .map((task) => taskName(task.work_item_id, task.task_id));
  const paused = lane.paused.slice(0, fitting(pausedNames, ROOM - taken));
  const more = behind.length - first.length;
  const morePaused = lane.paused.length - paused.length;
  return (
    <div class="chips">
      {first.map((job) => {
        const { job_id, task_id, reason, agent } = job;
        const name = nameOfJob(job);
        return (
          <Chip
            key={job_id}
            task={task_id}
            name={name}
            reason={reason ?? "ready"}
            title={`${name}: ${reason ?? "ready"} (${agent}, job ${job_id})`}
          />
        );
      })}
      {more > 0 && <span class="chip chip-more">+{count(more)}</span>}
      {paused.map(({ task_id, work_item_id, paused_by, pause_reason }) => {
        const name = taskName(work_item_id, task_id);
        return (
          <Chip
            key={`p${task_id}`}
            task={task_id}
            name={name}
            reason="paused"
            title={`${name}: paused${paused_by === null ? "" : ` by ${paused_by}`}${pause_reason === null ? "" : `: ${pause_reason}`}`}
          />
        );
      })}
      {morePaused > 0 && <span class="chip chip-more">+{count(morePaused)} paused</span>}
    </div>
  );
};

const JOB_WORDS: Readonly<Record<string, string>> = {
  queued: "waits for a worker",
  delayed: "is retried later",
  failed: "failed",
};

const Active = ({ lane }: LaneRow): JSX.Element => {
  const task = lane.active_task;
  if (!task)
    return <div class="lane-active faint">{lane.paused.length > 0 ? "nothing in the lane" : "idle"}</div>;
  const { job } = task;
  const held = activeReason(lane);
  return (
    <div class="lane-active">
      <span class="line">
        <a class="work-item" href={hrefOf({ task: task.task_id })} tabIndex={-1}>
          <bdi>{taskName(task.work_item_id, task.task_id)}</bdi>
        </a>
        <span class="stage">
          <Text>{task.stage}</Text>
        </span>
      </span>
      <span class="line faint">
        {job === null ? (
          "no job"
        ) : (
          <>
            <Text>{job.agent}</Text>{" "}
            {job.status === "running" ? (
              <>
                {job.worker !== null && (
                  <>
                    on <Text>{job.worker}</Text>
                  </>
                )}
              </>
            ) : (held ?? null) === null ? (
              (JOB_WORDS[job.status] ?? job.status)
            ) : (
              `held (${held})`
            )}
            {" · "}
            <Age since={timeOf(job.since)} />
            {job.progress !== null && (
              <>
                {" · "}
                <Text>{job.progress}</Text>
              </>
            )}
          </>
        )}
      </span>
    </div>
  );
};

/** The bar under a lane that needs a person. */
const Bar = ({ lane, state }: LaneRow): JSX.Element | null => {
  const freeze = lane.freezes.at(-1);
  const by = freeze?.by ?? null;
  const stuck = lane.stuck[0];
  if (lane.frozen)
    return (
      <p class="lane-bar lane-bar-frozen">
        <Icon name="freeze" />
        <span>
          Frozen
          {by !== null && (
            <>
              {" by "}
              <Text>{by}</Text>
            </>
          )}{" "}
          {freeze && <Age since={timeOf(freeze.frozen_at)} suffix=" ago" />}
          {lane.freezes.length > 1 && `, ${lane.freezes.length} times`}
        </span>
        <Text class="lane-bar-why">
          {freeze ? (freeze.reason ?? "no reason was given") : "its freezes cannot be read"}
        </Text>
      </p>
    );
  if (state === "stuck" && stuck)
    return (
      <p class="lane-bar lane-bar-stuck">
        <Icon name="stuck" />
        <span>
          <Text>{taskName(stuck.work_item_id, stuck.task_id)}</Text> is stuck:
        </span>
        <Text class="lane-bar-why">{stuck.because}</Text>
      </p>
    );
  return null;
};

export const hasBar = ({ lane, state }: LaneRow): boolean => lane.frozen || state === "stuck";

const summaryOf = ({ repo, lane, state }: LaneRow): string => {
  const active = lane.active_task
    ? `, ${taskName(lane.active_task.work_item_id, lane.active_task.task_id)} has it`
    : "";
  return `${repo}: ${state}${active}, ${many(lane.waiting.length, "job")} waiting, ${lane.paused.length} paused`;
};

interface Placed {
  readonly row: LaneRow;
  readonly top: number;
  readonly height: number;
  readonly index: number;
  readonly of: number;
}

export const LaneItem = ({ row, top, height, index, of }: Placed): JSX.Element => {
  const { repo, state, waitingSince } = row;
  const isPicked = picked.value.has(repo);
  return (
    <li
      class={`lane lane-${state} ${cursor.value === repo ? "at-cursor" : ""} ${isPicked ? "is-picked" : ""}`}
      style={{ transform: `translateY(${top}px)`, height: `${height}px` }}
      aria-setsize={of}
      aria-posinset={index + 1}
      data-repo={repo}
    >
      <input
        type="checkbox"
        checked={isPicked}
        aria-label={`Select ${repo}`}
        onChange={({ currentTarget }) => {
          pick(repo, currentTarget.checked);
        }}
      />
      <a class="lane-name" href={hrefOf({ repo })} aria-label={summaryOf(row)}>
        <Repo name={repo} />
      </a>
      <State state={state} />
      <Active {...row} />
      <Queue {...row} />
      <div class="lane-wait">{waitingSince === null ? "" : <Age since={waitingSince} />}</div>
      <Bar {...row} />
    </li>
  );
};
