/** The service as the verbs see it: a client for it, the task of a work item, and suggestions for unknown names. */

import { Client, ProblemError } from "../client/client.ts";
import type { PauseNote } from "../contract/operations.ts";
import type { Queue } from "../contract/queue.ts";
import type { OneTaskQuery } from "../contract/scalars.ts";
import type { Task } from "../contract/tasks.ts";
import { chooseConnection, type Connection } from "../config/client.ts";
import { readContexts } from "./context-file.ts";
import type { CliContext } from "./context.ts";
import { EXIT, ExitError } from "./output/exit-codes.ts";
import { didYouMean } from "../contract/names/near.ts";

/** The service that the verb calls.
 *  @throws ConnectionError */
export const connectionOf = ({ env, globalOptions }: CliContext): Connection => {
  const { context: contextName, insecure = false } = globalOptions();
  return chooseConnection({ env, contextName, insecure, contexts: () => readContexts(env) });
};

/** @throws ConnectionError */
export const connect = (context: CliContext): Client => {
  const { urls, token } = connectionOf(context);
  return new Client({ url: urls, token });
};

/** The reason and the person for the event log. A service with tokens records the token's name and takes no other. */
export const noteOf = (
  context: CliContext,
  { reason, until }: Pick<PauseNote, "reason" | "until">,
): PauseNote => {
  const { token, by } = connectionOf(context);
  return { by: token === undefined ? (by ?? context.userName()) : undefined, reason, until };
};

const LONGEST_PAGE = 500;

/** The work items that a queue shows. */
export const liveWorkItems = ({ serial_gate: { per_repo } }: Queue, repo?: string): string[] =>
  Object.entries(per_repo)
    .filter(([name]) => repo === undefined || name === repo)
    .flatMap(([, { active_task, waiting, paused }]) => [active_task, ...waiting, ...paused])
    .flatMap((task) => task?.work_item_id ?? []);

/** The work items of the queue and of the first page of tasks. */
const knownWorkItems = async (client: Client, repo?: string): Promise<string[]> => {
  const [queue, { tasks }] = await Promise.all([
    client.queue(),
    client.listTasks({ limit: LONGEST_PAGE, repo }),
  ]);
  return [...liveWorkItems(queue, repo), ...tasks.flatMap(({ work_item_id }) => work_item_id ?? [])];
};

/** Makes a call about a task. If no task has the work item, the error suggests similar ones, and says how an id is given.
 *  @throws ExitError for an unknown work item */
export const suggestingWorkItems = async <T>(
  client: Client,
  { work_item = "", repo }: OneTaskQuery,
  call: () => Promise<T>,
): Promise<T> => {
  try {
    return await call();
  } catch (error) {
    if (!(error instanceof ProblemError) || error.code !== "unknown_work_item") throw error;
    const inRepo = didYouMean(work_item, await knownWorkItems(client, repo));
    const elsewhere = repo === undefined ? [] : await didYouMeanRepo(client, repo).catch((): string[] => []);
    const isNumber = /^[1-9]\d{0,15}$/.test(work_item);
    throw new ExitError(
      EXIT.notFound,
      error.problem.detail,
      ...(inRepo.length > 0 ? inRepo : elsewhere),
      ...(isNumber ? [`If ${work_item} is a task id, give it as --id ${work_item}.`] : []),
    );
  }
};

/** Finds the task of a work item, or of an id.
 *  @throws ExitError for an unknown work item; ProblemError unknown_task, ambiguous_work_item */
export const findTask = (client: Client, query: OneTaskQuery): Promise<Task> =>
  suggestingWorkItems(client, query, async () => {
    const { work_item = "", repo, task_id } = query;
    return (
      task_id === undefined ? await client.resolveTask({ work_item, repo }) : await client.task(task_id)
    ).task;
  });

const didYouMeanRepo = async (client: Client, repo: string): Promise<string[]> =>
  didYouMean(repo, Object.keys((await client.queue()).serial_gate.per_repo));

const hasTasks = async (client: Client, repo: string): Promise<boolean> =>
  (await client.listTasks({ repo, limit: 1 })).tasks.length > 0;

/** A line for a repository that nothing has, and one for near names; nothing for any other.
 *  @param nouns names the things that it lacks */
export const unknownRepoLines = (
  repo: string,
  { known, near }: { readonly known: boolean; readonly near: readonly string[] },
  nouns = "tasks, jobs or freezes",
): string[] => {
  if (known) return [];
  const guess = near.length === 0 ? [] : [`Did you mean ${near.join(" or ")}?`];
  return [`No ${nouns} in ${repo}.`, ...guess];
};

/** True where the gate acts on freezes and lanes of a repository. */
export const isInForce = ({ serial_gate: { enabled, repos } }: Queue, repo: string): boolean =>
  enabled && (repos === "" || repos.split(",").includes(repo));

/** @throws ExitError when the repository has no tasks, jobs or freezes */
export const refuseUnknownRepo = async (client: Client, repo: string | undefined): Promise<void> => {
  if (repo === undefined || (await hasTasks(client, repo))) return;
  if (Object.hasOwn((await client.queue([repo])).serial_gate.per_repo, repo)) return;
  throw new ExitError(
    EXIT.notFound,
    `No tasks, jobs or freezes in ${repo}.`,
    ...(await didYouMeanRepo(client, repo)),
  );
};
