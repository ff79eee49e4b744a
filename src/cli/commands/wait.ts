/** serial-gate wait: blocks until a work item exists, can start, or is done. */

import { Option, type Command } from "commander";
import { isUnanswered, ProblemError, type Client } from "../../client/client.ts";
import { advisedCommand } from "../../contract/shell.ts";
import type { OneTaskQuery } from "../../contract/scalars.ts";
import type { Task } from "../../contract/tasks.ts";
import { isTerminal } from "../../contract/vocabulary.ts";
import { example, idOption, repoOption, selectedTask, type TaskOptions } from "../arguments.ts";
import type { CliContext } from "../context.ts";
import { stopSignal } from "../interrupt.ts";
import { startTimer } from "../long-timer.ts";
import { EXIT, ExitError } from "../output/exit-codes.ts";
import { outputOption, print, say, type OutputOptions } from "../output/format.ts";
import { labelInRepo, nameOf } from "../output/label.ts";
import { plain } from "../output/text.ts";
import { duration, exactLengthOf } from "../output/time.ts";
import { connect, findTask } from "../service.ts";
import { LOG_REPLACED, updates } from "../updates.ts";
import { standing } from "./task.ts";

/** The state of the task at one look. */
interface Look {
  readonly task: Task;
  /** True when the wait is over. */
  readonly over: boolean;
  /** Such as `is held (freeze)`. */
  readonly state: string;
}

const label = (task: Task): string => plain(labelInRepo(task));

/** Looks for the task that somebody may still create. */
const isCreated = async (
  client: Client,
  query: OneTaskQuery,
  signal: AbortSignal,
): Promise<Look | undefined> => {
  const { work_item = "", repo, task_id } = query;
  try {
    const { task } =
      task_id === undefined
        ? await client.resolveTask({ work_item, repo }, signal)
        : await client.task(task_id, signal);
    return { task, over: true, state: "exists" };
  } catch (error) {
    if (error instanceof ProblemError && ["unknown_work_item", "unknown_task"].includes(error.code))
      return undefined;
    throw error;
  }
};

const isDone = (task: Task): Look => {
  if (task.stage === "cancelled") throw new ExitError(EXIT.failed, `${label(task)} was cancelled.`);
  return { task, over: task.stage === "done", state: `is ${standing(task)}` };
};

const isClaimable = async (client: Client, task: Task, signal: AbortSignal): Promise<Look> => {
  if (isTerminal(task.stage))
    throw new ExitError(EXIT.failed, `${label(task)} is ${task.stage}: it has no job to start.`);
  const [{ serial_gate }, { jobs }] = await Promise.all([
    client.queue([task.repo], signal),
    client.task(task.id, signal),
  ]);
  const waiting = serial_gate.per_repo[task.repo]?.waiting.filter(({ task_id }) => task_id === task.id) ?? [];
  if (waiting.some(({ reason }) => reason === null)) return { task, over: true, state: "can start" };
  const [held] = waiting;
  if (held) return { task, over: false, state: `is held (${held.reason ?? "-"})` };
  const hasStarted = jobs.some(({ status }) => status === "running" || status === "done");
  return { task, over: hasStarted, state: hasStarted ? "has started" : "has no waiting job" };
};

/** The repository whose events can end the wait; undefined if those of several can. */
const watchedRepo = ({ repo, depends_on }: Task): string | undefined =>
  depends_on.every((needed) => needed.repo === repo || isTerminal(needed.stage)) ? repo : undefined;

interface Options extends OutputOptions, TaskOptions {
  readonly for: "created" | "claimable" | "done";
  readonly timeout?: number;
}

export const waitCommand = (program: Command, context: CliContext): void => {
  program
    .command("wait")
    .description("wait until a work item exists, can start, or is done")
    .argument("[work-item]", "work item")
    .addOption(
      new Option("--for <state>", "state to wait for")
        .choices(["created", "claimable", "done"])
        .makeOptionMandatory(),
    )
    .option(
      "--timeout <duration>",
      "give up after this, such as 10m or 60d, with exit code 6 (default: never)",
      duration,
    )
    .addOption(repoOption())
    .addOption(idOption())
    .addOption(outputOption())
    .addHelpText("after", example("serial-gate wait WEB-8 --for=done --timeout 10m"))
    .action(async (workItem: string | undefined, { for: awaited, timeout, output, ...named }: Options) => {
      const client = connect(context);
      const stop = stopSignal(context);
      const late = new AbortController();
      const query = selectedTask("wait", workItem, named);
      const found = awaited === "created" ? undefined : await findTask(client, query);
      const look = async (signal: AbortSignal): Promise<Look | undefined> => {
        if (!found) return isCreated(client, query, signal);
        const { task } = await client.task(found.id, signal);
        return awaited === "done" ? isDone(task) : isClaimable(client, task, signal);
      };
      let last: Look | undefined;
      let isAnswered = false;
      const giveUp = (ms: number): void => {
        const absent = isAnswered
          ? `Nobody has created ${plain(workItem ?? "the task")}`
          : "No answer from the service";
        const state = last ? `${label(last.task)} ${last.state}` : absent;
        const explain = advisedCommand({
          verb: ["explain"],
          options: { ...named },
          operands: workItem === undefined ? [] : [workItem],
        });
        const hint = awaited === "claimable" ? [`\`${explain}\` says what holds it.`] : [];
        late.abort(new ExitError(EXIT.timedOut, `${state} after ${exactLengthOf(ms)}.`, ...hint));
      };
      const cancel =
        timeout === undefined
          ? undefined
          : startTimer(timeout, () => {
              giveUp(timeout);
            });
      try {
        const signal = AbortSignal.any([stop, late.signal]);
        for await (const update of updates(client, found && watchedRepo(found), signal)) {
          if (update === "reset") {
            say(context, LOG_REPLACED);
            continue;
          }
          try {
            last = await look(signal);
            isAnswered = true;
          } catch (error) {
            if (error instanceof ExitError || !isUnanswered(error)) throw error;
            continue;
          }
          if (last?.over) break;
        }
      } finally {
        cancel?.();
      }
      if (!last) return;
      const { task, state } = last;
      await print(context, output, {
        response: { task },
        items: [task],
        name: ({ id }) => nameOf("task", id),
        lines: () => [`${label(task)} ${state}.`],
      });
    });
};
