/** serial-gate job heartbeat, complete, fail and release: what a worker does with a job that it claimed, by the lease's
 *  token; and the release by an operator, without one. */

import { Option, type Command } from "commander";
import type { Job } from "../../../contract/jobs.ts";
import { example, idOf, json, reasonOption, repeated } from "../../arguments.ts";
import type { CliContext } from "../../context.ts";
import { changeLines } from "../../output/effect.ts";
import { EXIT, ExitError } from "../../output/exit-codes.ts";
import { outputOption, print, type Answer, type OutputOptions } from "../../output/format.ts";
import { labelOf, nameOf } from "../../output/label.ts";
import { plain } from "../../output/text.ts";
import { durationBetween, shownTime } from "../../output/time.ts";
import { connect, noteOf } from "../../service.ts";

interface LeaseOptions extends OutputOptions {
  readonly token: string;
}

const TOKEN = "lease token, as the claim printed it";

/** A verb about a job that takes its lease's token. */
const leaseVerb = (program: Command, name: string, description: string): Command =>
  program
    .command(name)
    .description(description)
    .argument("<job>", "job id", idOf("job"))
    .requiredOption("--token <lease-token>", TOKEN);

const described = (job: Job): string =>
  `Job ${job.id} (${job.agent}) of ${labelOf({ ...job, job_id: job.id })}`;

const jobAnswer = (response: { readonly job: Job }, sentence: (job: Job) => string): Answer<Job> => ({
  response,
  items: [response.job],
  name: ({ id }) => nameOf("job", id),
  lines: () => [plain(sentence(response.job))],
});

const heartbeatCommand = (program: Command, context: CliContext): void => {
  leaseVerb(program, "heartbeat", "extend the lease of a job that you claimed")
    .option("--lease <duration>", "length of the lease from now, 1s to 24h", durationBetween("1s", "24h"))
    .addOption(outputOption())
    .addHelpText("after", example("serial-gate job heartbeat 41 --token TOKEN --lease 10m"))
    .action(async (id: number, { token, lease, output }: LeaseOptions & { readonly lease?: number }) => {
      const response = await connect(context).heartbeat(id, { lease_token: token, lease_ms: lease });
      await print(context, output, {
        response,
        items: [{ id, lease: response.lease }],
        name: () => nameOf("job", id),
        lines: () => [`Job ${id}: the lease lasts until ${shownTime(response.lease.expires_at)}.`],
      });
    });
};

const completeCommand = (program: Command, context: CliContext): void => {
  interface Options extends LeaseOptions {
    readonly result?: unknown;
    readonly stage?: string;
    readonly next?: readonly string[];
  }
  leaseVerb(program, "complete", "complete a job that you claimed, and move its task on")
    .option("--stage <stage>", "new stage of the task, such as done")
    .option("--next <agent>", "enqueue a job for this kind of worker; may be repeated", repeated)
    .option("--result <json>", "result of the work", json)
    .addOption(outputOption())
    .addHelpText("after", example("serial-gate job complete 41 --token TOKEN --stage done"))
    .action(async (id: number, { token, result, stage, next, output }: Options) => {
      const response = await connect(context).complete(id, {
        lease_token: token,
        result,
        stage,
        next: next?.map((agent) => ({ agent })),
      });
      const { task, next: added } = response;
      const moved = task === null ? "" : ` ${labelOf(task)} is in ${task.stage}.`;
      const followed = added.map((job) => ` Job ${job.id} (${job.agent}) is ${job.status}.`).join("");
      await print(
        context,
        output,
        jobAnswer(response, (job) => `${described(job)} is ${job.status}.${moved}${followed}`),
      );
    });
};

const failCommand = (program: Command, context: CliContext): void => {
  interface Options extends LeaseOptions {
    readonly error: string;
    readonly retry: boolean;
  }
  leaseVerb(
    program,
    "fail",
    "report that a job that you claimed failed; it is retried while it has attempts left",
  )
    .requiredOption("--error <text>", "the error, for people")
    .option("--no-retry", "fail for good")
    .addOption(outputOption())
    .addHelpText("after", example('serial-gate job fail 41 --token TOKEN --error "tests are red"'))
    .action(async (id: number, { token, error, retry, output }: Options) => {
      const response = await connect(context).fail(id, { lease_token: token, error, retry });
      const until = ({ status, run_after }: Job): string =>
        status === "delayed" && run_after !== null ? ` until ${shownTime(run_after)}` : "";
      await print(
        context,
        output,
        jobAnswer(response, (job) => `${described(job)} is ${job.status}${until(job)}.`),
      );
    });
};

const releaseCommand = (program: Command, context: CliContext): void => {
  interface Options extends OutputOptions {
    readonly token?: string;
    readonly force?: true;
    readonly reason?: string;
  }
  program
    .command("release")
    .description("return a job to the queue; no attempt is counted. With --force from a worker that hangs")
    .argument("<job>", "job id", idOf("job"))
    .option("--token <lease-token>", TOKEN)
    .addOption(new Option("--force", "take a running job without its lease").conflicts("token"))
    .addOption(reasonOption())
    .addOption(outputOption())
    .addHelpText(
      "after",
      example(
        "serial-gate job release 41 --token TOKEN",
        'serial-gate job release 41 --force --reason "the worker hangs"',
      ),
    )
    .action(async (id: number, { token, force, reason, output }: Options) => {
      const client = connect(context);
      if (token !== undefined) {
        const response = await client.release(id, { lease_token: token });
        await print(
          context,
          output,
          jobAnswer(response, (job) => `${described(job)} is ${job.status}.`),
        );
        return;
      }
      if (!force)
        throw new ExitError(EXIT.usage, "Add --token with the lease's token, or --force with --reason.");
      if (reason === undefined)
        throw new ExitError(EXIT.usage, "--force needs --reason: it is kept in the history.");
      const response = await client.releaseByForce(id, { ...noteOf(context, { reason }), reason });
      await print(context, output, {
        ...jobAnswer(response, () => ""),
        lines: (screen) =>
          changeLines(
            `${described(response.job)} is ${response.job.status}.`,
            { effect: response.effect, dryRun: undefined },
            screen,
          ),
      });
    });
};

export const leaseCommands = (program: Command, context: CliContext): void => {
  heartbeatCommand(program, context);
  completeCommand(program, context);
  failCommand(program, context);
  releaseCommand(program, context);
};
