/** One lane: its task, what waits and why, what is paused, its freezes, and its history. */

import { useSignal } from "@preact/signals";
import type { ComponentChildren, JSX } from "preact";
import { ask } from "../../state/acting.ts";
import { rows } from "../../state/board.ts";
import { lanes } from "../../state/queue.ts";
import { hrefOf } from "../../state/route.ts";
import { may } from "../../state/session.ts";
import type { Lane } from "../../state/types.ts";
import {
  cancelTask,
  freezeRepo,
  pauseLane,
  pauseTask,
  releaseJob,
  resumeLane,
  resumeTask,
  retryJob,
  unfreezeRepo,
  type Action,
  type TaskRef,
} from "../../model/actions.ts";
import { activeReason } from "../../model/lanes.ts";
import { many, REASON_WORDS, taskName, timeOf } from "../../model/words.ts";
import { ActionButton, Age, Empty, Repo, Section, State, TaskLink, Text } from "../common/parts.tsx";
import { Icon } from "../common/icon.tsx";
import { LaneTimeline } from "./timeline.tsx";

const Freezes = ({ repo, lane }: { repo: string; lane: Lane }): JSX.Element => (
  <>
    {lane.freezes.map(({ freeze_id, reason, by, frozen_at, work_item_id }) => (
      <div key={freeze_id} class="freeze-bar">
        <Icon name="freeze" />
        <div>
          <p>
            <strong>Frozen</strong>
            {by !== null && (
              <>
                {" by "}
                <Text>{by}</Text>
              </>
            )}{" "}
            <Age since={timeOf(frozen_at)} suffix=" ago" />
            {work_item_id !== null && (
              <>
                {", after "}
                <Text>{work_item_id}</Text>
              </>
            )}
          </p>
          <p>
            <Text>{reason ?? "No reason was given."}</Text>
          </p>
        </div>
        <ActionButton action={unfreezeRepo(repo, freeze_id)} label="Unfreeze…" primary />
      </div>
    ))}
    {lane.frozen && lane.freezes.length === 0 && (
      <div class="freeze-bar">
        <Icon name="freeze" />
        <p>Its freezes cannot be read: it counts as frozen until they can.</p>
      </div>
    )}
  </>
);

const JOB_WORDS: Readonly<Record<string, string>> = {
  running: "runs",
  queued: "waits for a worker",
  delayed: "is delayed",
  failed: "failed for good",
};

const Active = ({ repo, lane }: { repo: string; lane: Lane }): JSX.Element => {
  const task = lane.active_task;
  if (!task) return <Empty>No task has the lane.</Empty>;
  const ref: TaskRef = { ...task, repo };
  const { job } = task;
  const held = activeReason(lane);
  const stuck = lane.stuck.find(({ task_id }) => task_id === task.task_id);
  const of = job
    ? { job_id: job.job_id, repo, of: `${job.agent} of ${taskName(task.work_item_id, task.task_id)}` }
    : null;
  return (
    <div class={`card ${stuck ? "card-stuck" : ""}`}>
      <p class="card-title">
        <TaskLink id={task.task_id} name={taskName(task.work_item_id, task.task_id)} />
        <span class="stage">
          <Text>{task.stage}</Text>
        </span>
        {task.since !== null && (
          <span class="faint">
            in progress for <Age since={timeOf(task.since)} />
          </span>
        )}
      </p>
      {job === null ? (
        <p class="faint">It has no job: somebody must add one, or finish it.</p>
      ) : (
        <p>
          job {job.job_id} (<Text>{job.agent}</Text>){" "}
          {(held ?? null) === null ? (JOB_WORDS[job.status] ?? job.status) : `is held (${held})`}
          {job.worker !== null && (
            <>
              {" on "}
              <Text>{job.worker}</Text>
            </>
          )}
          {job.status === "failed" ? (
            <>
              {" "}
              <Age since={timeOf(job.since)} suffix=" ago" />
            </>
          ) : (
            <>
              , for <Age since={timeOf(job.since)} />
            </>
          )}
          {job.attempt > 1 && `, attempt ${job.attempt} of ${job.max_attempts}`}
          {job.progress !== null && (
            <>
              {": "}
              <Text>{job.progress}</Text>
            </>
          )}
          {job.error !== null && (
            <>
              {": "}
              <Text class="bad">{job.error}</Text>
            </>
          )}
        </p>
      )}
      {stuck && job?.status !== "failed" && (
        <p class="bad">
          Stuck: <Text>{stuck.because}</Text>
        </p>
      )}
      <div class="buttons">
        {of && job?.status === "failed" && <ActionButton action={retryJob(of)} primary />}
        <ActionButton action={pauseTask(ref)} />
        {of && job?.status === "running" && <ActionButton action={releaseJob(of)} />}
        <ActionButton action={cancelTask(ref)} />
      </div>
    </div>
  );
};

/** Rows of tasks, of which many can be selected for one action. */
const Tasks = ({
  lines,
  actions,
}: {
  lines: readonly { readonly ref: TaskRef; readonly content: ComponentChildren }[];
  actions: readonly (readonly [label: string, action: (task: TaskRef) => Action])[];
}): JSX.Element => {
  const picked = useSignal<ReadonlySet<number>>(new Set());
  const isOpen = useSignal(false);
  const shown = isOpen.value ? lines.slice(0, 500) : lines.slice(0, 25);
  const some = lines.filter(({ ref }) => picked.value.has(ref.task_id)).map(({ ref }) => ref);
  return (
    <>
      <ol class="task-lines">
        {shown.map(({ ref, content }) => (
          <li key={ref.task_id}>
            {may("produce") && (
              <input
                type="checkbox"
                aria-label={`Select ${taskName(ref.work_item_id, ref.task_id)}`}
                checked={picked.value.has(ref.task_id)}
                onChange={({ currentTarget }) => {
                  const next = new Set(picked.value);
                  if (currentTarget.checked) next.add(ref.task_id);
                  else next.delete(ref.task_id);
                  picked.value = next;
                }}
              />
            )}
            {content}
          </li>
        ))}
      </ol>
      {shown.length < lines.length && (
        <button type="button" class="button ghost small" onClick={() => (isOpen.value = true)}>
          Show {isOpen.value ? "the first 500" : "all"} of {lines.length}
        </button>
      )}
      {some.length > 0 && (
        <div class="buttons">
          <span class="faint">{many(some.length, "task")} selected:</span>
          {actions.map(([label, action]) => {
            const all = some.slice(0, 50).map(action);
            return all[0] && may(all[0].right) ? (
              <button
                key={label}
                type="button"
                class="button"
                onClick={() => {
                  ask(...all);
                }}
              >
                {label}
              </button>
            ) : null;
          })}
        </div>
      )}
    </>
  );
};

const Waiting = ({ repo, lane }: { repo: string; lane: Lane }): JSX.Element => {
  if (lane.waiting.length === 0) return <Empty>Nothing waits.</Empty>;
  const inOrder = [...lane.waiting].sort((a, b) => a.position - b.position);
  const lines = inOrder.map(({ job_id, task_id, work_item_id, agent, reason, since, position }) => ({
    ref: { task_id: task_id ?? -job_id, work_item_id, repo },
    content: (
      <>
        <span class="position">{position}</span>
        {task_id === null ? (
          <span>job {job_id}</span>
        ) : (
          <TaskLink id={task_id} name={taskName(work_item_id, task_id)} />
        )}
        <State
          state={
            reason === null
              ? "ready"
              : reason === "freeze"
                ? "frozen"
                : reason === "paused"
                  ? "paused"
                  : "waiting"
          }
        >
          {REASON_WORDS[reason ?? "ready"]}
        </State>
        <span class="faint grow">
          job {job_id} (<Text>{agent}</Text>)
        </span>
        <span class="faint">
          <Age since={timeOf(since)} />
        </span>
      </>
    ),
  }));
  return (
    <Tasks
      lines={lines}
      actions={[
        ["Pause them…", pauseTask],
        ["Cancel them…", cancelTask],
      ]}
    />
  );
};

const Paused = ({ repo, lane }: { repo: string; lane: Lane }): JSX.Element => (
  <Tasks
    lines={lane.paused.map((task) => ({
      ref: { ...task, repo },
      content: (
        <>
          <TaskLink id={task.task_id} name={taskName(task.work_item_id, task.task_id)} />
          <span class="stage">
            <Text>{task.stage}</Text>
          </span>
          <span class="grow">
            <Text>{task.pause_reason ?? "no reason was given"}</Text>
            {task.paused_by !== null && (
              <span class="faint">
                {" by "}
                <Text>{task.paused_by}</Text>
              </span>
            )}
          </span>
          <span class="faint">
            <Age since={timeOf(task.paused_at)} />
          </span>
          <ActionButton action={resumeTask({ ...task, repo })} label="Resume…" />
        </>
      ),
    }))}
    actions={[
      ["Resume them…", resumeTask],
      ["Cancel them…", cancelTask],
    ]}
  />
);

const Running = ({ lane, repo }: { lane: Lane; repo: string }): JSX.Element | null => {
  const others = lane.running.filter(({ job_id }) => job_id !== lane.active_task?.job?.job_id);
  if (others.length === 0) return null;
  return (
    <Section title="Also running" id="running-title">
      <ul class="task-lines">
        {others.map(({ job_id, task_id, work_item_id, agent, worker, since }) => (
          <li key={job_id}>
            {task_id !== null && <TaskLink id={task_id} name={taskName(work_item_id, task_id)} />}
            <span class="grow">
              job {job_id} (<Text>{agent}</Text>) on <Text>{worker ?? "another program"}</Text>
            </span>
            <span class="faint">
              <Age since={timeOf(since)} />
            </span>
            <ActionButton
              action={releaseJob({ job_id, repo, of: `${agent} of ${taskName(work_item_id, task_id)}` })}
              label="Release by force…"
            />
          </li>
        ))}
      </ul>
    </Section>
  );
};

export const LanePage = ({ repo }: { repo: string }): JSX.Element => {
  const lane = lanes.value.get(repo);
  const row = rows.value.find((each) => each.repo === repo);
  return (
    <article class="page">
      <nav class="crumbs" aria-label="Where you are">
        <a href={hrefOf({})}>Lanes</a>
      </nav>
      <header class="page-head">
        <h1>
          <Repo name={repo} />
        </h1>
        <State state={row?.state ?? "idle"} />
        <div class="buttons">
          <ActionButton action={freezeRepo(repo)} />
          {lane && lane.waiting.length + (lane.active_task ? 1 : 0) > 0 && (
            <ActionButton action={pauseLane(repo)} />
          )}
          {lane && lane.paused.length > 0 && <ActionButton action={resumeLane(repo)} />}
        </div>
      </header>
      {!lane ? (
        <Empty>Nothing is in this lane.</Empty>
      ) : (
        <>
          <Freezes repo={repo} lane={lane} />
          <div class="columns">
            <Section title="Has the lane" id="active-title">
              <Active repo={repo} lane={lane} />
            </Section>
            <Section
              title="Waiting"
              id="waiting-title"
              note={lane.waiting.length > 0 ? `${lane.waiting.length}, in order` : undefined}
            >
              <Waiting repo={repo} lane={lane} />
            </Section>
          </div>
          <Running lane={lane} repo={repo} />
          {lane.paused.length > 0 && (
            <Section title="Paused" id="paused-title" note={String(lane.paused.length)}>
              <Paused repo={repo} lane={lane} />
            </Section>
          )}
        </>
      )}
      {may("read") && (
        <Section title="History" id="history-title">
          <LaneTimeline repo={repo} lane={lane} />
        </Section>
      )}
    </article>
  );
};
