/** /tasks: the calls of the orchestrator, which creates and moves tasks. */

import type { FastifyInstance } from "fastify";
import type * as z from "zod";
import type { Gate } from "../../gate/gate.ts";
import { IdParams, Note, TrialQuery, WorkItemQuery } from "../../contract/scalars.ts";
import { ChangedTask, NewTask, OneTask, TaskChange, TaskPage, TaskQuery } from "../../contract/tasks.ts";
import { TaskWithJobs, TaskAndJob } from "../../contract/jobs.ts";
import { asShownTo } from "../contents.ts";
import { routeSchema } from "../schemas.ts";

const tags = ["tasks"] as const;

type Params = z.output<typeof IdParams>;
type Trial = z.output<typeof TrialQuery>;

export const taskRoutes = (app: FastifyInstance, gate: Gate): void => {
  app.post<{ Querystring: Trial; Body: NewTask }>(
    "/tasks",
    {
      config: { right: "produce" },
      schema: routeSchema({
        tags,
        operationId: "createTask",
        summary: "Create a task and its entry job",
        description:
          "If the repository already has the work item, nothing changes and the existing task is returned.",
        querystring: TrialQuery,
        body: NewTask,
        response: { 200: ["The existing task.", TaskAndJob], 201: ["The new task.", TaskAndJob] },
        problems: [404, 409],
      }),
    },
    async (request, reply) => {
      const { created, ...answer } = await gate.createTask(request.caller, {
        ...request.body,
        ...request.query,
      });
      return reply.code(created ? 201 : 200).send(answer);
    },
  );

  app.get<{ Querystring: TaskQuery }>(
    "/tasks",
    {
      config: { right: "read", page: true },
      schema: routeSchema({
        tags,
        operationId: "listTasks",
        summary: "List tasks in pages, ordered by id",
        querystring: TaskQuery,
        response: { 200: ["A page of tasks.", TaskPage] },
      }),
    },
    (request) => gate.listTasks(request.query, request.identity.reach),
  );

  app.get<{ Querystring: WorkItemQuery }>(
    "/tasks/resolve",
    {
      config: { right: "read" },
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
    (request) => gate.resolveTask(request.query, request.identity.reach),
  );

  app.get<{ Params: Params }>(
    "/tasks/:id",
    {
      config: { right: "read", page: true },
      schema: routeSchema({
        tags,
        operationId: "getTask",
        summary: "Read a task and its jobs",
        params: IdParams,
        response: { 200: ["The task.", TaskWithJobs] },
        problems: [404],
      }),
    },
    (request) => asShownTo(request, gate.task(request.params.id, request.identity.reach)),
  );

  app.patch<{ Params: Params; Querystring: Trial; Body: TaskChange }>(
    "/tasks/:id",
    {
      config: { right: "produce" },
      schema: routeSchema({
        tags,
        operationId: "changeTask",
        summary: "Move a task to a stage, or change its dependencies",
        description:
          "`depends_on` is the new set of dependencies; an empty one drops all. A cycle is refused. Of a task that has started, it holds no more than queued entry jobs.",
        params: IdParams,
        querystring: TrialQuery,
        body: TaskChange,
        response: { 200: ["The task after the change, and the effect on others.", ChangedTask] },
        problems: [404, 409],
      }),
    },
    (request) => gate.changeTask(request.caller, { ...request.params, ...request.query }, request.body),
  );

  app.post<{ Params: Params; Querystring: Trial; Body: Note }>(
    "/tasks/:id/cancel",
    {
      config: { right: "produce" },
      schema: routeSchema({
        tags,
        operationId: "cancelTask",
        summary: "Cancel a task and its queued and delayed jobs",
        params: IdParams,
        querystring: TrialQuery,
        body: Note,
        response: { 200: ["The task after the change, and the effect on others.", ChangedTask] },
        problems: [404, 409],
      }),
    },
    (request) => gate.cancelTask(request.caller, { ...request.params, ...request.query }, request.body),
  );
};
