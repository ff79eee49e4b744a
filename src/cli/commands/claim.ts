/** serial-gate claim: takes jobs as a worker does. */

import type { Command } from "commander";
import type { Claim, ClaimedJob } from "../../contract/jobs.ts";
import { example, repeated, wholeNumber } from "../arguments.ts";
import { outputOption, print, say, type Answer, type Printed } from "../output/format.ts";
import type { CliContext } from "../context.ts";
import { tableOf, type Column } from "../output/terminal.ts";
import { connect } from "../service.ts";
import { duration, shownTime } from "../output/time.ts";

const COLUMNS: readonly Column<ClaimedJob>[] = [
  { head: "JOB", cell: ({ id }) => id },
  { head: "REPO", cell: ({ repo }) => repo },
  { head: "WORK ITEM", cell: ({ work_item_id }) => work_item_id },
  { head: "AGENT", cell: ({ agent }) => agent },
  { head: "ATTEMPT", cell: ({ attempt, max_attempts }) => `${attempt} of ${max_attempts}` },
  { head: "LEASE TOKEN", cell: ({ lease }) => lease.token },
  { head: "EXPIRES", cell: ({ lease }) => shownTime(lease.expires_at) },
  { head: "STAGE", cell: ({ stage }) => stage, wide: true },
  { head: "TASK", cell: ({ task_id }) => task_id, wide: true },
  { head: "OVERTAKEN BY", cell: ({ base }) => base.overtaken_by.join(", "), wide: true },
];

const answerOf = (claim: Claim): Answer<ClaimedJob> => ({
  response: claim,
  items: claim.jobs,
  name: ({ id }) => id,
  lines: (screen, wide) => (claim.jobs.length === 0 ? [] : tableOf(COLUMNS, claim.jobs, screen, wide)),
});

const words = ({ jobs, degraded }: Claim): string[] => [
  ...(jobs.length === 0 ? ["Nothing may start now."] : []),
  ...jobs
    .filter(({ base }) => base.stale)
    .map(
      ({ id, base }) =>
        `Job ${id} has a stale base: ${base.overtaken_by.join(", ")} finished while its task was paused. Rebase first.`,
    ),
  ...(degraded ? ["The gate is degraded, and this claim did not wait for it."] : []),
];

interface Options extends Printed {
  readonly agent?: string[];
  readonly repo?: string[];
  readonly max?: number;
  readonly wait?: number;
  readonly lease?: number;
  readonly worker?: string;
}

export const claimCommand = (program: Command, around: CliContext): void => {
  program
    .command("claim")
    .description("claim the oldest jobs that may start, and print their lease tokens")
    .option("--agent <agent>", "only jobs of this kind of worker; may be repeated", repeated)
    .option("--repo <repo>", "only of this repository; may be repeated", repeated)
    .option("--max <count>", "at most so many (default: 1)", wholeNumber(1, 100))
    .option("--wait <duration>", "how long to wait for one, at most 60s", duration)
    .option("--lease <duration>", "how long the lease holds, 1s to 24h", duration)
    .option("--worker <name>", "who claims, for people to read")
    .addOption(outputOption())
    .addHelpText("after", example("serial-gate claim --agent developer --wait 30s -o json"))
    .action(async ({ agent, repo, max, wait, lease, worker, output }: Options) => {
      const claim = await connect(around).claim({
        ...(agent ? { agents: agent } : {}),
        ...(repo ? { repos: repo } : {}),
        ...(max === undefined ? {} : { max }),
        ...(wait === undefined ? {} : { wait_ms: wait }),
        ...(lease === undefined ? {} : { lease_ms: lease }),
        ...(worker === undefined ? {} : { worker }),
      });
      await print(around, output, answerOf(claim));
      say(around, ...words(claim));
    });
};
