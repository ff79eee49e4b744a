/** The service's edge: routes that validate, call the gate once and answer. */

import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import swagger from "@fastify/swagger";
import swaggerUi from "@fastify/swagger-ui";
import Fastify, {
  LogController,
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
} from "fastify";
import * as z from "zod";
import type { Gate } from "../gate/gate.ts";
import { eventRoutes } from "./routes/events.ts";
import { useAuth } from "./auth.ts";
import { useIdempotencyKey } from "./idempotency-key.ts";
import { jobRoutes } from "./routes/jobs.ts";
import { useMetrics } from "./metrics.ts";
import { operatorRoutes } from "./routes/operator.ts";
import { EdgeError, sendProblem } from "./problem.ts";
import { AJV_OPTIONS, routeSchema, useModels, withOptionalBodies } from "./schemas.ts";
import { taskRoutes } from "./routes/tasks.ts";

interface AppParts {
  readonly gate: Gate;
  /** Secrets that callers may send; none for a service that only this machine reaches. */
  readonly tokens: readonly { readonly name: string; readonly secret: string }[];
  readonly logger: FastifyBaseLogger;
  readonly version: string;
}

const BODY_LIMIT = 1024 * 1024;
/** Deeper JSON would exhaust the stack of whoever writes it out again. */
const DEPTH_LIMIT = 64;

const isDeep = (value: unknown, left = DEPTH_LIMIT): boolean =>
  typeof value === "object" &&
  value !== null &&
  (left === 0 || Object.values(value).some((part) => isDeep(part, left - 1)));

/** Bodies: JSON, or none. */
const useJsonBody = (app: FastifyInstance): void => {
  const parse = app.getDefaultJsonParser("error", "error");
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("application/json", { parseAs: "string" }, (request, body, done) => {
    if (body === "") {
      done(null, undefined);
      return;
    }
    void parse(request, body as string, (error, value: unknown) => {
      if (error) done(new EdgeError("invalid_json", `The body is not JSON: ${error.message}.`));
      else if (isDeep(value))
        done(new EdgeError("invalid_json", `The body is nested deeper than ${DEPTH_LIMIT} levels.`));
      else done(null, value);
    });
  });
};

/** The methods of the routes that a path has, to tell 405 from 404. */
const useMethodTable = (app: FastifyInstance): ((path: string) => string[]) => {
  const routes: { readonly pattern: RegExp; readonly method: string }[] = [];
  app.addHook("onRoute", ({ url, method }) => {
    const pattern = new RegExp(`^${url.replace(/:[^/]+/g, "[^/]+").replace(/\*/g, ".*")}$`);
    for (const each of [method].flat()) routes.push({ pattern, method: each });
  });
  return (path) => [
    ...new Set(routes.filter(({ pattern }) => pattern.test(path)).map(({ method }) => method)),
  ];
};

const pathOf = ({ url }: FastifyRequest): string => url.split("?", 1)[0] ?? url;

const REQUEST_ID = /^[\x21-\x7e]{1,100}$/;

/** One line a request, with nothing secret: no header, no body. */
const logRequest = (request: FastifyRequest, reply: FastifyReply): void => {
  request.log.info(
    {
      reqId: request.id,
      method: request.method,
      url: request.url,
      status: reply.statusCode,
      ms: Math.round(reply.elapsedTime * 10) / 10,
      actor: request.actor ?? undefined,
    },
    "request",
  );
};

const useRequestLog = (app: FastifyInstance): void => {
  app.addHook("onRequest", (request, reply, done) => {
    void reply.header("x-request-id", request.id);
    done();
  });
  app.addHook("onResponse", (request, reply, done) => {
    logRequest(request, reply);
    done();
  });
};

/** How long a closing service waits for those who are being answered: a request that does not end, or an answer that no
 *  one reads, would keep it for minutes. Less than the ten seconds that containers are given to stop. */
const GRACE_MS = 8_000;

/** Lets no connection keep a service that closes: one that is being answered ends with its answer, one that asked
 *  nothing yet is cut. Both would otherwise stay for as long as an idle one may, more than a minute. */
const useGracefulShutdown = (app: FastifyInstance): void => {
  const silent = new Set<Socket>();
  let closing = false;
  app.server.on("connection", (socket: Socket) => {
    if (closing) {
      socket.destroy();
      return;
    }
    silent.add(socket);
    socket.once("close", () => silent.delete(socket));
  });
  app.server.on("request", ({ socket }: IncomingMessage) => silent.delete(socket));
  app.addHook("onSend", (_request, reply, _payload, done) => {
    if (closing) void reply.header("connection", "close");
    done();
  });
  app.addHook("preClose", (done) => {
    closing = true;
    for (const socket of silent) socket.destroy();
    const cut = setTimeout(() => {
      app.server.closeAllConnections();
    }, GRACE_MS);
    app.server.once("close", () => {
      clearTimeout(cut);
    });
    done();
  });
};

const useOpenApi = async (app: FastifyInstance, version: string): Promise<void> => {
  await app.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "serial-gate",
        version,
        description: "One task at a time per repository: the door in front of autonomous work.",
        license: { name: "MIT", identifier: "MIT" },
      },
      servers: [{ url: "http://127.0.0.1:8080", description: "As it starts by itself." }],
      tags: [
        { name: "jobs", description: "For workers." },
        { name: "tasks", description: "For the orchestrator." },
        { name: "operator", description: "For operators and dashboards." },
        { name: "service", description: "For whoever runs the service." },
      ],
      components: { securitySchemes: { token: { type: "http", scheme: "bearer" } } },
      security: [{ token: [] }],
    },
    refResolver: {
      buildLocalReference: (schema) => schema.$id as string,
    },
    transformObject: (document) =>
      withOptionalBodies("openapiObject" in document ? document.openapiObject : document.swaggerObject),
  });
  // It shows what /openapi.json says and holds no data: a browser asks for it without a token.
  await app.register(async (docs) => {
    docs.addHook("onRoute", (route) => {
      route.config = { ...route.config, open: true };
    });
    await docs.register(swaggerUi, { routePrefix: "/docs" });
  });
};

const serviceRoutes = (app: FastifyInstance, gate: Gate, metrics: ReturnType<typeof useMetrics>): void => {
  const Alive = z.strictObject({ status: z.literal("ok") });
  const tags = ["service"] as const;
  app.get(
    "/livez",
    {
      config: { open: true },
      schema: routeSchema({
        tags,
        operationId: "alive",
        summary: "Whether the process answers",
        response: { 200: ["It does.", Alive] },
        open: true,
      }),
    },
    () => ({ status: "ok" }),
  );
  app.get(
    "/readyz",
    {
      config: { open: true },
      schema: routeSchema({
        tags,
        operationId: "ready",
        summary: "Whether the service takes work: its database answers and it is not shutting down",
        response: { 200: ["It does.", Alive] },
        open: true,
      }),
    },
    async () => {
      await gate.ready();
      return { status: "ok" };
    },
  );
  app.get("/metrics", { schema: { hide: true } }, async (_request, reply) => {
    const { type, text } = await metrics();
    return reply.type(type).send(text);
  });
  app.get("/openapi.json", { config: { open: true }, schema: { hide: true } }, () => app.swagger());
};

/** Builds the HTTP service around a gate. It does not listen yet; when it closes, the gate drains first. */
export const buildApp = async ({ gate, tokens, logger, version }: AppParts): Promise<FastifyInstance> => {
  const app = Fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true }),
    // A logger for each request costs more than the line that it writes: the lines say the request themselves.
    childLoggerFactory: (parent) => parent,
    bodyLimit: BODY_LIMIT,
    ajv: AJV_OPTIONS,
    forceCloseConnections: "idle",
    return503OnClosing: false,
    requestIdHeader: false,
    genReqId: ({ headers }) => {
      const sent = headers["x-request-id"];
      return typeof sent === "string" && REQUEST_ID.test(sent) ? sent : randomUUID();
    },
    // A URL that cannot be read reaches no route, and no hook.
    frameworkErrors: (error, request, reply) => {
      void sendProblem(error, request, reply);
      logRequest(request, reply);
    },
  });
  const methodsOf = useMethodTable(app);
  useJsonBody(app);
  useModels(app);
  useRequestLog(app);
  useGracefulShutdown(app);
  const metrics = useMetrics(app, gate);
  useAuth(app, tokens);
  useIdempotencyKey(app);
  app.setErrorHandler(sendProblem);
  app.setNotFoundHandler({ preHandler: [] }, (request) => {
    const methods = methodsOf(pathOf(request));
    if (methods.length > 0)
      throw new EdgeError(
        "method_not_allowed",
        `${request.method} is not for ${pathOf(request)}.`,
        `Use ${methods.filter((method) => method !== "HEAD").join(" or ")}.`,
        { allow: methods.join(", ") },
      );
    throw new EdgeError(
      "not_found",
      `There is nothing at ${pathOf(request)}.`,
      "See /docs for what there is.",
    );
  });

  app.addHook("preClose", (done) => {
    gate.drain();
    done();
  });

  await useOpenApi(app, version);
  taskRoutes(app, gate);
  jobRoutes(app, gate);
  operatorRoutes(app, gate);
  eventRoutes(app, gate);
  serviceRoutes(app, gate, metrics);
  await app.ready();
  return app;
};
