/** The service as the verbs call it: where it is, and what its refusals mean for a person who types. */

import { Client, ProblemError } from "../client/client.ts";
import { isTerminal } from "../contract/vocabulary.ts";
import type { PauseNote } from "../contract/operations.ts";
import type { Queue } from "../contract/queue.ts";
import type { Task } from "../contract/tasks.ts";
import { parseConnection } from "../config/client.ts";
import { EXIT, ExitError } from "./output/exit-codes.ts";
import { didYouMean } from "./suggest.ts";
import type { CliContext } from "./context.ts";

/** @throws ConnectionError */
export const connect = ({ env }: CliContext): Client => {
  const { urls, token } = parseConnection(env);
  return new Client({ url: urls, token });
};

/** Who and why, as the service records it. A service with tokens knows who; it takes no other name. */
export const noteOf = (
  { env }: CliContext,
  { reason, until }: { readonly reason?: string | undefined; readonly until?: string | undefined },
): PauseNote => {
  const { token, by } = parseConnection(env);
  return {
    ...(token === undefined && by !== undefined ? { by } : {}),
    ...(reason === undefined ? {} : { reason }),
    ...(until === undefined ? {} : { until }),
  };
};

const LONGEST_PAGE = 500;

/** The work items that a queue shows. */
export const liveWorkItems = ({ serial_gate: { per_repo } }: Queue, repo?: string): string[] =>
  Object.entries(per_repo)
    .filter(([name]) => repo === undefined || name === repo)
    .flatMap(([, { active_task, waiting, paused }]) => [active_task, ...waiting, ...paused])
    .flatMap((task) => task?.work_item_id ?? []);

/** Those of the queue, and of the first finished tasks. */
const knownWorkItems = async (client: Client, repo?: string): Promise<string[]> => {
  const [queue, { tasks }] = await Promise.all([
    client.queue(),
    client.tasks({ limit: LONGEST_PAGE, ...(repo === undefined ? {} : { repo }) }),
  ]);
  return [...liveWorkItems(queue, repo), ...tasks.flatMap(({ work_item_id }) => work_item_id ?? [])];
};

/** A call about a work item: when no task has it, the refusal names those that are near. */
export const about = async <T>(
  client: Client,
  { work_item, repo }: { readonly work_item: string; readonly repo?: string | undefined },
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

/** The task that a word means: a work item, or else a task's id.
 *  @throws Ending, or ProblemError, when there is none or more than one */
export const findTask = (client: Client, word: string, repo: string | undefined): Promise<Task> =>
  about(client, { work_item: word, repo }, async () => {
    const { tasks } = await client.tasks({
      work_item: word,
      ...(repo === undefined ? {} : { repo }),
      limit: LONGEST_PAGE,
    });
    // Of those that a repository has: the unfinished one, else the latest.
    const meant = new Map<string, Task>();
    const isOver = ({ stage }: Task): boolean => isTerminal(stage);
    for (const task of tasks) {
      const before = meant.get(task.repo);
      if (!before || isOver(before) || !isOver(task)) meant.set(task.repo, task);
    }
    const [task, ...others] = meant.values();
    if (!task && /^[1-9]\d{0,15}$/.test(word)) return (await client.task(Number(word))).task;
    if (task && others.length === 0) return task;
    const repos = [...meant.keys()];
    throw new ProblemError({
      type: "about:blank",
      title: "",
      ...(task
        ? {
            status: 409,
            code: "ambiguous_work_item",
            detail: `The work item ${word} exists in ${repos.length} repositories: ${repos.join(", ")}.`,
            repos,
          }
        : {
            status: 404,
            code: "unknown_work_item",
            detail: `No task has the work item ${word}${repo === undefined ? "" : ` in ${repo}`}.`,
          }),
    });
  });

const isKnownRepo = async (client: Client, repo: string): Promise<boolean> =>
  (await client.tasks({ repo, limit: 1 })).tasks.length > 0;

const didYouMeanRepo = async (client: Client, repo: string): Promise<string[]> =>
  didYouMean(repo, Object.keys((await client.queue()).serial_gate.per_repo));

/** What there is to say of a repository that the service knows nothing of; nothing when it does.
 *  For what came back empty. */
export const unknownRepo = async (client: Client, repo: string): Promise<string[]> =>
  (await isKnownRepo(client, repo))
    ? []
    : [`There is nothing in ${repo}.`, ...(await didYouMeanRepo(client, repo))];

/** @throws Ending when the service knows nothing of the repository */
export const refuseUnknownRepo = async (client: Client, repo: string | undefined): Promise<void> => {
  const words = repo === undefined ? [] : await unknownRepo(client, repo);
  if (words.length > 0) throw new ExitError(EXIT.notFound, ...words);
};
