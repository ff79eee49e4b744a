/** /jobs: the calls of workers (claim, heartbeat, complete, fail, release), and creating, listing, retrying and cancelling
 *  jobs. */

import type { FastifyInstance } from "fastify";
import type * as z from "zod";
import type { Gate } from "../../gate/gate.ts";
import {
  ChangedJob,
  Claim,
  ClaimRequest,
  Completed,
  Completion,
  Failure,
  Heartbeat,
  JobPage,
  JobQuery,
  NewJob,
  NewJobAnswer,
  OneJob,
  OneLease,
  ForcedRelease,
  Release,
  ReleaseBody,
  ReleaseQuery,
} from "../../contract/jobs.ts";
import { IdParams, Note, TrialQuery } from "../../contract/scalars.ts";
import type { InputFault } from "../../contract/errors.ts";
import { clientDisconnect } from "../client-disconnect.ts";
import { invalidInput, unknownKey } from "../input-faults.ts";
import { requireRight } from "../plugins/rights.ts";
import { asShownTo } from "../contents.ts";
import { routeSchema } from "../schemas.ts";

const tags = ["jobs"] as const;

type Params = z.output<typeof IdParams>;
type Trial = z.output<typeof TrialQuery>;

/** Reads the body of a release in the form of its kind: all required members of that form, none of the other.
 *  @throws GateError invalid_request */
const readRelease = <Form extends z.ZodType>(form: Form, body: ReleaseBody): z.output<Form> => {
  const { success, data, error } = form.safeParse(body);
  if (success) return data;
  throw invalidInput(
    error.issues.flatMap((issue): InputFault[] =>
      issue.code === "unrecognized_keys"
        ? issue.keys.map((key) => unknownKey("body", key))
        : [{ in: "body", pointer: `/${issue.path.join("/")}`, detail: "is required" }],
    ),
  );
};

export const jobRoutes = (app: FastifyInstance, gate: Gate): void => {
  app.post<{ Querystring: Trial; Body: NewJob }>(
    "/jobs",
    {
      config: { right: "produce" },
      schema: routeSchema({
        tags,
        operationId: "createJob",
        summary: "Enqueue a job for a task",
        querystring: TrialQuery,
        body: NewJob,
        response: { 201: ["The new job.", NewJobAnswer] },
        problems: [404, 409],
      }),
    },
    async (request, reply) =>
      reply.code(201).send(await gate.createJob(request.caller, { ...request.body, ...request.query })),
  );

  app.get<{ Querystring: JobQuery }>(
    "/jobs",
    {
      config: { right: "read", page: true },
      schema: routeSchema({
        tags,
        operationId: "listJobs",
        summary: "List jobs in pages, the newest first",
        description:
          "`status` may be repeated. A request looks at 5,000 jobs and answers 1 MiB at most, so a page may hold fewer jobs than `limit`: go on until `next_cursor` is null.",
        querystring: JobQuery,
        response: { 200: ["A page of jobs.", JobPage] },
      }),
    },
    (request) => asShownTo(request, gate.listJobs(request.query, request.identity.reach)),
  );

  app.get<{ Params: Params }>(
    "/jobs/:id",
    {
      config: { right: "read" },
      schema: routeSchema({
        tags,
        operationId: "getJob",
        summary: "Read a job",
        params: IdParams,
        response: { 200: ["The job.", OneJob] },
        problems: [404],
      }),
    },
    (request) => asShownTo(request, gate.job(request.params.id, request.identity.reach)),
  );

  app.post<{ Body: ClaimRequest }>(
    "/jobs/claim",
    {
      config: { right: "work", open: "polls" },
      schema: routeSchema({
        tags,
        operationId: "claimJobs",
        summary: "Claim the oldest ready jobs",
        description: "An empty body claims one job of any agent. `jobs` is empty if none is ready.",
        body: ClaimRequest,
        response: { 200: ["The claimed jobs.", Claim] },
      }),
    },
    (request, reply) =>
      gate.claim(
        request.caller,
        request.body,
        request.body.wait_ms > 0 ? clientDisconnect(reply) : undefined,
      ),
  );

  app.post<{ Params: Params; Body: Heartbeat }>(
    "/jobs/:id/heartbeat",
    {
      config: { right: "work" },
      schema: routeSchema({
        tags,
        operationId: "heartbeat",
        summary: "Renew a lease",
        params: IdParams,
        body: Heartbeat,
        response: { 200: ["The renewed lease.", OneLease] },
        problems: [404, 409],
      }),
    },
    (request) => gate.heartbeat(request.caller, request.params.id, request.body),
  );

  app.post<{ Params: Params; Body: Completion }>(
    "/jobs/:id/complete",
    {
      config: { right: "work" },
      schema: routeSchema({
        tags,
        operationId: "completeJob",
        summary:
          "Complete a job, move or pause its task, enqueue the next jobs and claim, in one transaction",
        params: IdParams,
        body: Completion,
        response: {
          200: ["The completed job, its task, the next jobs, and those that were claimed.", Completed],
        },
        problems: [404, 409],
      }),
    },
    (request) => gate.complete(request.caller, request.params.id, request.body),
  );

  app.post<{ Params: Params; Body: Failure }>(
    "/jobs/:id/fail",
    {
      config: { right: "work" },
      schema: routeSchema({
        tags,
        operationId: "failJob",
        summary: "Report a failure; the job is retried with backoff or fails for good",
        params: IdParams,
        body: Failure,
        response: { 200: ["The job after the change.", OneJob] },
        problems: [404, 409],
      }),
    },
    (request) => gate.fail(request.caller, request.params.id, request.body),
  );

  app.post<{ Params: Params; Querystring: ReleaseQuery; Body: ReleaseBody }>(
    "/jobs/:id/release",
    {
      config: { right: "work" },
      schema: routeSchema({
        tags,
        operationId: "releaseJob",
        summary: "Return a job to the queue as if it had not been claimed",
        description: [
          "A worker returns its own job with `lease_token`. With `run_after` it is delayed until then; with `pause` its task is",
          "paused too, in the same transaction. With `force=true` an operator takes a running job from a worker that hangs, or",
          "one that another program left running: the body is `reason`, and the lease's token is worthless from then on.",
        ].join(" "),
        params: IdParams,
        querystring: ReleaseQuery,
        body: ReleaseBody,
        response: { 200: ["The job after the change, and the effect on others.", ChangedJob] },
        problems: [404, 409],
      }),
    },
    (request) => {
      const { caller, params, body } = request;
      const { force, ...trial } = request.query;
      if (force !== true) return gate.release(caller, params.id, { ...readRelease(Release, body), ...trial });
      requireRight(request, "operate");
      return gate.releaseByForce(caller, { ...params, ...trial }, readRelease(ForcedRelease, body));
    },
  );

  app.post<{ Params: Params; Querystring: Trial; Body: Note }>(
    "/jobs/:id/retry",
    {
      config: { right: "produce" },
      schema: routeSchema({
        tags,
        operationId: "retryJob",
        summary: "Queue a failed job for another attempt",
        params: IdParams,
        querystring: TrialQuery,
        body: Note,
        response: { 200: ["The job after the change, and the effect on others.", ChangedJob] },
        problems: [404, 409],
      }),
    },
    (request) => gate.retryJob(request.caller, { ...request.params, ...request.query }, request.body),
  );

  app.post<{ Params: Params; Querystring: Trial; Body: Note }>(
    "/jobs/:id/cancel",
    {
      config: { right: "produce" },
      schema: routeSchema({
        tags,
        operationId: "cancelJob",
        summary: "Cancel a job that has not started, or that failed",
        params: IdParams,
        querystring: TrialQuery,
        body: Note,
        response: { 200: ["The job after the change, and the effect on others.", ChangedJob] },
        problems: [404, 409],
      }),
    },
    (request) => gate.cancelJob(request.caller, { ...request.params, ...request.query }, request.body),
  );
};
