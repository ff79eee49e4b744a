/** The HTTP service around a gate: plugins, then routes. Each plugin and each route file says what it does; here is only
 *  their order, which matters: hooks run in the order in which they are installed. */

import Fastify, { LogController, type FastifyBaseLogger, type FastifyInstance } from "fastify";
import { DEFAULT_BUDGETS, type Budgets } from "../access/budgets.ts";
import type { Keyring } from "../access/keyring.ts";
import type { Gate } from "../gate/gate.ts";
import type { Page } from "../page.ts";
import { useCompression } from "./compression.ts";
import { useAuth } from "./plugins/auth.ts";
import { useBrowserGuard } from "./plugins/browser-guard.ts";
import { useGracefulShutdown } from "./plugins/graceful-shutdown.ts";
import { useIdempotencyKey } from "./plugins/idempotency-key.ts";
import { useJsonBody } from "./plugins/json-body.ts";
import { useMethodTable } from "./plugins/method-table.ts";
import { useMetrics } from "./plugins/metrics.ts";
import { useOpenApi } from "./plugins/openapi.ts";
import { answerParserError, useParserErrors } from "./plugins/parser-errors.ts";
import { logRequest, requestId, useRequestLog } from "./plugins/request-log.ts";
import { useRights } from "./plugins/rights.ts";
import { SECURITY_HEADERS, useSecurityHeaders } from "./plugins/security-headers.ts";
import { AJV_OPTIONS, useStrictInput } from "./plugins/strict-input.ts";
import { AnswerMemory, useAnswerMemory } from "./limits/answer-memory.ts";
import { useCallerBudgets } from "./limits/caller-budgets.ts";
import { useConnectionLimits } from "./limits/connections.ts";
import { useKeptAnswers } from "./limits/kept-answers.ts";
import { usePayloadLimit } from "./limits/payload-size.ts";
import { sendProblem } from "./problem.ts";
import { QueueAnswers } from "./queue-answers.ts";
import { callerRoutes } from "./routes/caller.ts";
import { eventRoutes } from "./routes/events.ts";
import { freezeRoutes } from "./routes/freezes.ts";
import { jobRoutes } from "./routes/jobs.ts";
import { pageRoutes } from "./routes/page.ts";
import { mcpRoutes, type AnswerMcp } from "./routes/mcp.ts";
import { pauseRoutes } from "./routes/pauses.ts";
import { queueRoutes } from "./routes/queue.ts";
import { llmsRoute, serviceRoutes } from "./routes/service.ts";
import { taskRoutes } from "./routes/tasks.ts";
import { addModels } from "./schemas.ts";
import { buildSerializer, buildValidator } from "./schema-compilers.ts";

interface AppParts {
  readonly gate: Gate;
  /** The callers' tokens; undefined for a service that only this machine reaches. */
  readonly keyring: Keyring | undefined;
  readonly logger: FastifyBaseLogger;
  readonly version: string;
  /** The dashboard; without it `/` is a 404. */
  readonly page?: Page | undefined;
  readonly budgets?: Budgets;
  /** The tools for agents; without it there is no /mcp. */
  readonly mcp?: AnswerMcp;
  /** The text of /llms.txt. */
  readonly llms?: string;
  /** A certificate and its key in PEM, to serve HTTPS; without them plain HTTP. */
  readonly tls?: { readonly cert: Buffer; readonly key: Buffer } | undefined;
}

/** Milliseconds in which a request must be whole. A long poll is an answer that waits, not a request. */
const REQUEST_TIMEOUT_MS = 30_000;

/** Builds the service. It does not listen yet; when it closes, the gate drains first. */
export const buildApp = async ({
  gate,
  keyring,
  logger,
  version,
  budgets = DEFAULT_BUDGETS,
  page = new Map(),
  mcp,
  llms,
  tls,
}: AppParts): Promise<FastifyInstance> => {
  const memory = new AnswerMemory(budgets.answers);
  const server = {
    connectionsCheckingInterval: REQUEST_TIMEOUT_MS / 6,
    headersTimeout: REQUEST_TIMEOUT_MS,
    // Node would answer without a problem document: browser-guard.ts refuses a request without a Host.
    requireHostHeader: false,
  };
  const app: FastifyInstance = Fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true }),
    // A child logger for each request costs more than the line that it writes; each line names its request itself.
    childLoggerFactory: (parent) => parent,
    bodyLimit: budgets.body,
    ajv: AJV_OPTIONS,
    schemaController: { compilersFactory: { buildValidator, buildSerializer } },
    forceCloseConnections: "idle",
    return503OnClosing: false,
    requestTimeout: REQUEST_TIMEOUT_MS,
    ...(tls ? { https: { ...tls, ...server } } : { http: server }),
    requestIdHeader: false,
    genReqId: requestId,
    clientErrorHandler: (error, socket) => {
      answerParserError(app)(error, socket);
    },
    // A URL that cannot be decoded reaches no route and no hook.
    frameworkErrors: (error, request, reply) => {
      void sendProblem(error, request, reply.headers(SECURITY_HEADERS));
      logRequest(request, reply);
    },
  });
  useConnectionLimits(app, budgets.connections ?? Infinity);
  useParserErrors(app);
  useMethodTable(app);
  useJsonBody(app);
  addModels(app);
  useStrictInput(app);
  useRequestLog(app);
  useSecurityHeaders(app);
  useGracefulShutdown(app);
  const readMetrics = useMetrics(app, gate);
  useBrowserGuard(app, keyring === undefined);
  useAuth(app, keyring);
  useRights(app);
  useCallerBudgets(app, budgets);
  usePayloadLimit(app, budgets.payload);
  // Before the memory, which counts what is sent.
  useCompression(app);
  useAnswerMemory(app, memory);
  useIdempotencyKey(app);
  useKeptAnswers(app, gate, budgets);
  app.setErrorHandler(sendProblem);
  app.addHook("preClose", (done) => {
    gate.drain();
    done();
  });

  await useOpenApi(app, version);
  taskRoutes(app, gate);
  jobRoutes(app, gate);
  pauseRoutes(app, gate);
  freezeRoutes(app, gate);
  queueRoutes(app, gate, new QueueAnswers(gate, budgets.queue));
  eventRoutes(app, gate, memory);
  serviceRoutes(app, gate, readMetrics);
  callerRoutes(app, version);
  pageRoutes(app, page);
  if (mcp) mcpRoutes(app, mcp);
  if (llms !== undefined) llmsRoute(app, llms);
  await app.ready();
  return app;
};
