/** Claims, works, and ends its jobs in every way there is; sometimes it dies, and sometimes it comes back with a token whose
 *  time is over. */

import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "./client.mjs";
import { inFuture } from "./values.mjs";

const AGENTS = ["analyst", "developer", "tester", "deploy"];

export class Worker extends Client {
  #claims = 0;
  /** Leases that are over, or left to expire. */
  #old = [];

  async act() {
    const { random } = this;
    const worker = `${this.name}.${(this.#claims += 1)}`;
    const request = {
      worker,
      max: random.chance(80) ? 1 : random.between(2, 4),
      ...(random.chance(25) ? { agents: [random.oneOf(AGENTS), random.oneOf(AGENTS)] } : {}),
      ...(random.chance(50) ? { wait_ms: random.between(1, 200) } : {}),
      ...(random.chance(50) ? { lease_ms: random.oneOf([1_000, 1_200, 3_000]) } : {}),
    };
    const claim = await this.call("claim", "POST", "/jobs/claim", {
      body: request,
      worker,
      keyed: random.chance(90),
    });
    if (claim.status === 200) await this.#workAll(claim.answer.jobs, worker);
    await this.#haunt();
  }

  async #workAll(jobs, worker) {
    for (const job of jobs) {
      const about = { job: job.id, attempt: job.attempt, worker, token: job.lease.token };
      await this.#work(job, { ...about, until: Date.parse(job.lease.expires_at) });
    }
  }

  /** Shows a token again whose lease has ended. */
  async #haunt() {
    const { random } = this;
    const index = this.#old.findIndex(({ until }) => until + 30 < Date.now());
    if (index < 0 || !random.chance(60)) return;
    const [lease] = this.#old.splice(index, 1);
    await this.#report(random.oneOf(["heartbeat", "complete", "fail", "release"]), lease, {
      late: lease.until,
    });
  }

  async #report(kind, about, { late, ...more } = {}) {
    const mark = `${this.name}:${this.random.between(0, 2 ** 40).toString(36)}`;
    const body = { lease_token: about.token, ...more };
    if (kind === "complete") body.result = { by: mark };
    if (kind === "fail") body.error = more.error ?? "no luck";
    return this.call(kind, "POST", `/jobs/${about.job}/${kind}`, {
      body,
      about,
      mark,
      ...(more.claim === undefined ? {} : { worker: more.claim.worker }),
      ...(late === undefined ? {} : { late }),
    });
  }

  async #work(job, lease) {
    const { random } = this;
    if (random.chance(6)) return void this.#old.push(lease);
    if (random.chance(30)) await sleep(random.between(0, 60));
    if (random.chance(25)) {
      const more = {
        ...(random.chance(50) ? { progress: `${random.between(1, 99)} %` } : {}),
        ...(random.chance(30) ? { lease_ms: random.oneOf([1_000, 2_500]) } : {}),
      };
      const kept = await this.#report("heartbeat", lease, more);
      if (kept.status === 200) lease.until = Math.max(lease.until, Date.parse(kept.answer.lease.expires_at));
    }
    const ended = await this.#end(job, lease);
    if (ended.status === 200 && ended.answer.jobs) await this.#workAll(ended.answer.jobs, ended.worker);
    if (ended.status >= 400 && /^task_/.test(ended.answer?.code)) await this.#report("complete", lease);
    if (random.chance(25))
      this.#old.push({ ...lease, until: ended.status < 300 ? ended.doneAt : lease.until });
  }

  #end(job, lease) {
    const { random } = this;
    const pause = random.chance(25)
      ? {
          pause: {
            reason: "a question",
            ...(random.chance(50) ? { until: inFuture(random.between(100, 1_500)) } : {}),
          },
        }
      : {};
    switch (random.pick({ complete: 78, fail: 12, release: 10 })) {
      case "fail":
        return this.#report("fail", lease, {
          ...(random.chance(15)
            ? { retry: false }
            : random.chance(50)
              ? { retry_after_ms: random.between(0, 400) }
              : {}),
        });
      case "release":
        return this.#report("release", lease, {
          ...(random.chance(30) ? { run_after: inFuture(random.between(50, 600)) } : {}),
          ...pause,
        });
      default:
        return this.#report("complete", lease, {
          ...this.#next(job),
          ...(random.chance(10) ? pause : {}),
          ...this.#andClaim(),
        });
    }
  }

  /** Sometimes the next job is claimed in the same call. */
  #andClaim() {
    if (!this.random.chance(15)) return {};
    return { claim: { worker: `${this.name}.${(this.#claims += 1)}`, lease_ms: 2_000 } };
  }

  /** Chooses the end of the job. A task that finishes cannot be paused. */
  #next({ agent, stage }) {
    const { random } = this;
    if (stage === "done" || stage === "cancelled") return {};
    if (agent === "deploy" && random.chance(70)) return {};
    const step = random.pick(
      agent === "analyst"
        ? { develop: 70, done: 20, again: 6, quiet: 4 }
        : { done: 62, test: 18, again: 8, watch: 12 },
    );
    if (step === "done" || step === "watch") this.town.unfinished -= 1;
    return {
      develop: { stage: "development", next: [{ agent: "developer", payload: { from: agent } }] },
      test: { stage: "testing", next: [{ agent: "tester" }] },
      again: { stage: "analysis", next: [{ agent: "analyst" }] },
      done: { stage: "done" },
      watch: { stage: "done", next: [{ agent: "deploy" }] },
      quiet: {},
    }[step];
  }
}
