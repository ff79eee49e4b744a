/** Prometheus metrics. Traffic is counted as it passes; the state is read from the gate on a scrape, and only if it has
 *  changed since the last one. */

import type { FastifyInstance, preSerializationHookHandler } from "fastify";
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";
import type { Claim } from "../../contract/jobs.ts";
import { EVERYWHERE } from "../../contract/names/repo-pattern.ts";
import type { Queue } from "../../contract/queue.ts";
import { JOB_STATUSES, REASONS } from "../../contract/vocabulary.ts";
import type { Gate } from "../../gate/gate.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** The code of the problem in the answer, if any. */
    problem: string | null;
  }
}

/** In seconds: from an index lookup to the longest poll. */
const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 60];

/** The routes that hand out jobs. */
const CLAIMING = ["/jobs/claim", "/jobs/:id/complete"];

/** Counters of requests, claims and problems. */
const countTraffic = (app: FastifyInstance, registers: Registry[]): void => {
  const requests = new Histogram({
    name: "serial_gate_http_request_duration_seconds",
    help: "Duration of requests, including the wait of long polls.",
    labelNames: ["method", "route", "status"],
    buckets: BUCKETS,
    registers,
  });
  const claims = new Counter({
    name: "serial_gate_claims_total",
    help: "Claims by outcome: granted or empty.",
    labelNames: ["outcome"],
    registers,
  });
  const claimed = new Counter({
    name: "serial_gate_jobs_claimed_total",
    help: "Jobs handed out by claims.",
    registers,
  });
  const problems = new Counter({
    name: "serial_gate_problems_total",
    help: "Error answers by problem code.",
    labelNames: ["code"],
    registers,
  });
  app.decorateRequest("problem", null);
  const countClaim: preSerializationHookHandler = (_request, reply, payload, done) => {
    if (reply.statusCode === 200) {
      const { jobs } = payload as Partial<Claim>;
      if (jobs) claims.inc({ outcome: jobs.length > 0 ? "granted" : "empty" });
      claimed.inc(jobs?.length ?? 0);
    }
    done(null, payload);
  };
  app.addHook("onRoute", (route) => {
    if (CLAIMING.includes(route.url)) route.preSerialization = countClaim;
  });
  app.addHook("onResponse", (request, reply, done) => {
    const { method, problem, routeOptions } = request;
    // A path without a route is the caller's text: as a label it would create any number of series.
    requests.observe(
      { method, route: routeOptions.url ?? "none", status: reply.statusCode },
      reply.elapsedTime / 1_000,
    );
    if (problem !== null) problems.inc({ code: problem });
    done();
  });
};

/** Gauges of the queue and of the ready index. */
const showState = (gate: Gate, registers: Registry[]): (() => Promise<void>) => {
  const gauge = <Label extends string>(name: string, help: string, ...labelNames: Label[]): Gauge<Label> =>
    new Gauge({ name: `serial_gate_${name}`, help, labelNames, registers });
  const jobs = gauge("jobs", "Jobs by status.", "status");
  const waiting = gauge(
    "waiting_jobs",
    "Queued entry jobs by the reason that holds them; none for ready jobs.",
    "reason",
  );
  const frozen = gauge("frozen_lanes", "Frozen repositories.");
  const paused = gauge("paused_tasks", "Paused tasks.");
  const stuck = gauge("stuck_tasks", "Tasks that cannot proceed without a person.");
  const degraded = gauge("degraded", "1 while a part of the gate's database is unreadable, else 0.");
  const wrongFlags = gauge("ready_flags_wrong", "Wrong ready flags found by audits since the start.");
  const repairedFlags = gauge("ready_flags_repaired", "Wrong ready flags repaired since the start.");

  const unreadable = gauge(
    "unreadable_times",
    "Times of jobs and tasks that another program wrote in a form that is no time.",
  );

  const show = (queue: Queue): void => {
    const lanes = Object.values(queue.serial_gate.per_repo);
    const reasons = new Map<string, number>(["none", ...REASONS].map((reason) => [reason, 0]));
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
    const tag = await gate.queueTag(undefined, EVERYWHERE);
    if (tag === undefined || tag !== shown) show(await gate.queue(undefined, EVERYWHERE));
    shown = tag;
    unreadable.set(gate.unreadableTimes);
    wrongFlags.set(gate.audited.wrong);
    repairedFlags.set(gate.audited.mended);
  };
};

/** Starts counting; returns a function that reads the metrics as text with its content type. */
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
