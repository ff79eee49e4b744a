/** serial-gate claim: claims jobs, as a worker does. */

import type { Command } from "commander";
import type { Claim, ClaimedJob } from "../../../contract/jobs.ts";
import { example, repeated, wholeNumber } from "../../arguments.ts";
import type { CliContext } from "../../context.ts";
import { outputOption, print, say, type Answer, type OutputOptions } from "../../output/format.ts";
import { nameOf } from "../../output/label.ts";
import { tableOf, type Column } from "../../output/table.ts";
import { durationBetween, shownTime } from "../../output/time.ts";
import { connect } from "../../service.ts";

const COLUMNS: readonly Column<ClaimedJob>[] = [
  { head: "JOB", cell: ({ id }) => id },
  { head: "REPO", cell: ({ repo }) => repo },
  { head: "WORK ITEM", cell: ({ work_item_id }) => work_item_id },
  { head: "AGENT", cell: ({ agent }) => agent },
  { head: "ATTEMPT", cell: ({ attempt, max_attempts }) => `${attempt} of ${max_attempts}` },
  { head: "LEASE TOKEN", cell: ({ lease }) => lease.token, whole: true },
  { head: "EXPIRES", cell: ({ lease }) => shownTime(lease.expires_at) },
  { head: "STAGE", cell: ({ stage }) => stage, wide: true },
  { head: "TASK", cell: ({ task_id }) => task_id, wide: true },
  { head: "OVERTAKEN BY", cell: ({ base }) => base.overtaken_by.join(", "), wide: true },
];

const answerOf = (claim: Claim): Answer<ClaimedJob> => ({
  response: claim,
  items: claim.jobs,
  name: ({ id }) => nameOf("job", id),
  lines: (screen, wide) => (claim.jobs.length === 0 ? [] : tableOf(COLUMNS, claim.jobs, screen, wide)),
});

const notes = ({ jobs, degraded }: Claim): string[] => [
  ...(jobs.length === 0 ? ["No job can start now."] : []),
  ...jobs
    .filter(({ base }) => base.stale)
    .map(
      ({ id, base }) =>
        `Job ${id} has a stale base: ${base.overtaken_by.join(", ")} finished while its task was paused. Rebase first.`,
    ),
  ...(degraded ? ["Degraded: handed out without a full check."] : []),
];

interface Options extends OutputOptions {
  readonly agent?: string[];
  readonly repo?: string[];
  readonly max?: number;
  readonly wait?: number;
  readonly lease?: number;
  readonly worker?: string;
}

export const claimCommand = (program: Command, context: CliContext): void => {
  program
    .command("claim")
    .description("claim the oldest jobs that can start, and print their lease tokens")
    .option("--agent <agent>", "only jobs for this kind of worker; may be repeated", repeated)
    .option("--repo <repo>", "only this repository; may be repeated", repeated)
    .option("--max <count>", "maximum number of jobs (default: 1)", wholeNumber(1, 100))
    .option("--wait <duration>", "time to wait for a job, up to 60s", durationBetween("0s", "60s"))
    .option("--lease <duration>", "length of the lease, 1s to 24h", durationBetween("1s", "24h"))
    .option("--worker <name>", "name of the worker, shown to people")
    .addOption(outputOption())
    .addHelpText("after", example("serial-gate claim --agent developer --wait 30s -o json"))
    .action(async ({ agent, repo, max, wait, lease, worker, output }: Options) => {
      const claim = await connect(context).claim({
        agents: agent,
        repos: repo,
        max,
        wait_ms: wait,
        lease_ms: lease,
        worker,
      });
      await print(context, output, answerOf(claim));
      say(context, ...notes(claim));
    });
};
