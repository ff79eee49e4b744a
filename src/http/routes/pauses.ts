/** /serial-gate/pause and /resume. A pause lets later tasks overtake; a freeze (freezes.ts) stops a repository. */

import type { FastifyInstance } from "fastify";
import {
  PauseAnswer,
  PauseNote,
  PauseQuery,
  ResumeNote,
  type LanePauseState,
  type PauseState,
} from "../../contract/operations.ts";
import type { InputFault } from "../../contract/errors.ts";
import type { OneTaskQuery } from "../../contract/scalars.ts";
import type { Gate } from "../../gate/gate.ts";
import { invalidInput } from "../input-faults.ts";
import { routeSchema } from "../schemas.ts";

const tags = ["operator"] as const;

type Trial = Readonly<{ dry_run?: boolean | undefined }>;

interface Calls {
  readonly verb: "pause" | "resume";
  readonly task: (query: OneTaskQuery & Trial) => Promise<PauseState>;
  readonly lane: (query: Trial & { repo: string }) => Promise<LanePauseState>;
}

const inQuery = (name: keyof PauseQuery, detail: string): InputFault => ({
  in: "query",
  pointer: `/${name}`,
  detail,
});

/** Calls for one task, or with `all` for every task of the repository. A whole repository is never meant by omission.
 *  @throws GateError invalid_request */
const onTaskOrLane = (
  { all = false, dry_run, ...one }: PauseQuery,
  { verb, task, lane }: Calls,
): Promise<PauseState | LanePauseState> => {
  const { work_item, repo, task_id } = one;
  if (all) {
    const beside = (["work_item", "task_id"] as const).find((name) => one[name] !== undefined);
    if (beside !== undefined) throw invalidInput([inQuery("all", `must be left out beside ${beside}`)]);
    if (repo === undefined) throw invalidInput([inQuery("repo", "is required beside all")]);
    return lane({ repo, dry_run });
  }
  if (work_item === undefined && task_id === undefined)
    throw invalidInput(
      [inQuery("work_item", "is required (or task_id)")],
      repo === undefined ? undefined : `Add all=true to ${verb} every task of ${repo}.`,
    );
  return task({ ...one, dry_run });
};

export const pauseRoutes = (app: FastifyInstance, gate: Gate): void => {
  app.post<{ Querystring: PauseQuery; Body: PauseNote }>(
    "/serial-gate/pause",
    {
      config: { right: "operate" },
      schema: routeSchema({
        tags,
        operationId: "pauseTask",
        summary: "Pause a task, or all tasks of a repository, so that later tasks may overtake",
        description: [
          "A pause bypasses neither a freeze nor a dependency. Pausing a paused task changes nothing.",
          "Send `work_item`, with `repo` if several repositories have it, or `task_id`. `repo` with `all=true` pauses every",
          "unfinished task of the repository that is not paused yet; unless lanes are strict they can then all start: to",
          "stop a repository, freeze it instead.",
        ].join(" "),
        querystring: PauseQuery,
        body: PauseNote,
        response: { 200: ["The pause.", PauseAnswer] },
        problems: [404, 409],
      }),
    },
    ({ caller, query, body }) =>
      onTaskOrLane(query, {
        verb: "pause",
        task: (selected) => gate.pause(caller, selected, body),
        lane: (selected) => gate.pauseLane(caller, selected, body),
      }),
  );

  app.post<{ Querystring: PauseQuery; Body: ResumeNote }>(
    "/serial-gate/resume",
    {
      config: { right: "operate" },
      schema: routeSchema({
        tags,
        operationId: "resumeTask",
        summary: "Resume a paused task, or all tasks that were paused together",
        description: [
          "As pause: `work_item`, `task_id`, or `repo` with `all=true`, which resumes the tasks that a pause of the whole",
          "repository paused; a task that was paused by itself stays paused.",
        ].join(" "),
        querystring: PauseQuery,
        body: ResumeNote,
        response: { 200: ["The pause, which has ended.", PauseAnswer] },
        problems: [404, 409],
      }),
    },
    ({ caller, query, body }) =>
      onTaskOrLane(query, {
        verb: "resume",
        task: (selected) => gate.resume(caller, selected, body),
        lane: (selected) => gate.resumeLane(caller, selected, body),
      }),
  );
};
