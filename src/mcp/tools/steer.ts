/** The tools of an operator: pause, resume, freeze, unfreeze, cancel and release by force. */

import type { McpServer } from "@modelcontextprotocol/server";
import * as z from "zod";
import type { Client } from "../../client/client.ts";
import { Id, instant, OneTaskQuery, RepoLookup, text, WorkItemLookup } from "../../contract/scalars.ts";
import { advisedCommand } from "../../contract/shell.ts";
import { quoted } from "../quoted.ts";
import { changeTool } from "./change.ts";

const reason = text("The reason, for people and the history.");

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

const TOOLS = [
  changeTool({
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
  }),

  changeTool({
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
  }),

  changeTool({
    name: "freeze",
    title: "Freeze a repository",
    description:
      "Closes a repository after a bad deploy: no task of it starts until a person unfreezes it. Work that runs goes on.",
    input: z.strictObject({
      repo: RepoLookup,
      reason: reason.optional(),
      work_item_id: WorkItemLookup.optional().meta({ description: "The work item whose deploy caused it." }),
    }),
    addsUp: true,
    question: ({ repo, reason: why }) => `Freeze ${quoted(repo)}?${because(why)}`,
    command: ({ repo, reason: why, work_item_id }) =>
      advisedCommand({
        verb: ["freeze"],
        options: { reason: why, "work-item": work_item_id },
        operands: [repo],
      }),
    call: (caller, { repo, ...note }, { dry_run, by: actor }) =>
      caller.freeze(repo, { ...note, by: actor }, { dry_run }),
  }),

  changeTool({
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
  }),

  changeTool({
    name: "cancel_task",
    title: "Cancel a task for good",
    description: "Cancels a task and its waiting jobs. It is final: a cancelled task never goes on.",
    input: OneTaskQuery.extend({ reason: reason.optional() }),
    isFinal: true,
    question: ({ reason: why, ...task }) => `Cancel ${taskWords(task)}? This is final.${because(why)}`,
    command: ({ reason: why, ...task }) => taskCommand(["task", "cancel"], task, { reason: why }),
    call: async (caller, { reason: why, ...task }, { dry_run, by: actor }) =>
      caller.cancelTask(await taskIdOf(caller, task), { reason: why, by: actor }, { dry_run }),
  }),

  changeTool({
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
  }),
];

/** @param by the actor, for a service without tokens */
export const steerTools = (server: McpServer, client: Client, by: string | undefined): void => {
  for (const register of TOOLS) register({ server, client, by });
};
