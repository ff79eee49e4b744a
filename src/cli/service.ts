/** The service as the verbs see it: a client for it, the task of a work item, and suggestions for unknown names. */

import { Client, ProblemError } from "../client/client.ts";
import type { PauseNote } from "../contract/operations.ts";
import type { Queue } from "../contract/queue.ts";
import type { WorkItemQuery } from "../contract/scalars.ts";
import type { Task } from "../contract/tasks.ts";
import { parseConnection } from "../config/client.ts";
import type { CliContext } from "./context.ts";
import { EXIT, ExitError } from "./output/exit-codes.ts";
import { didYouMean } from "./suggest.ts";

/** @throws ConnectionError */
export const connect = ({ env }: CliContext): Client => {
  const { urls, token } = parseConnection(env);
  return new Client({ url: urls, token });
};

/** The reason and the person for the event log. A service with tokens records the token's name and takes no other. */
export const noteOf = (
  { env, userName }: CliContext,
  { reason, until }: Pick<PauseNote, "reason" | "until">,
): PauseNote => {
  const { token, by } = parseConnection(env);
  return { by: token === undefined ? (by ?? userName()) : undefined, reason, until };
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
  const [queue, { tasks }] = await Promise.all([client.queue(), client.tasks({ limit: LONGEST_PAGE, repo })]);
  return [...liveWorkItems(queue, repo), ...tasks.flatMap(({ work_item_id }) => work_item_id ?? [])];
};

/** Makes a call about a work item. If no task has it, the error suggests similar ones.
 *  @throws ExitError for an unknown work item */
export const suggestingWorkItems = async <T>(
  client: Client,
  { work_item, repo }: WorkItemQuery,
  call: () => Promise<T>,
): Promise<T> => {
  try {
    return await call();
  } catch (error) {
    if (!(error instanceof ProblemError) || error.code !== "unknown_work_item") throw error;
    const inRepo = didYouMean(work_item, await knownWorkItems(client, repo));
    const elsewhere = repo === undefined ? [] : await didYouMeanRepo(client, repo).catch((): string[] => []);
    throw new ExitError(EXIT.notFound, error.problem.detail, ...(inRepo.length > 0 ? inRepo : elsewhere));
  }
};

/** The task of a work item. A number that is no work item is taken for a task's id.
 *  @throws ExitError for an unknown work item; ProblemError unknown_task, ambiguous_work_item */
export const findTask = (client: Client, query: WorkItemQuery): Promise<Task> =>
  suggestingWorkItems(client, query, async () => {
    try {
      return (await client.resolveTask(query)).task;
    } catch (error) {
      const isUnknown = error instanceof ProblemError && error.code === "unknown_work_item";
      if (!isUnknown || !/^[1-9]\d{0,15}$/.test(query.work_item)) throw error;
      return (await client.task(Number(query.work_item))).task;
    }
  });

const didYouMeanRepo = async (client: Client, repo: string): Promise<string[]> =>
  didYouMean(repo, Object.keys((await client.queue()).serial_gate.per_repo));

const hasTasks = async (client: Client, repo: string): Promise<boolean> =>
  (await client.tasks({ repo, limit: 1 })).tasks.length > 0;

/** A warning and suggestions for a repository without tasks; nothing for any other. */
export const warnOfNoTasks = async (client: Client, repo: string): Promise<string[]> =>
  (await hasTasks(client, repo)) ? [] : [`No tasks in ${repo}.`, ...(await didYouMeanRepo(client, repo))];

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
