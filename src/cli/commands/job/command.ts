/** serial-gate job: adds, lists, shows, retries and cancels jobs, and does a worker's calls about one. */

import type { Command } from "commander";
import type { Job } from "../../../contract/jobs.ts";
import { WAITING_STATUSES, type JobStatus } from "../../../contract/vocabulary.ts";
import { example, idOf, json, reasonOption, wholeNumber } from "../../arguments.ts";
import type { CliContext } from "../../context.ts";
import { changeLines, dryRunMark, dryRunOption, isOrWouldBe, sayDryRun } from "../../output/effect.ts";
import { outputOption, print, type Answer, type OutputOptions } from "../../output/format.ts";
import { nameOf } from "../../output/label.ts";
import { pairsOf } from "../../output/table.ts";
import type { Screen } from "../../output/terminal.ts";
import { instant, shownTime, since } from "../../output/time.ts";
import { connect, noteOf, suggestingWorkItems } from "../../service.ts";
import { leaseCommands } from "./lease.ts";
import { listCommand } from "./list.ts";

const leaseOf = ({ lease, status }: Job): string | null =>
  lease === null
    ? status === "running"
      ? "another program, without a lease: nobody gives it back by itself"
      : null
    : `${lease.worker ?? "an unnamed worker"}, until ${shownTime(lease.expires_at)}`;

const shownJson = (value: unknown): string | null =>
  value === null || value === undefined ? null : JSON.stringify(value);

const pairs = (job: Job, screen: Screen, dryRun: true | undefined): string[] =>
  pairsOf(
    [
      ["job", dryRun ? null : job.id],
      ["agent", job.agent],
      ["work item", job.work_item_id],
      ["repository", job.repo],
      ["status", job.status],
      ["attempt", `${job.attempt} of ${job.max_attempts}`],
      ["leased to", leaseOf(job)],
      ["not before", job.run_after && since(job.run_after)],
      ["payload", shownJson(job.payload)],
      ["result", shownJson(job.result)],
      ["error", job.error],
      ["created", job.created_at && since(job.created_at)],
      ["started", job.started_at && since(job.started_at)],
      ["finished", job.finished_at && since(job.finished_at)],
    ],
    screen,
  );

const jobAnswer = (response: { job: Job }, dryRun?: true): Answer<Job> => ({
  response,
  items: [response.job],
  name: ({ id }) => (dryRun ? null : nameOf("job", id)),
  lines: (screen) => [
    ...(dryRun ? [`${dryRunMark(dryRun)}The job would be:`] : []),
    ...pairs(response.job, screen, dryRun),
  ],
});

const addCommand = (job: Command, context: CliContext): void => {
  interface Options extends OutputOptions {
    readonly payload?: unknown;
    readonly maxAttempts?: number;
    readonly after?: string;
    readonly dryRun?: true;
  }
  job
    .command("add")
    .description("enqueue a job for a task")
    .argument("<repo>", "such as acme/web")
    .argument("<work-item>", "work item of the task")
    .argument("<agent>", "kind of worker, such as reviewer")
    .option("--payload <json>", "payload for the worker", json)
    .option("--max-attempts <count>", "maximum number of attempts", wholeNumber(1, 1_000))
    .option("--after <time>", "earliest start: 30m from now, or an ISO 8601 time", instant)
    .addOption(dryRunOption())
    .addOption(outputOption())
    .addHelpText("after", example(`serial-gate job add acme/web WEB-8 reviewer --payload '{"pr": 12}'`))
    .action(async (repo: string, work_item_id: string, agent: string, options: Options) => {
      const { payload, maxAttempts, after, dryRun, output } = options;
      const input = { repo, work_item_id, agent, payload, max_attempts: maxAttempts, run_after: after };
      const client = connect(context);
      const created = await suggestingWorkItems(client, { work_item: work_item_id, repo }, () =>
        client.createJob(input, { dry_run: dryRun }),
      );
      await print(context, output, jobAnswer(created, dryRun));
      sayDryRun(context, dryRun);
    });
};

/** The statuses of the jobs that a verb is for; of any status where none is named. */
export const STATUSES_OF_VERBS: Readonly<Record<string, JobStatus[]>> = {
  retry: ["failed"],
  cancel: [...WAITING_STATUSES, "failed"],
  heartbeat: ["running"],
  complete: ["running"],
  fail: ["running"],
  release: ["running"],
};

interface ChangeOptions extends OutputOptions {
  readonly reason?: string;
  readonly dryRun?: true;
}

/** A command that changes one job. */
interface Change {
  readonly name: string;
  readonly method: "retryJob" | "cancelJob";
  readonly description: string;
  /** Ends the sentence that tells the job's new status. */
  readonly outlook: (job: Job) => string;
}

const CHANGES: readonly Change[] = [
  {
    name: "retry",
    method: "retryJob",
    description: "queue a failed job again, with one more attempt",
    outlook: ({ attempt, max_attempts }) => `: attempt ${attempt + 1} of ${max_attempts} comes next.`,
  },
  {
    name: "cancel",
    method: "cancelJob",
    description: "cancel a job that has not started, or that failed",
    outlook: () => ".",
  },
];

const changeCommand = (
  program: Command,
  context: CliContext,
  { name, method, description, outlook }: Change,
): void => {
  program
    .command(name)
    .description(description)
    .argument("<job>", "job id", idOf("job"))
    .addOption(reasonOption())
    .addOption(dryRunOption())
    .addOption(outputOption())
    .addHelpText("after", example(`serial-gate job ${name} 41`))
    .action(async (id: number, { reason, dryRun, output }: ChangeOptions) => {
      const note = noteOf(context, { reason });
      const response = await connect(context)[method](id, note, { dry_run: dryRun });
      const { job, effect } = response;
      await print(context, output, {
        response,
        items: [job],
        name: (each) => nameOf("job", each.id),
        lines: (screen) =>
          changeLines(
            `Job ${job.id} (${job.agent}) of ${job.work_item_id ?? "no task"} ${isOrWouldBe(dryRun)} ${job.status}${outlook(job)}`,
            { effect, dryRun },
            screen,
          ),
      });
      sayDryRun(context, dryRun);
    });
};

export const jobCommands = (program: Command, context: CliContext): void => {
  const job = program.command("job").description("add, list, show, retry, cancel and report on jobs");
  addCommand(job, context);
  listCommand(job, context);
  job
    .command("show")
    .description("show a job")
    .argument("<job>", "job id", idOf("job"))
    .addOption(outputOption())
    .addHelpText("after", example("serial-gate job show 41"))
    .action(async (id: number, { output }: OutputOptions) => {
      await print(context, output, jobAnswer(await connect(context).job(id)));
    });
  for (const change of CHANGES) changeCommand(job, context, change);
  leaseCommands(job, context);
};
