/** serial-gate job: one thing for one worker to do. */

import type { Command } from "commander";
import type { Job } from "../../contract/jobs.ts";
import { example, json, wholeNumber } from "../arguments.ts";
import { changeLines, dryRunOption, sayTrial } from "../output/effect.ts";
import { outputOption, print, type Answer, type Printed } from "../output/format.ts";
import type { CliContext } from "../context.ts";
import { pairsOf, tableOf, type Column, type Screen, type Style } from "../output/terminal.ts";
import { about, connect, noteOf } from "../service.ts";
import { instant, shownTime, since } from "../output/time.ts";

const STATUS_STYLE: Partial<Readonly<Record<Job["status"], Style>>> = {
  running: "green",
  failed: "red",
  delayed: "yellow",
};

const COLUMNS: readonly Column<Job>[] = [
  { head: "JOB", cell: ({ id }) => id },
  { head: "AGENT", cell: ({ agent }) => agent },
  { head: "STATUS", cell: ({ status }) => status, style: ({ status }) => STATUS_STYLE[status] },
  { head: "ATTEMPT", cell: ({ attempt, max_attempts }) => `${attempt} of ${max_attempts}` },
  { head: "WORKER", cell: ({ lease }) => lease?.worker },
  { head: "ERROR", cell: ({ error }) => error },
  { head: "CREATED", cell: ({ created_at }) => created_at && shownTime(created_at), wide: true },
  { head: "STARTED", cell: ({ started_at }) => started_at && shownTime(started_at), wide: true },
  { head: "FINISHED", cell: ({ finished_at }) => finished_at && shownTime(finished_at), wide: true },
];

export const jobLines = (jobs: readonly Job[], screen: Screen, wide: boolean): string[] =>
  tableOf(COLUMNS, jobs, screen, wide);

const leaseOf = ({ lease }: Job): string | null =>
  lease === null ? null : `${lease.worker ?? "an unnamed worker"}, until ${shownTime(lease.expires_at)}`;

const shownJson = (value: unknown): string | null =>
  value === null || value === undefined ? null : JSON.stringify(value);

const jobAnswer = (whole: { job: Job }): Answer<Job> => ({
  response: whole,
  items: [whole.job],
  name: ({ id }) => id,
  lines: (screen) => {
    const { job } = whole;
    return pairsOf(
      [
        ["job", job.id],
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
  },
});

const addCommand = (job: Command, around: CliContext): void => {
  interface Options extends Printed {
    readonly payload?: unknown;
    readonly maxAttempts?: number;
    readonly after?: string;
    readonly dryRun?: true;
  }
  job
    .command("add")
    .description("enqueue a job for a task")
    .argument("<repo>", "such as acme/web")
    .argument("<work-item>", "the task's work item")
    .argument("<agent>", "the kind of worker that it is for")
    .option("--payload <json>", "what the worker is given", json)
    .option("--max-attempts <count>", "how often it is tried", wholeNumber(1, 1_000))
    .option("--after <time>", "not before this: 30m from now, or a time in ISO 8601", instant)
    .addOption(dryRunOption())
    .addOption(outputOption())
    .addHelpText("after", example(`serial-gate job add acme/web WEB-8 reviewer --payload '{"pr": 12}'`))
    .action(async (repo: string, work_item_id: string, agent: string, options: Options) => {
      const { payload, maxAttempts, after, dryRun, output } = options;
      const input = {
        repo,
        work_item_id,
        agent,
        ...(payload === undefined ? {} : { payload }),
        ...(maxAttempts === undefined ? {} : { max_attempts: maxAttempts }),
        ...(after === undefined ? {} : { run_after: after }),
      };
      const client = connect(around);
      const created = await about(client, { work_item: work_item_id, repo }, () =>
        client.createJob(input, dryRun ? { dry_run: dryRun } : {}),
      );
      await print(around, output, jobAnswer(created));
      sayTrial(around, dryRun);
    });
};

interface RetryOptions extends Printed {
  readonly reason?: string;
  readonly dryRun?: true;
}

export const jobCommands = (program: Command, around: CliContext): void => {
  const job = program.command("job").description("add, show and retry jobs");
  addCommand(job, around);
  job
    .command("show")
    .description("show a job")
    .argument("<job>", "its id", wholeNumber())
    .addOption(outputOption())
    .addHelpText("after", example("serial-gate job show 41"))
    .action(async (id: number, { output }: Printed) => {
      await print(around, output, jobAnswer(await connect(around).job(id)));
    });
  job
    .command("retry")
    .description("queue a failed job again, with one more attempt")
    .argument("<job>", "its id", wholeNumber())
    .option("--reason <text>", "why, for people to read")
    .addOption(dryRunOption())
    .addOption(outputOption())
    .addHelpText("after", example("serial-gate job retry 41"))
    .action(async (id: number, { reason, dryRun, output }: RetryOptions) => {
      const trial = dryRun ? { dry_run: dryRun } : {};
      const changed = await connect(around).retryJob(id, noteOf(around, { reason }), trial);
      const { job, effect } = changed;
      await print(around, output, {
        response: changed,
        items: [job],
        name: (each) => each.id,
        lines: (screen) =>
          changeLines(
            `Job ${job.id} (${job.agent}) of ${job.work_item_id ?? "no task"} is ${job.status}: attempt ${job.attempt + 1} of ${job.max_attempts} comes next.`,
            effect,
            screen,
          ),
      });
      sayTrial(around, dryRun);
    });
};
