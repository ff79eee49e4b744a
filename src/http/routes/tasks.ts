/** /tasks: what the orchestrator creates and moves. */

import type { FastifyInstance } from "fastify";
import type * as z from "zod";
import type { Gate } from "../../gate/gate.ts";
import { IdParams, Note, TrialQuery, WorkItemQuery } from "../../contract/scalars.ts";
import { ChangedTask, NewTask, OneTask, StageChange, TaskPage, TaskQuery } from "../../contract/tasks.ts";
import { TaskWithJobs, TaskAndJob } from "../../contract/jobs.ts";
import { routeSchema } from "../schemas.ts";

const tags = ["tasks"] as const;

type Params = z.output<typeof IdParams>;
type Trial = z.output<typeof TrialQuery>;

export const taskRoutes = (app: FastifyInstance, gate: Gate): void => {
  app.post<{ Querystring: Trial; Body: NewTask }>(
    "/tasks",
    {
      schema: routeSchema({
        tags,
        operationId: "createTask",
        summary: "Create a task and its entry job",
        description: "The same repository and work item again gives what stands and changes nothing.",
        querystring: TrialQuery,
        body: NewTask,
        response: { 200: ["It stood already.", TaskAndJob], 201: ["It is created.", TaskAndJob] },
        problems: [404, 409],
      }),
    },
    async (request, reply) => {
      const { created, ...answer } = await gate.createTask(request.caller, request.body, request.query);
      return reply.code(created ? 201 : 200).send(answer);
    },
  );

  app.get<{ Querystring: TaskQuery }>(
    "/tasks",
    {
      schema: routeSchema({
        tags,
        operationId: "listTasks",
        summary: "List tasks by id, a page at a time",
        querystring: TaskQuery,
        response: { 200: ["A page of tasks.", TaskPage] },
      }),
    },
    (request) => gate.listTasks(request.query),
  );

  app.get<{ Querystring: WorkItemQuery }>(
    "/tasks/resolve",
    {
      schema: routeSchema({
        tags,
        operationId: "resolveTask",
        summary: "Find the task of a work item",
        description:
          "The unfinished task if there is one, else the latest. Send `repo` if several repositories have the work item.",
        querystring: WorkItemQuery,
        response: { 200: ["The task.", OneTask] },
        problems: [404, 409],
      }),
    },
    (request) => gate.resolveTask(request.query),
  );

  app.get<{ Params: Params }>(
    "/tasks/:id",
    {
      schema: routeSchema({
        tags,
        operationId: "getTask",
        summary: "Read a task and its jobs",
        params: IdParams,
        response: { 200: ["The task.", TaskWithJobs] },
        problems: [404],
      }),
    },
    (request) => gate.task(request.params.id),
  );

  app.patch<{ Params: Params; Querystring: Trial; Body: StageChange }>(
    "/tasks/:id",
    {
      schema: routeSchema({
        tags,
        operationId: "setStage",
        summary: "Move a task to a stage",
        params: IdParams,
        querystring: TrialQuery,
        body: StageChange,
        response: { 200: ["The task as it is now.", ChangedTask] },
        problems: [404, 409],
      }),
    },
    (request) =>
      gate.setStage(request.caller, request.params.id, request.body.stage, request.body, request.query),
  );

  app.post<{ Params: Params; Querystring: Trial; Body: Note }>(
    "/tasks/:id/cancel",
    {
      schema: routeSchema({
        tags,
        operationId: "cancelTask",
        summary: "Cancel a task and its waiting jobs",
        params: IdParams,
        querystring: TrialQuery,
        body: Note,
        response: { 200: ["The task as it is now.", ChangedTask] },
        problems: [404, 409],
      }),
    },
    (request) => gate.cancelTask(request.caller, request.params.id, request.body, request.query),
  );
};
