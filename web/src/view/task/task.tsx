/** One task: why it waits in words and as a chain, its way out, its jobs, and its life. */

import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { readLife, type Life } from "../../state/history.ts";
import { readExplanation } from "../../state/explanations.ts";
import { read, sentenceOf } from "../../state/http.ts";
import { lanes } from "../../state/queue.ts";
import { hrefOf } from "../../state/route.ts";
import { may } from "../../state/session.ts";
import type { Explanation, Task, TaskWithJobs } from "../../state/types.ts";
import { isTerminal } from "../../../../src/contract/vocabulary.ts";
import { cancelTask, pauseTask, resumeTask } from "../../model/actions.ts";
import { taskName, timeOf } from "../../model/words.ts";
import { ActionButton, Age, Fault, RepoLink, Section, State, TaskLink, Text } from "../common/parts.tsx";
import { Why } from "./explanation.tsx";
import { Jobs } from "./jobs.tsx";
import { LifeList } from "./life.tsx";

interface Read {
  readonly explanation: Explanation | null;
  /** Null for a caller who may not read tasks. */
  readonly detail: TaskWithJobs | null;
  readonly life: Life | null;
}

/** Every part that the caller may read. A task that is over has an explanation, too. */
const readTask = async (id: number): Promise<Read> => {
  const isReader = may("read");
  const [explanation, detail, life] = await Promise.all([
    readExplanation(id),
    isReader ? read<TaskWithJobs>(`/tasks/${id}`) : null,
    isReader ? readLife(id) : null,
  ]);
  return { explanation, detail, life };
};

const stateOf = ({ stage, paused_at }: Task, isStuck: boolean): string =>
  isTerminal(stage) ? "idle" : isStuck ? "stuck" : paused_at === null ? "waiting" : "paused";

const AT_MOST_EVERY_MS = 1_000;

const Facts = ({ task }: { task: Task }): JSX.Element => (
  <dl class="facts">
    <div>
      <dt>Stage</dt>
      <dd>
        <Text>{task.stage}</Text>
      </dd>
    </div>
    <div>
      <dt>Created</dt>
      <dd>
        <Age since={timeOf(task.created_at)} suffix=" ago" />
      </dd>
    </div>
    <div>
      <dt>Changed</dt>
      <dd>
        <Age since={timeOf(task.updated_at)} suffix=" ago" />
      </dd>
    </div>
    {task.paused_at !== null && (
      <div>
        <dt>Paused</dt>
        <dd>
          <Age since={timeOf(task.paused_at)} suffix=" ago" />
          {task.paused_by !== null && (
            <>
              {" by "}
              <Text>{task.paused_by}</Text>
            </>
          )}
          {task.pause_reason !== null && (
            <>
              {": "}
              <Text>{task.pause_reason}</Text>
            </>
          )}
        </dd>
      </div>
    )}
    {task.depends_on.length > 0 && (
      <div>
        <dt>Depends on</dt>
        <dd>
          {task.depends_on.map(({ task_id, work_item_id, stage }) => (
            <span key={task_id} class="depends">
              <TaskLink id={task_id} name={taskName(work_item_id, task_id)} />{" "}
              <span class="faint">{stage}</span>
            </span>
          ))}
        </dd>
      </div>
    )}
  </dl>
);

export const TaskPage = ({ id }: { id: number }): JSX.Element => {
  const shown = useSignal<Read | null>(null);
  const fault = useSignal<string | null>(null);
  const repo = shown.value?.explanation?.task.repo;
  // Read again when the task's lane changed.
  const lane = repo === undefined ? undefined : lanes.value.get(repo);
  useEffect(() => {
    let isGone = false;
    const due = setTimeout(
      () => {
        readTask(id).then(
          (answer) => {
            if (isGone) return;
            fault.value = null;
            shown.value = answer;
          },
          (error: unknown) => {
            if (!isGone) fault.value = sentenceOf(error);
          },
        );
      },
      shown.peek() === null ? 0 : AT_MOST_EVERY_MS,
    );
    return () => {
      isGone = true;
      clearTimeout(due);
    };
  }, [id, lane]);
  const { explanation, detail, life } = shown.value ?? {};
  if (!explanation)
    return (
      <article class="page">
        <nav class="crumbs" aria-label="Where you are">
          <a href={hrefOf({})}>Lanes</a>
        </nav>
        <header class="page-head">
          <h1>Task {id}</h1>
        </header>
        {fault.value === null ? <p class="loading">Reading …</p> : <Fault>{fault.value}</Fault>}
      </article>
    );
  const task = detail?.task ?? explanation.task;
  const ref = { task_id: task.id, work_item_id: task.work_item_id, repo: task.repo };
  const isOver = isTerminal(task.stage);
  const isRunning = explanation.jobs.some(({ status }) => status === "running");
  const state =
    isRunning && !explanation.stuck && task.paused_at === null ? "running" : stateOf(task, explanation.stuck);
  return (
    <article class="page">
      <nav class="crumbs" aria-label="Where you are">
        <a href={hrefOf({})}>Lanes</a>
        <span aria-hidden="true">/</span>
        <RepoLink name={task.repo} />
      </nav>
      <header class="page-head">
        <h1>
          <bdi>{taskName(task.work_item_id, task.id)}</bdi>
        </h1>
        <State state={state}>{isOver ? task.stage : state}</State>
        {!isOver && (
          <div class="buttons">
            {task.paused_at === null ? (
              <ActionButton action={pauseTask(ref)} label="Pause…" />
            ) : (
              <ActionButton action={resumeTask(ref)} label="Resume…" primary />
            )}
            <ActionButton action={cancelTask(ref)} label="Cancel…" />
          </div>
        )}
      </header>
      {task.title !== null && (
        <p class="lead">
          <Text>{task.title}</Text>
        </p>
      )}
      {fault.value !== null && <Fault>{fault.value}</Fault>}
      <Why explanation={explanation} />
      <Facts task={task} />
      <Jobs explanation={explanation} jobs={detail?.jobs} />
      {life && (
        <Section title="Life" id="life-title" note={life.isWhole ? undefined : "the first part"}>
          <LifeList life={life} task={task} />
        </Section>
      )}
    </article>
  );
};
