/** serial-gate wait: until a work item may start, or is finished. */

import { Option, type Command } from "commander";
import { isUnanswered, type Client } from "../../client/client.ts";
import type { Task } from "../../contract/tasks.ts";
import { isTerminal } from "../../contract/vocabulary.ts";
import { example } from "../arguments.ts";
import { updates } from "../updates.ts";
import { asTyped } from "../output/errors.ts";
import { EXIT, ExitError } from "../output/exit-codes.ts";
import { stopping } from "../interrupt.ts";
import { outputOption, print, type Printed } from "../output/format.ts";
import type { CliContext } from "../context.ts";
import { plain } from "../output/terminal.ts";
import { connect, findTask } from "../service.ts";
import { standing } from "./task.ts";
import { duration, lengthOf } from "../output/time.ts";

/** What a wait sees: that it is over and how, or why it goes on. */
interface Sight {
  readonly task: Task;
  readonly over: boolean;
  readonly words: string;
}

const isDone = (task: Task): Sight => {
  if (task.stage === "cancelled") throw new ExitError(EXIT.failed, `${nameOf(task)} was cancelled.`);
  return { task, over: task.stage === "done", words: `is ${standing(task)}` };
};

const isClaimable = async (client: Client, task: Task, signal: AbortSignal): Promise<Sight> => {
  if (isTerminal(task.stage))
    throw new ExitError(EXIT.failed, `${nameOf(task)} is ${task.stage}: nothing of it waits to start.`);
  const [{ serial_gate }, { jobs }] = await Promise.all([
    client.queue([task.repo], signal),
    client.task(task.id, signal),
  ]);
  const waiting = serial_gate.per_repo[task.repo]?.waiting.filter(({ task_id }) => task_id === task.id) ?? [];
  if (waiting.some(({ reason }) => reason === null)) return { task, over: true, words: "may start" };
  const [held] = waiting;
  if (held) return { task, over: false, words: `is held (${held.reason ?? "-"})` };
  const begun = jobs.some(({ status }) => status === "running" || status === "done");
  return { task, over: begun, words: begun ? "has started" : "has no job that waits" };
};

const nameOf = ({ work_item_id, id, repo }: Task): string =>
  plain(`${work_item_id ?? `task ${id}`} in ${repo}`);

interface Options extends Printed {
  readonly for: "claimable" | "done";
  readonly repo?: string;
  readonly timeout?: number;
}

export const waitCommand = (program: Command, around: CliContext): void => {
  program
    .command("wait")
    .description("wait until a work item may start, or is done")
    .argument("<work-item>", "a work item, or a task's id")
    .addOption(
      new Option("--for <what>", "what to wait for").choices(["claimable", "done"]).makeOptionMandatory(),
    )
    .option("--timeout <duration>", "give up after this, with exit code 6 (default: never)", duration)
    .option("--repo <repo>", "the repository, where several have the work item")
    .addOption(outputOption())
    .addHelpText("after", example("serial-gate wait WEB-8 --for=done --timeout 10m"))
    .action(async (workItem: string, { for: what, repo, timeout, output }: Options) => {
      const client = connect(around);
      const stop = stopping(around);
      const late = new AbortController();
      const { id } = await findTask(client, workItem, repo);
      let last: Sight | undefined;
      const timer =
        timeout === undefined
          ? undefined
          : setTimeout(() => {
              const state = last ? `${nameOf(last.task)} ${last.words}` : "The service does not answer";
              late.abort(
                new ExitError(
                  EXIT.timedOut,
                  `${state} after ${lengthOf(timeout)}.`,
                  ...(what === "claimable"
                    ? [`\`${asTyped(["explain", workItem])}\` says what holds it.`]
                    : []),
                ),
              );
            }, timeout);
      try {
        const signal = AbortSignal.any([stop, late.signal]);
        for await (const _ of updates(client, signal)) {
          try {
            const { task } = await client.task(id, signal);
            last = what === "done" ? isDone(task) : await isClaimable(client, task, signal);
          } catch (error) {
            if (error instanceof ExitError || !isUnanswered(error)) throw error;
            continue;
          }
          if (last.over) break;
        }
      } finally {
        clearTimeout(timer);
      }
      if (!last) return;
      const { task, words } = last;
      await print(around, output, {
        response: { task },
        items: [task],
        name: ({ work_item_id }) => work_item_id,
        lines: () => [`${nameOf(task)} ${words}.`],
      });
    });
};
