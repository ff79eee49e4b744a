/** Prometheus metrics. Traffic is counted as it passes, and jobs by triggers. The reasons of waiting jobs are counted in the
 *  background: a scrape waits a moment for new counts and else gives the last ones, so that it costs the same at any depth. */

import type { FastifyInstance, preSerializationHookHandler } from "fastify";
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";
import type { Claim } from "../../contract/jobs.ts";
import { JOB_STATUSES } from "../../contract/vocabulary.ts";
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

/** A scrape waits this long for new counts, in milliseconds: those of a usual queue are then up to date. */
const PATIENCE_MS = 500;
/** It waits for none that take longer than this, as far as is known: a long queue has the counts of the scrape before. */
const SHORT_MS = 100;
/** A count that took long is not repeated before this many times its length. */
const REST = 9;

/** Counts the state in the background, one count at a time, and only if it may have changed. */
class BackgroundCount {
  readonly #gate: Gate;
  readonly #show: (counts: Awaited<ReturnType<Gate["stateCounts"]>>) => void;
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;
  #state: string | undefined;
  #restUntil = 0;
  #took = 0;
  #asOf = performance.now();
  #failure: { readonly error: unknown } | undefined;

  constructor(gate: Gate, show: (counts: Awaited<ReturnType<Gate["stateCounts"]>>) => void) {
    this.#gate = gate;
    this.#show = show;
  }

  stop(): void {
    this.#stop.abort();
  }

  /** Counts again if it is time, and waits a moment for it.
   *  @returns the age of the counts in milliseconds
   *  @throws what the count throws */
  async refresh(): Promise<number> {
    const now = performance.now();
    const state = await this.#gate.queueState();
    const isCurrent = state !== undefined && state === this.#state;
    if (isCurrent) this.#asOf = now;
    else if (!this.#running && now >= this.#restUntil) this.#running = this.#count(state);
    const patience = new AbortController();
    if (this.#running && this.#took <= SHORT_MS)
      await Promise.race([
        this.#running,
        new Promise<void>((over) => {
          const timer = setTimeout(() => {
            this.#took = PATIENCE_MS; // At least: no further caller waits for this count.
            over();
          }, PATIENCE_MS);
          patience.signal.addEventListener("abort", () => {
            clearTimeout(timer);
          });
        }),
      ]);
    patience.abort();
    if (this.#failure) throw this.#failure.error;
    return performance.now() - this.#asOf;
  }

  async #count(state: string | undefined): Promise<void> {
    const began = performance.now();
    try {
      this.#show(await this.#gate.stateCounts(this.#stop.signal));
      this.#state = state;
      this.#asOf = began;
      this.#failure = undefined;
    } catch (error) {
      this.#failure = { error };
    } finally {
      this.#took = performance.now() - began;
      this.#restUntil = this.#took > PATIENCE_MS / 10 ? performance.now() + this.#took * REST : 0;
      this.#running = undefined;
    }
  }
}

/** Gauges of the queue and of the ready index. */
const showState = (gate: Gate, registers: Registry[]) => {
  const gauge = <Label extends string>(name: string, help: string, ...labelNames: Label[]): Gauge<Label> =>
    new Gauge({ name: `serial_gate_${name}`, help, labelNames, registers });
  const jobs = gauge("jobs", "Jobs by status.", "status");
  const waiting = gauge(
    "waiting_jobs",
    "Queued entry jobs, and other held jobs, by the reason that holds them; none for ready jobs. Counted in the background: see state_age_seconds.",
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

  const age = gauge(
    "state_age_seconds",
    "Age of the counts that a background count gives: waiting_jobs, frozen_lanes, paused_tasks and stuck_tasks. It takes at most a tenth of the time.",
  );

  const show = (counts: Awaited<ReturnType<Gate["stateCounts"]>>): void => {
    for (const [reason, count] of counts.waiting) waiting.set({ reason }, count);
    frozen.set(counts.frozenLanes);
    paused.set(counts.pausedTasks);
    stuck.set(counts.stuckTasks);
    degraded.set(counts.degraded ? 1 : 0);
  };
  const background = new BackgroundCount(gate, show);

  const refresh = async (): Promise<void> => {
    const counts = await gate.jobCounts();
    for (const status of JOB_STATUSES) jobs.set({ status }, counts[status]);
    age.set(Math.round(await background.refresh()) / 1_000);
    unreadable.set(gate.unreadableTimes);
    wrongFlags.set(gate.audited.wrong);
    repairedFlags.set(gate.audited.mended);
  };
  return {
    refresh,
    stop: () => {
      background.stop();
    },
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
  const { refresh, stop } = showState(gate, [registry]);
  app.addHook("preClose", (done) => {
    stop();
    done();
  });
  app.addHook("onClose", (_app, done) => {
    registry.clear();
    done();
  });
  return async () => {
    await refresh();
    return { type: registry.contentType, text: await registry.metrics() };
  };
};
