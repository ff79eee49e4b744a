/** serial-gate task: add, list, show, move and cancel tasks. */

import type { Command } from "commander";
import type { Client } from "../../client/client.ts";
import type { Job } from "../../contract/jobs.ts";
import { REPO_NAME } from "../../contract/names/repo-name.ts";
import type { Note, OneTaskQuery } from "../../contract/scalars.ts";
import type { ChangedTask, NewTask, Task, TaskQuery } from "../../contract/tasks.ts";
import { isTerminal } from "../../contract/vocabulary.ts";
import {
  example,
  idOption,
  json,
  reasonOption,
  repoOption,
  selectedTask,
  type TaskOptions,
} from "../arguments.ts";
import { confirmAtTerminal, yesOption } from "../confirm.ts";
import type { CliContext } from "../context.ts";
import { EXIT, ExitError } from "../output/exit-codes.ts";
import { changeLines, dryRunMark, dryRunOption, isOrWouldBe, sayDryRun } from "../output/effect.ts";
import { outputOption, print, say, type Answer, type OutputOptions } from "../output/format.ts";
import { labelInRepo, labelOf, nameOf } from "../output/label.ts";
import { pairsOf, tableOf, type Column } from "../output/table.ts";
import type { Screen, Style } from "../output/terminal.ts";
import { listedOf, phrase, plain } from "../output/text.ts";
import { shownTime, since } from "../output/time.ts";
import { connect, findTask, noteOf, refuseUnknownRepo } from "../service.ts";
import { jobLines } from "./job/columns.ts";

type Dependency = NonNullable<NewTask["depends_on"]>[number];

/** `WORK_ITEM`, or `REPO:WORK_ITEM` in another repository. */
const dependency = (text: string): Dependency => {
  const [, repo = "", work_item_id = ""] = /^([^:]+):(.+)$/.exec(text) ?? [];
  return REPO_NAME.test(repo) ? { repo, work_item_id } : text;
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
  { head: "DEPENDS ON", cell: ({ depends_on }) => depends_on.map(labelOf).join(", ") },
  { head: "TITLE", cell: ({ title }) => title },
  { head: "TASK", cell: ({ id }) => id, wide: true },
  { head: "CREATED", cell: ({ created_at }) => created_at && shownTime(created_at), wide: true },
  { head: "UPDATED", cell: ({ updated_at }) => updated_at && shownTime(updated_at), wide: true },
  { head: "PAUSED BY", cell: ({ paused_by }) => paused_by, wide: true },
  { head: "WHY", cell: ({ pause_reason }) => pause_reason, wide: true },
];

const tasksAnswer = (tasks: readonly Task[]): Answer<Task> => ({
  response: { tasks },
  items: tasks,
  name: ({ id }) => nameOf("task", id),
  lines: (screen, wide) => (tasks.length === 0 ? [] : tableOf(COLUMNS, tasks, screen, wide)),
});

/** When, by whom, until when and why a task was paused, as far as it is known. */
const pauseOf = ({ paused_at, paused_by, pause_reason, pause_until }: Task): string | null =>
  paused_at === null
    ? null
    : phrase(
        [
          since(paused_at),
          paused_by !== null && `by ${paused_by}`,
          pause_until !== null && `until ${shownTime(pause_until)}`,
        ],
        pause_reason,
      );

/** @param id left out of a dry run, in which there is none yet */
const taskLines = (task: Task, id: number | null, screen: Screen): string[] =>
  pairsOf(
    [
      ["work item", task.work_item_id],
      ["repository", task.repo],
      ["task", id],
      ["title", task.title],
      ["stage", task.stage],
      ["paused", pauseOf(task)],
      ["depends on", task.depends_on.map((each) => `${labelInRepo(each)} (${each.stage})`).join(", ")],
      ["created", task.created_at && since(task.created_at)],
      ["updated", task.updated_at && since(task.updated_at)],
    ],
    screen,
  );

/** A task and, under it, its jobs. */
const taskAnswer = (response: { task: Task }, jobs: readonly Job[], dryRun?: true): Answer<Task> => ({
  response,
  items: [response.task],
  name: ({ id }) => nameOf("task", id),
  lines: (screen, wide) => [
    ...(dryRun ? [`${dryRunMark(dryRun)}The task${jobs.length > 0 ? " and its job" : ""} would be:`] : []),
    ...taskLines(response.task, dryRun ? null : response.task.id, screen),
    ...(jobs.length === 0 ? [] : ["", ...jobLines(jobs, screen, wide, dryRun)]),
  ],
});

const LONGEST_PAGE = 500;

const allTasks = async (client: Client, query: Partial<TaskQuery>): Promise<Task[]> => {
  const found: Task[] = [];
  for (let cursor: string | undefined; ;) {
    const { tasks, next_cursor } = await client.listTasks({ ...query, limit: LONGEST_PAGE, cursor });
    found.push(...tasks);
    if (next_cursor === null) return found;
    cursor = next_cursor;
  }
};

const addCommand = (task: Command, context: CliContext): void => {
  interface Options extends OutputOptions {
    readonly title?: string;
    readonly dependsOn?: readonly Dependency[];
    readonly stage?: string;
    readonly entryJob: boolean;
    readonly payload?: unknown;
    readonly dryRun?: true;
  }
  task
    .command("add")
    .description("create a task and its entry job, unless it exists")
    .argument("<repo>", "such as acme/web")
    .argument("<work-item>", "such as WEB-8")
    .option("--title <text>", "title")
    .option(
      "--depends-on <work-item>",
      "task that must finish first, REPO:WORK_ITEM in another repository; may be repeated",
      dependencies,
    )
    .option("--stage <stage>", "initial stage (default: analysis)")
    .option("--payload <json>", "payload of the entry job", json)
    .option("--no-entry-job", "create no entry job")
    .addOption(dryRunOption())
    .addOption(outputOption())
    .addHelpText("after", example("serial-gate task add acme/web WEB-8 --depends-on acme/api:API-2"))
    .action(async (repo: string, work_item_id: string, options: Options) => {
      const { title, dependsOn, stage, entryJob, payload, dryRun, output } = options;
      const withPayload = payload === undefined ? undefined : { payload };
      const { created, ...answer } = await connect(context).createTask(
        {
          repo,
          work_item_id,
          title,
          stage,
          depends_on: dependsOn && [...dependsOn],
          entry_job: entryJob ? withPayload : false,
        },
        { dry_run: dryRun },
      );
      const jobs = answer.job ? [answer.job] : [];
      await print(context, output, taskAnswer(answer, jobs, created ? dryRun : undefined));
      if (!created)
        say(context, `${dryRunMark(dryRun)}${work_item_id} exists in ${repo} already; nothing was changed.`);
      else sayDryRun(context, dryRun);
    });
};

const listCommand = (task: Command, context: CliContext): void => {
  interface Options extends OutputOptions {
    readonly repo?: string;
    readonly stage?: string;
    readonly paused?: true;
    readonly all?: true;
  }
  task
    .command("list")
    .description("list unfinished tasks, oldest first")
    .option("--repo <repo>", "only this repository")
    .option("--stage <stage>", "only this stage")
    .option("--paused", "only paused tasks")
    .option("--all", "finished tasks too")
    .addOption(outputOption())
    .addHelpText("after", example("serial-gate task list --repo acme/web --paused"))
    .action(async ({ repo, stage, paused, all, output }: Options) => {
      const client = connect(context);
      const finished = stage === undefined && !all ? false : undefined;
      const tasks = await allTasks(client, { repo, stage, finished, paused });
      if (tasks.length === 0) {
        await refuseUnknownRepo(client, repo);
        say(context, "No matching tasks.");
      }
      await print(context, output, tasksAnswer(tasks));
    });
};

const showCommand = (task: Command, context: CliContext): void => {
  task
    .command("show")
    .description("show a task and its jobs")
    .argument("[work-item]", "work item")
    .addOption(repoOption())
    .addOption(idOption())
    .addOption(outputOption())
    .addHelpText("after", example("serial-gate task show WEB-8"))
    .action(async (workItem: string | undefined, { output, ...named }: OutputOptions & TaskOptions) => {
      const client = connect(context);
      const { id } = await findTask(client, selectedTask("task show", workItem, named));
      const answer = await client.task(id);
      await print(context, output, taskAnswer(answer, answer.jobs));
    });
};

interface ChangeOptions extends OutputOptions, TaskOptions {
  readonly reason?: string;
  readonly dryRun?: true;
  readonly yes?: true;
}

/** A line for the waiting jobs that the end of their task cancelled, and one for those that it left. */
const endedLines = (
  { cancelled_jobs, left_jobs, unlisted_jobs }: ChangedTask,
  dryRun: true | undefined,
): (readonly [Style, string])[] => {
  const names = (jobs: readonly { job_id: number; agent: string }[]): string =>
    listedOf(
      jobs.map(({ job_id, agent }) => `job ${job_id} (${plain(agent)})`),
      unlisted_jobs !== undefined,
    );
  return [
    ...(cancelled_jobs.length > 0
      ? [["yellow", `${dryRun ? "would be cancelled" : "cancelled"}: ${names(cancelled_jobs)}`] as const]
      : []),
    ...(left_jobs.length > 0
      ? [["dim", `${dryRun ? "would still wait" : "still waiting"}: ${names(left_jobs)}`] as const]
      : []),
  ];
};
/** A change of a task on the command line. */
interface TaskChangeVerb {
  readonly call: (
    client: Client,
    id: number,
    note: Note,
    trial: { dry_run?: true | undefined },
  ) => Promise<ChangedTask>;
  /** Asks before the change, unless it is a dry run. */
  readonly confirm?: (found: Task) => Promise<void>;
  /** The new state, as the rest of a sentence that begins with the task. */
  readonly outcome?: (changed: ChangedTask, dryRun?: true) => string;
}

const newStage: TaskChangeVerb["outcome"] = ({ task }, dryRun) => `${isOrWouldBe(dryRun)} ${standing(task)}.`;

/** Changes a task; prints its new state and the effect. */
const change = async (
  context: CliContext,
  selected: OneTaskQuery,
  { reason, dryRun, output }: ChangeOptions,
  { call, confirm, outcome = newStage }: TaskChangeVerb,
): Promise<void> => {
  const client = connect(context);
  const found = await findTask(client, selected);
  if (!dryRun) await confirm?.(found);
  const { id } = found;
  const changed = await call(client, id, noteOf(context, { reason }), { dry_run: dryRun });
  const { task, effect } = changed;
  await print(context, output, {
    response: changed,
    items: [task],
    name: ({ id }) => nameOf("task", id),
    lines: (screen) => {
      const ended = endedLines(changed, dryRun).map(([style, line]) => `  ${screen.paint(style, line)}`);
      const isShown = ended.length === 0 || effect.now_claimable.length + effect.now_held.length > 0;
      const [sentence = "", ...effects] = changeLines(
        `${labelInRepo(task)} ${outcome(changed, dryRun)}`,
        { effect: isShown ? effect : undefined, dryRun },
        screen,
      );
      return [sentence, ...ended, ...effects];
    },
  });
  sayDryRun(context, dryRun);
};

type StageOptions = ChangeOptions & { readonly cancelJobs?: true };

const stageCommand = (task: Command, context: CliContext): void => {
  task
    .command("stage")
    .description("move a task to a stage; done and cancelled are final")
    .usage("[options] <work-item> <stage>, or --id <task> <stage>")
    .argument("[work-item]", "work item")
    .argument("[stage]", "such as development")
    .addOption(repoOption())
    .addOption(idOption())
    .option("--cancel-jobs", "with done: cancel every waiting job of the task, not only its entry jobs")
    .addOption(reasonOption())
    .addOption(dryRunOption())
    .addOption(outputOption())
    .addHelpText("after", example("serial-gate task stage WEB-8 done"))
    .action((...[first, second, options]: [string | undefined, string | undefined, StageOptions]) => {
      // With an id the only operand is the stage.
      const [workItem, stage] =
        options.id !== undefined && second === undefined ? [undefined, first] : [first, second];
      if (stage === undefined)
        throw new ExitError(
          EXIT.usage,
          "Name a stage, such as development: `serial-gate task stage WORK_ITEM STAGE`.",
        );
      return change(context, selectedTask("task stage", workItem, options), options, {
        call: (client, id, note, trial) =>
          client.setStage(id, stage, { ...note, cancel_jobs: options.cancelJobs }, trial),
      });
    });
};

const dependsCommand = (task: Command, context: CliContext): void => {
  interface Options extends ChangeOptions {
    readonly on?: readonly Dependency[];
    readonly none?: true;
  }
  task
    .command("depends")
    .description("replace the dependencies of a task")
    .argument("[work-item]", "work item")
    .option(
      "--on <work-item>",
      "task that must finish first, REPO:WORK_ITEM in another repository; may be repeated",
      dependencies,
    )
    .option("--none", "drop all dependencies")
    .addOption(repoOption())
    .addOption(idOption())
    .addOption(reasonOption())
    .addOption(dryRunOption())
    .addOption(outputOption())
    .addHelpText("after", example("serial-gate task depends WEB-8 --on API-2 --on acme/lib:LIB-1"))
    .action((workItem: string | undefined, { on = [], none, ...options }: Options, command: Command) => {
      if ((on.length === 0) === (none === undefined))
        command.error("error: give either --on, once for each dependency, or --none");
      return change(context, selectedTask("task depends", workItem, options), options, {
        call: (client, id, note, trial) => client.setDependencies(id, [...on], note, trial),
        outcome: ({ task: { depends_on, repo }, started }, dryRun) => {
          const needed = depends_on
            .map((each) => (each.repo === repo ? labelOf(each) : labelInRepo(each)))
            .join(", ");
          const does = dryRun ? "would depend" : "depends";
          const late = started ? " It has started already: that holds its queued entry jobs only." : "";
          return `${does} on ${needed === "" ? "nothing" : needed}.${late}`;
        },
      });
    });
};

const cancelCommand = (task: Command, context: CliContext): void => {
  task
    .command("cancel")
    .description("cancel a task and its waiting jobs; this is final, and asked for at a terminal")
    .argument("[work-item]", "work item")
    .addOption(repoOption())
    .addOption(idOption())
    .addOption(reasonOption())
    .addOption(dryRunOption())
    .addOption(yesOption())
    .addOption(outputOption())
    .addHelpText(
      "after",
      example("serial-gate task cancel WEB-8 --dry-run", "serial-gate task cancel --id 9"),
    )
    .action((workItem: string | undefined, options: ChangeOptions) =>
      change(context, selectedTask("task cancel", workItem, options), options, {
        call: (client, id, note, trial) => client.cancelTask(id, note, trial),
        confirm: async (task) => {
          const isOver = isTerminal(task.stage);
          if (!options.yes && !isOver)
            await confirmAtTerminal(
              context,
              `Cancel ${labelInRepo(task)} (task ${task.id}, ${standing(task)}) for good?`,
            );
        },
      }),
    );
};

export const taskCommands = (program: Command, context: CliContext): void => {
  const task = program.command("task").description("add, list, show, move and cancel tasks");
  for (const command of [addCommand, listCommand, showCommand, stageCommand, dependsCommand, cancelCommand])
    command(task, context);
};
