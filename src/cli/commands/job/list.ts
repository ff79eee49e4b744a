/** serial-gate job list: the newest jobs of a selection, over as many pages as it takes. */

import { Option, type Command } from "commander";
import type { Client } from "../../../client/client.ts";
import type { Job, JobQuery } from "../../../contract/jobs.ts";
import { JOB_STATUSES, type JobStatus } from "../../../contract/vocabulary.ts";
import { example, repeated, wholeNumber } from "../../arguments.ts";
import type { CliContext } from "../../context.ts";
import { outputOption, print, say, type OutputOptions } from "../../output/format.ts";
import { nameOf } from "../../output/label.ts";
import { tableOf, type Column } from "../../output/table.ts";
import { shownTime } from "../../output/time.ts";
import { connect, refuseUnknownRepo } from "../../service.ts";
import { JOB_COLUMNS } from "./columns.ts";

const COLUMNS: readonly Column<Job>[] = [
  { head: "REPO", cell: ({ repo }) => repo },
  { head: "WORK ITEM", cell: ({ work_item_id }) => work_item_id },
  ...JOB_COLUMNS,
  {
    head: "LEASE UNTIL",
    cell: ({ lease, status }) =>
      lease ? shownTime(lease.expires_at) : status === "running" ? "no lease (another program)" : null,
    wide: true,
  },
];

const LONGEST_PAGE = 500;
const MOST = 10_000;

/** The newest jobs, and whether there are more. */
const newestJobs = async (
  client: Client,
  query: Partial<JobQuery>,
  most: number,
): Promise<{ jobs: Job[]; hasMore: boolean }> => {
  const found: Job[] = [];
  for (let cursor: string | undefined; ;) {
    // One more than asked for tells whether there are more.
    const limit = Math.min(most + 1 - found.length, LONGEST_PAGE);
    const { jobs, next_cursor } = await client.listJobs({ ...query, limit, cursor });
    found.push(...jobs);
    if (found.length > most) return { jobs: found.slice(0, most), hasMore: true };
    if (next_cursor === null) return { jobs: found, hasMore: false };
    cursor = next_cursor;
  }
};

interface Options extends OutputOptions {
  readonly running?: true;
  readonly failed?: true;
  readonly status?: readonly JobStatus[];
  readonly worker?: string;
  readonly agent?: string;
  readonly repo?: string;
  readonly workItem?: string;
  readonly last: number;
}

export const listCommand = (job: Command, context: CliContext): void => {
  job
    .command("list")
    .description("list jobs, the newest first")
    .option("--running", "only running jobs")
    .option("--failed", "only jobs that failed for good")
    .addOption(
      new Option("--status <status>", "only jobs in this status; may be repeated")
        .choices(JOB_STATUSES)
        .argParser((value: string, before: string[] | undefined) => {
          if (!JOB_STATUSES.some((status) => status === value))
            job.error(
              `error: option '--status <status>' argument '${value}' is invalid. Allowed choices are ${JOB_STATUSES.join(", ")}.`,
            );
          return repeated(value, before);
        }),
    )
    .option("--worker <name>", "only jobs that this worker has")
    .option("--agent <agent>", "only jobs for this kind of worker")
    .option("--repo <repo>", "only this repository")
    .option("--work-item <work-item>", "only this work item")
    .option("--last <n>", "show the newest N jobs", wholeNumber(1, MOST), 100)
    .addOption(outputOption())
    .addHelpText("after", example("serial-gate job list --failed", "serial-gate job list --worker w1"))
    .action(async (options: Options) => {
      const { running, failed, worker, agent, repo, workItem: work_item, last, output } = options;
      const chosen: JobStatus[] = [
        ...(options.status ?? []),
        ...(running ? (["running"] as const) : []),
        ...(failed ? (["failed"] as const) : []),
      ];
      const status = chosen.length > 0 ? [...new Set(chosen)] : undefined;
      const client = connect(context);
      const { jobs, hasMore } = await newestJobs(client, { status, worker, agent, repo, work_item }, last);
      if (jobs.length === 0) {
        await refuseUnknownRepo(client, repo);
        say(context, "No matching jobs.");
      }
      await print(context, output, {
        response: { jobs },
        items: jobs,
        name: ({ id }) => nameOf("job", id),
        lines: (screen, wide) => (jobs.length === 0 ? [] : tableOf(COLUMNS, jobs, screen, wide)),
      });
      if (hasMore) say(context, `The newest ${last} are shown; --last shows more.`);
    });
};
