/** serial-gate task: what the orchestrator makes and moves, and what an operator reads of it. */

import type { Command } from "commander";
import type { Client } from "../../client/client.ts";
import type { Job } from "../../contract/jobs.ts";
import type { Note } from "../../contract/scalars.ts";
import type { ChangedTask, NewTask, Task, TaskQuery } from "../../contract/tasks.ts";
import { isTerminal } from "../../contract/vocabulary.ts";
import { example, json } from "../arguments.ts";
import { changeLines, dryRunOption, sayTrial } from "../output/effect.ts";
import { jobLines } from "./job.ts";
import { outputOption, print, say, type Answer, type Printed } from "../output/format.ts";
import type { CliContext } from "../context.ts";
import { pairsOf, tableOf, type Column, type Screen } from "../output/terminal.ts";
import { connect, findTask, noteOf, refuseUnknownRepo } from "../service.ts";
import { shownTime, since } from "../output/time.ts";

type Dependency = NonNullable<NewTask["depends_on"]>[number];

/** `WORK_ITEM`, or `REPO:WORK_ITEM` for one of another repository. */
const dependency = (text: string): Dependency => {
  const [, repo, work_item_id] = /^([\w./-]+):(.+)$/.exec(text) ?? [];
  return repo !== undefined && work_item_id !== undefined ? { repo, work_item_id } : text;
};

const dependencies = (text: string, before: readonly Dependency[] = []): Dependency[] => [
  ...before,
  dependency(text),
];

const stateOf = ({ paused_at, stage }: Task): string => (paused_at === null ? stage : `${stage}, paused`);

/** `in design, paused`, or `done` */
export const standing = (task: Task): string => (isTerminal(task.stage) ? task.stage : `in ${stateOf(task)}`);

const COLUMNS: readonly Column<Task>[] = [
  { head: "REPO", cell: ({ repo }) => repo },
  { head: "WORK ITEM", cell: ({ work_item_id }) => work_item_id },
  { head: "STAGE", cell: stateOf, style: ({ paused_at }) => (paused_at === null ? undefined : "yellow") },
  { head: "DEPENDS ON", cell: ({ depends_on }) => depends_on.map(nameOf).join(", ") },
  { head: "TITLE", cell: ({ title }) => title },
  { head: "TASK", cell: ({ id }) => id, wide: true },
  { head: "CREATED", cell: ({ created_at }) => created_at && shownTime(created_at), wide: true },
  { head: "UPDATED", cell: ({ updated_at }) => updated_at && shownTime(updated_at), wide: true },
  { head: "PAUSED BY", cell: ({ paused_by }) => paused_by, wide: true },
  { head: "WHY", cell: ({ pause_reason }) => pause_reason, wide: true },
];

const nameOf = (task: { work_item_id: string | null; id?: number; task_id?: number }): string =>
  task.work_item_id ?? `task ${task.id ?? task.task_id ?? "?"}`;

const tasksAnswer = (tasks: readonly Task[]): Answer<Task> => ({
  response: { tasks },
  items: tasks,
  name: nameOf,
  lines: (screen, wide) => (tasks.length === 0 ? [] : tableOf(COLUMNS, tasks, screen, wide)),
});

/** Who, why and until when, as far as it is known. */
const pauseOf = ({ paused_at, paused_by, pause_reason, pause_until }: Task): string | null =>
  paused_at === null
    ? null
    : [
        since(paused_at),
        ...(paused_by === null ? [] : [`by ${paused_by}`]),
        ...(pause_until === null ? [] : [`until ${shownTime(pause_until)}`]),
        ...(pause_reason === null ? [] : [`: ${pause_reason}`]),
      ]
        .join(" ")
        .replace(" : ", ": ");

const taskLines = (task: Task, screen: Screen): string[] =>
  pairsOf(
    [
      ["work item", task.work_item_id],
      ["repository", task.repo],
      ["task", task.id],
      ["title", task.title],
      ["stage", task.stage],
      ["paused", pauseOf(task)],
      [
        "depends on",
        task.depends_on.map((each) => `${nameOf(each)} in ${each.repo} (${each.stage})`).join(", "),
      ],
      ["created", task.created_at && since(task.created_at)],
      ["updated", task.updated_at && since(task.updated_at)],
    ],
    screen,
  );

/** A task, and its jobs under it. */
const taskAnswer = (whole: { task: Task }, jobs: readonly Job[]): Answer<Task> => ({
  response: whole,
  items: [whole.task],
  name: nameOf,
  lines: (screen, wide) => [
    ...taskLines(whole.task, screen),
    ...(jobs.length === 0 ? [] : ["", ...jobLines(jobs, screen, wide)]),
  ],
});

const LONGEST_PAGE = 500;

/** Every page. */
const allTasks = async (client: Client, query: Partial<TaskQuery>): Promise<Task[]> => {
  const found: Task[] = [];
  for (let cursor: string | undefined; ;) {
    const { tasks, next_cursor } = await client.tasks({
      ...query,
      limit: LONGEST_PAGE,
      ...(cursor === undefined ? {} : { cursor }),
    });
    found.push(...tasks);
    if (next_cursor === null) return found;
    cursor = next_cursor;
  }
};

const addCommand = (task: Command, around: CliContext): void => {
  interface Options extends Printed {
    readonly title?: string;
    readonly dependsOn?: readonly Dependency[];
    readonly stage?: string;
    readonly entryJob: boolean;
    readonly payload?: unknown;
    readonly dryRun?: true;
  }
  task
    .command("add")
    .description("create a task and its entry job; one that is there is left as it is")
    .argument("<repo>", "such as acme/web")
    .argument("<work-item>", "its own id, such as WEB-8")
    .option("--title <text>", "what the work is")
    .option(
      "--depends-on <work-item>",
      "a task that must be finished first, REPO:WORK_ITEM in another repository; may be repeated",
      dependencies,
    )
    .option("--stage <stage>", "where it stands (default: analysis)")
    .option("--payload <json>", "what the worker of the entry job is given", json)
    .option("--no-entry-job", "without the job that starts it")
    .addOption(dryRunOption())
    .addOption(outputOption())
    .addHelpText("after", example("serial-gate task add acme/web WEB-8 --depends-on acme/api:API-2"))
    .action(async (repo: string, work_item_id: string, options: Options) => {
      const { title, dependsOn, stage, entryJob, payload, dryRun, output } = options;
      const input = {
        repo,
        work_item_id,
        ...(title === undefined ? {} : { title }),
        ...(stage === undefined ? {} : { stage }),
        ...(dependsOn === undefined ? {} : { depends_on: [...dependsOn] }),
        ...(entryJob ? (payload === undefined ? {} : { entry_job: { payload } }) : { entry_job: false }),
      };
      const { created, ...stands } = await connect(around).createTask(
        input,
        dryRun ? { dry_run: dryRun } : {},
      );
      await print(around, output, taskAnswer(stands, stands.job ? [stands.job] : []));
      if (!created) say(around, `${repo} has ${work_item_id} already; nothing was changed.`);
      else sayTrial(around, dryRun);
    });
};

const listCommand = (task: Command, around: CliContext): void => {
  interface Options extends Printed {
    readonly repo?: string;
    readonly stage?: string;
    readonly paused?: true;
    readonly all?: true;
  }
  task
    .command("list")
    .description("list the tasks that are not finished, oldest first")
    .option("--repo <repo>", "only of this repository")
    .option("--stage <stage>", "only in this stage")
    .option("--paused", "only those that are parked")
    .option("--all", "finished ones too")
    .addOption(outputOption())
    .addHelpText("after", example("serial-gate task list --repo acme/web --paused"))
    .action(async ({ repo, stage, paused, all, output }: Options) => {
      const client = connect(around);
      const tasks = await allTasks(client, {
        ...(repo === undefined ? {} : { repo }),
        ...(stage === undefined ? (all ? {} : { finished: false }) : { stage }),
        ...(paused ? { paused } : {}),
      });
      if (tasks.length === 0) {
        await refuseUnknownRepo(client, repo);
        say(around, "There is no such task.");
      }
      await print(around, output, tasksAnswer(tasks));
    });
};

const showCommand = (task: Command, around: CliContext): void => {
  task
    .command("show")
    .description("show a task and its jobs")
    .argument("<work-item>", "a work item, or a task's id")
    .option("--repo <repo>", "the repository, where several have the work item")
    .addOption(outputOption())
    .addHelpText("after", example("serial-gate task show WEB-8"))
    .action(async (workItem: string, { repo, output }: Printed & { readonly repo?: string }) => {
      const client = connect(around);
      const shown = await client.task((await findTask(client, workItem, repo)).id);
      await print(around, output, taskAnswer(shown, shown.jobs));
    });
};

interface ChangeOptions extends Printed {
  readonly repo?: string;
  readonly reason?: string;
  readonly dryRun?: true;
}

/** Moves a task, and prints what it is now and what came of it. */
const change = async (
  around: CliContext,
  workItem: string,
  { repo, reason, dryRun, output }: ChangeOptions,
  call: (client: Client, id: number, note: Note, trial: { dry_run?: true }) => Promise<ChangedTask>,
): Promise<void> => {
  const client = connect(around);
  const { id } = await findTask(client, workItem, repo);
  const changed = await call(client, id, noteOf(around, { reason }), dryRun ? { dry_run: dryRun } : {});
  const { task, effect } = changed;
  await print(around, output, {
    response: changed,
    items: [task],
    name: nameOf,
    lines: (screen) => changeLines(`${nameOf(task)} in ${task.repo} is ${standing(task)}.`, effect, screen),
  });
  sayTrial(around, dryRun);
};

const stageCommand = (task: Command, around: CliContext): void => {
  task
    .command("stage")
    .description("move a task to a stage; done and cancelled are final")
    .argument("<work-item>", "a work item, or a task's id")
    .argument("<stage>", "such as development")
    .option("--repo <repo>", "the repository, where several have the work item")
    .option("--reason <text>", "why, for people to read")
    .addOption(dryRunOption())
    .addOption(outputOption())
    .addHelpText("after", example("serial-gate task stage WEB-8 done"))
    .action((workItem: string, stage: string, options: ChangeOptions) =>
      change(around, workItem, options, (client, id, note, trial) => client.setStage(id, stage, note, trial)),
    );
};

const cancelCommand = (task: Command, around: CliContext): void => {
  task
    .command("cancel")
    .description("cancel a task and its waiting jobs, for good")
    .argument("<work-item>", "a work item, or a task's id")
    .option("--repo <repo>", "the repository, where several have the work item")
    .option("--reason <text>", "why, for people to read")
    .addOption(dryRunOption())
    .addOption(outputOption())
    .addHelpText("after", example("serial-gate task cancel WEB-8 --dry-run"))
    .action((workItem: string, options: ChangeOptions) =>
      change(around, workItem, options, (client, id, note, trial) => client.cancelTask(id, note, trial)),
    );
};

export const taskCommands = (program: Command, around: CliContext): void => {
  const task = program.command("task").description("add, list, show, move and cancel tasks");
  for (const command of [addCommand, listCommand, showCommand, stageCommand, cancelCommand])
    command(task, around);
};
