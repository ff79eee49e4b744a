/** Tools of an operator. Each tries its change first, so that a missing right is refused before a person is asked, shows the
 *  person the effect, and makes the change only after a yes. */

import type { McpServer } from "@modelcontextprotocol/server";
import * as z from "zod";
import type { Client, Effect } from "../../client/client.ts";
import { Id, instant, OneTaskQuery, RepoLookup, text, WorkItemLookup } from "../../contract/scalars.ts";
import { advisedCommand } from "../../contract/shell.ts";
import { answer, answering } from "../answers.ts";
import { confirmation } from "../confirmation.ts";
import { quoted } from "../quoted.ts";
import { toolInput } from "../tool-input.ts";

/** Tasks that a question names. */
const MOST_NAMED = 10;

const reason = text("The reason, for people and the history.");
const ASKS =
  "For operators' tokens only. The person is asked to confirm in the client, with the effect; a refusal there is final.";

interface Trial {
  readonly dry_run?: true;
}

/** The actor, where the service has no tokens to know it by. */
interface By {
  readonly by?: string | undefined;
}

interface Change<Input extends z.ZodObject> {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly input: Input;
  /** True where nothing undoes it. */
  readonly isFinal?: boolean;
  /** The change in words for the person; names are quoted. */
  readonly question: (input: z.output<Input>) => string;
  readonly command: (input: z.output<Input>) => string;
  readonly call: (
    client: Client,
    input: z.output<Input>,
    how: Trial & By,
  ) => Promise<{ readonly effect?: Effect }>;
}

const named = (jobs: Effect["now_claimable"]): string => {
  const names = jobs.map(
    ({ work_item_id, job_id, repo }) => `${quoted(work_item_id ?? `job ${job_id}`)} in ${quoted(repo)}`,
  );
  const more = names.length > MOST_NAMED ? ` and ${names.length - MOST_NAMED} more` : "";
  return `${names.slice(0, MOST_NAMED).join(", ")}${more}`;
};

const effectSentence = ({ now_claimable, now_held }: Effect): string =>
  [
    now_claimable.length > 0 ? `Could start then: ${named(now_claimable)}.` : "",
    now_held.length > 0 ? `Would be held: ${named(now_held)}.` : "",
    now_claimable.length + now_held.length === 0 ? "No waiting job would be affected." : "",
  ]
    .filter((part) => part !== "")
    .join(" ");

const taskWords = ({ work_item, repo, task_id }: OneTaskQuery): string =>
  task_id === undefined
    ? `${quoted(work_item ?? "")}${repo === undefined ? "" : ` in ${quoted(repo)}`}`
    : `task ${task_id}`;

const because = (why: string | undefined): string =>
  why === undefined ? "" : ` Reason given: ${quoted(why)}.`;

/** The verb for one task on the command line. */
const taskCommand = (
  verb: readonly string[],
  { work_item, repo, task_id }: OneTaskQuery,
  options: Readonly<Record<string, string | undefined>>,
): string =>
  advisedCommand({
    verb,
    options: { repo: task_id === undefined ? repo : undefined, id: task_id, ...options },
    operands: task_id === undefined && work_item !== undefined ? [work_item] : [],
  });

const taskIdOf = async (client: Client, { work_item = "", repo, task_id }: OneTaskQuery): Promise<number> =>
  task_id ?? (await client.resolveTask({ work_item, repo })).task.id;

const registerChange = <Input extends z.ZodObject>(
  { server, client, by }: Steered,
  { name, title, description, input, isFinal = false, question, command, call }: Change<Input>,
): void => {
  server.registerTool(
    name,
    {
      title,
      description: `${description} ${ASKS}`,
      inputSchema: toolInput<z.ZodObject>(input),
      annotations: {
        readOnlyHint: false,
        destructiveHint: isFinal,
        idempotentHint: true,
        openWorldHint: false,
      },
    },
    answering(async (raw, context) => {
      const sent = raw as z.output<Input>;
      const { effect } = await call(client, sent, { dry_run: true, by });
      const open = confirmation(server, context, {
        message: `${question(sent)} ${effect ? effectSentence(effect) : ""}`,
        command: command(sent),
      });
      return open ?? answer("Done, as the person confirmed:", await call(client, sent, { by }));
    }),
  );
};

interface Steered {
  readonly server: McpServer;
  readonly client: Client;
  readonly by: string | undefined;
}

export const steerTools = (server: McpServer, client: Client, by: string | undefined): void => {
  const steered: Steered = { server, client, by };

  registerChange(steered, {
    name: "pause",
    title: "Pause a task",
    description:
      "Pauses a task, so that later tasks of its repository can overtake it. For your own claimed job use release with pause instead.",
    input: OneTaskQuery.extend({
      reason: reason.optional(),
      until: instant("When the task resumes by itself.").optional(),
    }),
    question: (sent) => `Pause ${taskWords(sent)}?${because(sent.reason)}`,
    command: ({ reason: why, until, ...task }) => taskCommand(["pause"], task, { reason: why, until }),
    call: (caller, { reason: why, until, ...task }, { dry_run, by: actor }) =>
      caller.pause({ ...task, dry_run }, { reason: why, until, by: actor }),
  });

  registerChange(steered, {
    name: "resume",
    title: "Resume a task, with an answer",
    description:
      "Resumes a paused task. answer is a person's answer to the question it waited with: never make one up; it is handed to the task's next worker.",
    input: OneTaskQuery.extend({
      answer: text("The person's answer.").optional(),
      reason: reason.optional(),
    }),
    question: ({ answer: said, reason: why, ...task }) =>
      `Resume ${taskWords(task)}?${said === undefined ? "" : ` The answer to its worker: ${quoted(said)}.`}${because(why)}`,
    command: ({ answer: said, reason: why, ...task }) =>
      taskCommand(["resume"], task, { answer: said, reason: why }),
    call: (caller, { answer: said, reason: why, ...task }, { dry_run, by: actor }) =>
      caller.resume({ ...task, dry_run }, { answer: said, reason: why, by: actor }),
  });

  registerChange(steered, {
    name: "freeze",
    title: "Freeze a repository",
    description:
      "Closes a repository after a bad deploy: no task of it starts until a person unfreezes it. Work that runs goes on.",
    input: z.strictObject({
      repo: RepoLookup,
      reason: reason.optional(),
      work_item_id: WorkItemLookup.optional().meta({ description: "The work item whose deploy caused it." }),
    }),
    question: ({ repo, reason: why }) => `Freeze ${quoted(repo)}?${because(why)}`,
    command: ({ repo, reason: why, work_item_id }) =>
      advisedCommand({
        verb: ["freeze"],
        options: { reason: why, "work-item": work_item_id },
        operands: [repo],
      }),
    call: (caller, { repo, ...note }, { dry_run, by: actor }) =>
      caller.freeze(repo, { ...note, by: actor }, { dry_run }),
  });

  registerChange(steered, {
    name: "unfreeze",
    title: "Unfreeze a repository",
    description: "Clears the freezes of a repository, or one of them, so that its tasks may start again.",
    input: z.strictObject({
      repo: RepoLookup,
      freeze_id: Id.optional().meta({ description: "Clear this freeze only." }),
      reason: reason.optional(),
    }),
    question: ({ repo, freeze_id, reason: why }) =>
      `Unfreeze ${quoted(repo)}${freeze_id === undefined ? "" : ` (freeze ${freeze_id})`}?${because(why)}`,
    command: ({ repo, freeze_id, reason: why }) =>
      advisedCommand({ verb: ["unfreeze"], options: { id: freeze_id, reason: why }, operands: [repo] }),
    call: (caller, { repo, freeze_id, reason: why }, { dry_run, by: actor }) =>
      caller.unfreeze({ repo, id: freeze_id, dry_run }, { reason: why, by: actor }),
  });

  registerChange(steered, {
    name: "cancel_task",
    title: "Cancel a task for good",
    description: "Cancels a task and its waiting jobs. It is final: a cancelled task never goes on.",
    input: OneTaskQuery.extend({ reason: reason.optional() }),
    isFinal: true,
    question: ({ reason: why, ...task }) => `Cancel ${taskWords(task)}? This is final.${because(why)}`,
    command: ({ reason: why, ...task }) => taskCommand(["task", "cancel"], task, { reason: why }),
    call: async (caller, { reason: why, ...task }, { dry_run, by: actor }) =>
      caller.cancelTask(await taskIdOf(caller, task), { reason: why, by: actor }, { dry_run }),
  });

  registerChange(steered, {
    name: "release_by_force",
    title: "Take a job from a worker that hangs",
    description:
      "Takes a running job from its worker, back into the queue. The worker's lease is worthless from then on, and its work is lost. For your own job use release.",
    input: z.strictObject({ job_id: Id, reason }),
    isFinal: true,
    question: ({ job_id, reason: why }) => `Take job ${job_id} from its worker?${because(why)}`,
    command: ({ job_id, reason: why }) =>
      `${advisedCommand({ verb: ["job", "release"], options: { reason: why }, operands: [job_id] })} --force`,
    call: (caller, { job_id, reason: why }, { dry_run, by: actor }) =>
      caller.releaseByForce(
        job_id,
        { reason: why, ...(actor === undefined ? {} : { by: actor }) },
        { dry_run },
      ),
  });
};
