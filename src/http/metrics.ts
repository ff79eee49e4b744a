/** GET /metrics: what a monitor asks, as Prometheus text. What is counted is counted here as it passes; what stands is
 *  read when it is asked for, and not again while nothing has changed. */

import type { FastifyInstance, preSerializationHookHandler } from "fastify";
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";
import type { Gate } from "../gate/gate.ts";
import { type Claim } from "../contract/jobs.ts";
import { type Queue } from "../contract/queue.ts";
import { JOB_STATUSES } from "../contract/vocabulary.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** The code of the problem that it was answered with. */
    problem: string | null;
  }
}

/** Seconds: from an index look-up to the longest poll. */
const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 60];

const CLAIM = "/jobs/claim";

/** What passes through the service. */
const countTraffic = (app: FastifyInstance, registers: Registry[]): void => {
  const requests = new Histogram({
    name: "serial_gate_http_request_duration_seconds",
    help: "How long requests took, long polls included.",
    labelNames: ["method", "route", "status"],
    buckets: BUCKETS,
    registers,
  });
  const claims = new Counter({
    name: "serial_gate_claims_total",
    help: "Claims that were given a job, and claims that there was none for.",
    labelNames: ["outcome"],
    registers,
  });
  const claimed = new Counter({
    name: "serial_gate_jobs_claimed_total",
    help: "Jobs that were handed out.",
    registers,
  });
  const problems = new Counter({
    name: "serial_gate_problems_total",
    help: "Answers that were a problem, by its code.",
    labelNames: ["code"],
    registers,
  });
  app.decorateRequest("problem", null);
  const countClaim: preSerializationHookHandler = (_request, reply, payload, done) => {
    if (reply.statusCode === 200) {
      const { jobs } = payload as Claim;
      claims.inc({ outcome: jobs.length > 0 ? "granted" : "empty" });
      claimed.inc(jobs.length);
    }
    done(null, payload);
  };
  app.addHook("onRoute", (route) => {
    if (route.url === CLAIM) route.preSerialization = countClaim;
  });
  app.addHook("onResponse", (request, reply, done) => {
    const { method, problem, routeOptions } = request;
    // What reaches no route has a name of the caller's making.
    requests.observe(
      { method, route: routeOptions.url ?? "none", status: reply.statusCode },
      reply.elapsedTime / 1_000,
    );
    if (problem !== null) problems.inc({ code: problem });
    done();
  });
};

/** What stands in the database, and what the gate says of itself. */
const showState = (gate: Gate, registers: Registry[]): (() => Promise<void>) => {
  const gauge = <Label extends string>(name: string, help: string, ...labelNames: Label[]): Gauge<Label> =>
    new Gauge({ name: `serial_gate_${name}`, help, labelNames, registers });
  const jobs = gauge("jobs", "Jobs by status.", "status");
  const waiting = gauge(
    "waiting_jobs",
    "Queued entry jobs by why they wait; none for those that may start.",
    "reason",
  );
  const frozen = gauge("frozen_lanes", "Repositories that are frozen.");
  const paused = gauge("paused_tasks", "Tasks that are parked.");
  const stuck = gauge("stuck_tasks", "Tasks that cannot go on without a person.");
  const degraded = gauge("degraded", "1 while a part of the gate's database cannot be read.");
  const wrong = gauge("wrong_marks", "Marks that were found wrong since the service started.");
  const mended = gauge("mended_marks", "Marks that were mended since the service started.");

  const show = (queue: Queue): void => {
    const lanes = Object.values(queue.serial_gate.per_repo);
    const reasons = new Map<string, number>(
      ["none", "freeze", "dependency", "active-task"].map((reason) => [reason, 0]),
    );
    for (const lane of lanes)
      for (const { reason } of lane.waiting)
        reasons.set(reason ?? "none", (reasons.get(reason ?? "none") ?? 0) + 1);
    for (const status of JOB_STATUSES) jobs.set({ status }, queue.jobs[status]);
    for (const [reason, count] of reasons) waiting.set({ reason }, count);
    frozen.set(lanes.filter((lane) => lane.frozen).length);
    paused.set(lanes.reduce((sum, lane) => sum + lane.paused.length, 0));
    stuck.set(lanes.reduce((sum, lane) => sum + lane.stuck.length, 0));
    degraded.set(queue.degraded ? 1 : 0);
  };

  let shown: string | undefined;
  return async () => {
    const tag = await gate.queueTag();
    if (tag === undefined || tag !== shown) show(await gate.queue());
    shown = tag;
    wrong.set(gate.audited.wrong);
    mended.set(gate.audited.mended);
  };
};

/** Counts from now on; returns how the metrics are read, as text with its type. */
export const useMetrics = (
  app: FastifyInstance,
  gate: Gate,
): (() => Promise<{ type: string; text: string }>) => {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  countTraffic(app, [registry]);
  const refresh = showState(gate, [registry]);
  app.addHook("onClose", (_app, done) => {
    registry.clear();
    done();
  });
  return async () => {
    await refresh();
    return { type: registry.contentType, text: await registry.metrics() };
  };
};
