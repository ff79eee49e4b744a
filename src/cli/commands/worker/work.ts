/** serial-gate work: a worker that runs a command for each job. */

import { mkdtempSync, rmSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import type { Command as Program } from "commander";
import { ProblemError, type Client, type RunningJob } from "../../../client/client.ts";
import type { CommandOutcome } from "../../../contract/jobs.ts";
import { example, repeated, wholeNumber } from "../../arguments.ts";
import type { CliContext } from "../../context.ts";
import { describeError } from "../../output/errors.ts";
import { EXIT, ExitError } from "../../output/exit-codes.ts";
import { say } from "../../output/format.ts";
import { labelInRepo } from "../../output/label.ts";
import { plain } from "../../output/text.ts";
import { duration, durationBetween } from "../../output/time.ts";
import { connect } from "../../service.ts";
import { startCommand, type Ended } from "./command.ts";
import { OutcomeError, readOutcome, readText } from "./outcome.ts";

/** EX_TEMPFAIL of sysexits.h: the job is delayed, no attempt is counted. */
const DEFER = 75;
/** The job is released, and its task is paused until a person resumes it. */
const NEEDS_A_PERSON = 76;
/** The delay of a deferred job whose outcome names no time. Milliseconds. */
const DEFER_MS = 60_000;
/** Between two looks at the command's progress. Milliseconds. */
const PROGRESS_EVERY_MS = 1_000;

interface Options {
  readonly agent?: string[];
  readonly repo?: string[];
  readonly name: string;
  readonly concurrency: number;
  readonly lease: number;
  readonly grace: number;
}

/** A refusal that a repeat does not change: the worker ends with it. */
const isFinal = (error: unknown): error is ProblemError =>
  error instanceof ProblemError && [400, 401, 403].includes(error.problem.status);

const nameOf = ({ id, repo, work_item_id }: RunningJob): string =>
  `${work_item_id ?? `job ${id}`}${repo === null ? "" : ` in ${repo}`}`;

/** The job as the command finds it in its environment. The service's token is not for the command. */
const environmentOf = (
  { SERIAL_GATE_TOKEN: _, ...env }: NodeJS.ProcessEnv,
  job: RunningJob,
  files: Readonly<Record<string, string>>,
): NodeJS.ProcessEnv => {
  const { id, task_id, repo, work_item_id, agent, stage, attempt, max_attempts, base, resumed } = job;
  const members = {
    JOB_ID: id,
    TASK_ID: task_id,
    REPO: repo,
    WORK_ITEM: work_item_id,
    AGENT: agent,
    STAGE: stage,
    ATTEMPT: attempt,
    MAX_ATTEMPTS: max_attempts,
    BASE_STALE: base.stale,
    OVERTAKEN_BY: base.overtaken_by.join(" "),
    ANSWER: resumed?.answer,
    ...files,
  };
  // A process has no environment with NUL in it.
  const named = Object.entries(members).map(([name, value]): [string, string] => [
    `SERIAL_GATE_${name}`,
    String(value ?? "").replaceAll("\0", "\ufffd"),
  ]);
  return { ...env, ...Object.fromEntries(named) };
};

const json = ({ id, task_id, repo, work_item_id, agent, stage, payload, ...job }: RunningJob): string => {
  const { attempt, max_attempts, base, resumed } = job;
  return JSON.stringify({
    id,
    task_id,
    repo,
    work_item_id,
    agent,
    stage,
    payload,
    attempt,
    max_attempts,
    base,
    resumed,
  });
};

class Runner {
  readonly #context: CliContext;
  readonly #argv: readonly string[];
  readonly #stopping = new AbortController();
  /** Aborts when commands get no more time. */
  readonly #graceOver = new AbortController();
  #fault: Error | undefined;

  constructor(context: CliContext, argv: readonly string[]) {
    this.#context = context;
    this.#argv = argv;
  }

  /** Claims and runs jobs until the process is asked to stop, or until a refusal that a repeat does not change. */
  async run(client: Client, { agent, repo, name, concurrency, lease, grace }: Options): Promise<void> {
    this.#context.onStop(() => {
      this.#stop(grace);
    });
    const agents = agent?.flatMap((list) => list.split(","));
    const loop = async (): Promise<void> => {
      const jobs = client.jobs({
        agents,
        repos: repo,
        name,
        leaseMs: lease,
        signal: this.#stopping.signal,
        onTrouble: (error, job) => {
          this.#tell(error, job?.id);
        },
      });
      for await (const job of jobs) await this.#runJob(job);
    };
    await Promise.all(Array.from({ length: concurrency }, loop));
    if (this.#fault !== undefined) throw this.#fault;
  }

  /** The first time takes no new job and lets commands finish for a while; the second time ends them. */
  #stop(grace: number): void {
    if (this.#stopping.signal.aborted) {
      this.#graceOver.abort();
      return;
    }
    this.#say("Stopping: no new job is taken; commands that run may finish.");
    this.#stopping.abort();
    setTimeout(() => {
      this.#graceOver.abort();
    }, grace).unref();
    this.#context.onStop(() => {
      this.#stop(grace);
    });
  }

  #say(text: string, id?: number): void {
    say(this.#context, plain(id === undefined ? text : `job ${id}: ${text}`));
  }

  /** Says what went wrong, and ends the worker where it will go wrong again. */
  #tell(error: unknown, id?: number): void {
    if (id === undefined && isFinal(error)) {
      this.#fault ??= error;
      this.#stopping.abort();
      return;
    }
    for (const line of describeError(error, [], this.#context).lines) this.#say(line, id);
  }

  async #runJob(job: RunningJob): Promise<void> {
    const folder = mkdtempSync(join(tmpdir(), "serial-gate-job-"));
    const files = { OUTCOME: join(folder, "outcome.json"), PROGRESS: join(folder, "progress") };
    try {
      const ended = await this.#runCommand(job, files);
      await this.#report(job, ended, files.OUTCOME);
    } catch (error) {
      this.#tell(error, job.id);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  async #runCommand(job: RunningJob, files: { OUTCOME: string; PROGRESS: string }): Promise<Ended> {
    const { stdout, stderr, env } = this.#context;
    const { id, agent, attempt, max_attempts } = job;
    this.#say(`${nameOf(job)} (${agent}), attempt ${attempt} of ${max_attempts}`, id);
    const streams = { stdout, stderr };
    const command = startCommand({
      argv: this.#argv,
      env: environmentOf(env, job, files),
      input: `${json(job)}\n`,
      onLine: (stream, line) => streams[stream].write(`job ${id} | ${plain(line)}\n`),
    });
    const progress = setInterval(() => {
      const last = readText(files.PROGRESS).trim().split("\n").at(-1);
      if (last) job.progress(last);
    }, PROGRESS_EVERY_MS);
    const end = (): void => {
      command.end();
    };
    job.signal.addEventListener("abort", end);
    this.#graceOver.signal.addEventListener("abort", end);
    if (this.#graceOver.signal.aborted) end();
    try {
      return await command.ended;
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      this.#fault ??= new ExitError(EXIT.failed, `The command cannot be started: ${why}`);
      this.#stopping.abort();
      await job.release();
      throw error;
    } finally {
      clearInterval(progress);
      job.signal.removeEventListener("abort", end);
      this.#graceOver.signal.removeEventListener("abort", end);
    }
  }

  async #report(job: RunningJob, { code, tail }: Ended, path: string): Promise<void> {
    if (job.signal.aborted) {
      const { reason } = job.signal as { reason: unknown };
      const why = reason instanceof Error ? reason.message : String(reason);
      this.#say(`the command was ended, because the job is no longer this worker's: ${why}`, job.id);
      return;
    }
    if (this.#graceOver.signal.aborted) {
      await job.release();
      this.#say("released, because this worker is stopping", job.id);
      return;
    }
    try {
      await this.#end(job, { code, tail }, await readOutcome(path));
    } catch (error) {
      const isCommands = error instanceof OutcomeError || isFinal(error);
      if (!isCommands) throw error;
      await job.fail(error);
      this.#say(`failed: ${error instanceof Error ? error.message : String(error)}`, job.id);
    }
  }

  async #end(job: RunningJob, { code, tail }: Ended, outcome: CommandOutcome): Promise<void> {
    const { run_after, pause, ...success } = outcome;
    switch (code) {
      case 0: {
        const { task } = await job.complete({ ...success, ...(pause ? { pause } : {}) });
        this.#say(`done${task ? `, ${labelInRepo(task)} is in ${task.stage}` : ""}`, job.id);
        return;
      }
      case DEFER: {
        const until = run_after ?? new Date(Date.now() + DEFER_MS).toISOString();
        await job.release({ run_after: until });
        this.#say(`deferred until ${until}`, job.id);
        return;
      }
      case NEEDS_A_PERSON: {
        const question = pause ?? { reason: tail === "" ? "The command asks for a person." : tail };
        await job.release({ pause: question });
        this.#say(`waits for a person: ${question.reason}`, job.id);
        return;
      }
      default: {
        const error = `The command ended with exit code ${code}.${tail === "" ? "" : `\n${tail}`}`;
        const { job: failed } = await job.fail(error);
        this.#say(`failed with exit code ${code}; the job is ${failed.status}`, job.id);
      }
    }
  }
}

export const workCommand = (program: Program, context: CliContext): void => {
  program
    .command("work")
    .description("claim jobs, and run a command for each")
    .argument("<command...>", "the command and its arguments, after --")
    .option("--agent <agents>", "only jobs for these kinds of worker: a,b; may be repeated", repeated)
    .option("--repo <repo>", "only this repository; may be repeated", repeated)
    .option("--name <name>", "name of the worker, shown to people", hostname())
    .option("--concurrency <count>", "jobs at once", wholeNumber(1, 100), 1)
    .option("--lease <duration>", "length of a lease, 1s to 24h", durationBetween("1s", "24h"), 60_000)
    .option("--grace <duration>", "time for commands to finish when the worker stops", duration, 30_000)
    .addHelpText(
      "after",
      `
The command gets the job as JSON on stdin and in SERIAL_GATE_JOB_ID, _REPO, _WORK_ITEM, _AGENT, _STAGE, _ATTEMPT,
_BASE_STALE, _OVERTAKEN_BY and _ANSWER. It may write JSON {result, stage, next, pause, run_after} into the file
$SERIAL_GATE_OUTCOME, and a line for people into $SERIAL_GATE_PROGRESS.
Its exit code: 0 completes the job, 75 defers it (run_after, or a minute), 76 pauses its task for a person (pause),
any other fails it with the end of stderr.
${example("serial-gate work --agent analyst,developer --concurrency 4 -- ./agent.sh")}`,
    )
    .action((argv: string[], options: Options) => new Runner(context, argv).run(connect(context), options));
};
