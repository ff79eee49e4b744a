/** /serial-gate/pause and /resume. A pause lets later tasks overtake; a freeze (freezes.ts) stops a repository. */

import type { FastifyInstance } from "fastify";
import type * as z from "zod";
import {
  PauseAnswer,
  PauseNote,
  PauseQuery,
  ResumeNote,
  type FreezeQuery,
  type LanePauseState,
  type PauseState,
} from "../../contract/operations.ts";
import type { WorkItemQuery } from "../../contract/scalars.ts";
import type { Gate } from "../../gate/gate.ts";
import { invalidInput } from "../input-faults.ts";
import { routeSchema } from "../schemas.ts";

const tags = ["operator"] as const;

type LaneQuery = z.output<typeof FreezeQuery>;

interface Calls {
  readonly task: (query: WorkItemQuery & { dry_run?: boolean | undefined }) => Promise<PauseState>;
  readonly lane: (query: LaneQuery) => Promise<LanePauseState>;
}

/** Calls for one task if the query has `work_item`, for all tasks of the lane if it has only `repo`.
 *  @throws GateError invalid_request if it has neither */
const onTaskOrLane = (
  { work_item, repo, dry_run }: PauseQuery,
  { task, lane }: Calls,
): Promise<PauseState | LanePauseState> => {
  if (work_item !== undefined) return task({ work_item, repo, dry_run });
  if (repo !== undefined) return lane({ repo, dry_run });
  throw invalidInput([
    { in: "query", pointer: "/work_item", detail: "is required (or repo, for all of its tasks)" },
  ]);
};

export const pauseRoutes = (app: FastifyInstance, gate: Gate): void => {
  app.post<{ Querystring: PauseQuery; Body: PauseNote }>(
    "/serial-gate/pause",
    {
      schema: routeSchema({
        tags,
        operationId: "pauseTask",
        summary: "Pause a task, or all tasks of a repository, so that later tasks may overtake",
        description: [
          "A pause bypasses neither a freeze nor a dependency. Pausing a paused task changes nothing.",
          "Without `work_item`, every unfinished task of `repo` is paused that is not paused yet. Paused tasks do not wait",
          "for each other: to stop a repository, freeze it instead.",
        ].join(" "),
        querystring: PauseQuery,
        body: PauseNote,
        response: { 200: ["The pause.", PauseAnswer] },
        problems: [404, 409],
      }),
    },
    ({ caller, query, body }) =>
      onTaskOrLane(query, {
        task: (selected) => gate.pause(caller, selected, body),
        lane: (selected) => gate.pauseLane(caller, selected, body),
      }),
  );

  app.post<{ Querystring: PauseQuery; Body: ResumeNote }>(
    "/serial-gate/resume",
    {
      schema: routeSchema({
        tags,
        operationId: "resumeTask",
        summary: "Resume a paused task, or all tasks that were paused together",
        description: [
          "Without `work_item`, the tasks of `repo` resume that a pause of the whole repository paused; a task that was",
          "paused by itself stays paused.",
        ].join(" "),
        querystring: PauseQuery,
        body: ResumeNote,
        response: { 200: ["The pause, which has ended.", PauseAnswer] },
        problems: [404, 409],
      }),
    },
    ({ caller, query, body }) =>
      onTaskOrLane(query, {
        task: (selected) => gate.resume(caller, selected, body),
        lane: (selected) => gate.resumeLane(caller, selected, body),
      }),
  );
};
