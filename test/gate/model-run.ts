/** One history of commands, run on a gate and on the model; both must agree after every command. */

import { expect } from "vitest";
import { LeaseClock } from "../../src/gate/lease-clock.ts";
import { claim } from "../../src/gate/commands/claim.ts";
import { auditReadyFlags } from "../../src/gate/rule/ready-index.ts";
import { GateError } from "../../src/contract/errors.ts";
import type { ClaimedJob, Job } from "../../src/contract/jobs.ts";
import type { LanePauseState } from "../../src/contract/operations.ts";
import type { EndedJobs } from "../../src/contract/tasks.ts";
import type { Policy } from "../../src/gate/rule/policy.ts";
import { EVERYTHING_READABLE } from "../../src/gate/rule/visibility.ts";
import { toStored } from "../../src/store/timestamps.ts";
import type { Store } from "../../src/store/port.ts";
import { DEFAULTS } from "../support/fixtures.ts";
import { expectedEvents, ROWS, type Rows } from "./expected-events.ts";
import { isTerminal, Model, newTask, type ModelJob, type ModelTask } from "./model.ts";
import type { Command } from "./random-commands.ts";
import { TestClock, World } from "./world.ts";
import { EVERYWHERE } from "../../src/contract/names/repo-pattern.ts";

/** The ids of the jobs that an answer about a finished task lists. */
const idsOf = ({ cancelled_jobs, left_jobs }: EndedJobs): { cancelled: number[]; left: number[] } => ({
  cancelled: cancelled_jobs.map(({ job_id }) => job_id),
  left: left_jobs.map(({ job_id }) => job_id),
});

/** Thrown to roll back a claim once its result is known. */
class RolledBack extends Error {
  readonly claimed: readonly ClaimedJob[];

  constructor(claimed: readonly ClaimedJob[]) {
    super("rolled back");
    this.claimed = claimed;
  }
}

export class ModelRun {
  readonly world: World;
  readonly model: Model;
  #created = 0;

  /** @param laneStep rows of a step of a change of a whole lane */
  constructor(store: Store, clock: TestClock, policy: Policy, laneStep?: number) {
    this.world = new World(store, clock, policy, [], laneStep === undefined ? {} : { laneStep });
    this.model = new Model(policy);
  }

  /** Runs the command on the gate and the model. Does nothing when there is no row to run it on. */
  async run(step: Command): Promise<void> {
    const { gate, clock } = this.world;
    const { model } = this;
    model.passTime(clock.now);
    switch (step.kind) {
      case "create": {
        const needed = step.needs.flatMap((index) => this.#taskAt(index) ?? []);
        const dependsOn = new Set(needed.map(({ id }) => id));
        const { task, job } = await gate.createTask(null, {
          repo: step.repo,
          work_item_id: `W-${(this.#created += 1)}`,
          stage: "analysis",
          depends_on: needed.map((each) => ({
            repo: each.repo,
            work_item_id: this.#workItems.get(each.id) ?? "",
          })),
        });
        this.#workItems.set(task.id, task.work_item_id ?? "");
        const made = newTask(task.id, step.repo, dependsOn);
        model.tasks.set(task.id, made);
        if (job) this.#enqueued(job, made);
        return;
      }
      case "claim":
      case "claim in": {
        const wanted = model.claimable((job) => step.kind === "claim" || job.repo === step.repo, step.max);
        const { jobs, degraded } = await this.world.claim({
          max: step.max,
          ...(step.kind === "claim in" ? { repos: [step.repo] } : {}),
        });
        expect(degraded).toBe(false);
        expect(jobs.map(({ id }) => id)).toEqual(wanted.map(({ id }) => id));
        for (const claimed of jobs) {
          const job = model.jobs.get(claimed.id);
          if (!job) throw new Error(`A job that no one made was claimed: ${claimed.id}`);
          job.status = "running";
          const overtakers = job.task ? model.overtakers(job.task, job) : [];
          if (job.task) model.start(job.task);
          expect(claimed.base).toEqual({
            stale: overtakers.length > 0,
            overtaken_by: overtakers.map((id) => this.#nameOf(id)),
          });
          job.attempts += 1;
          job.at = clock.now + DEFAULTS.leaseMs;
          job.token = claimed.lease.token;
          expect(claimed.attempt).toBe(job.attempts);
        }
        return;
      }
      case "pause": {
        const task = this.#taskAt(step.task);
        if (!task) return;
        const until = step.forMs > 0 ? { until: new Date(clock.now + step.forMs).toISOString() } : {};
        const paused = gate.pause(null, this.#query(task), until);
        if (!model.policy.pause) await this.#refused(paused, "layer_disabled");
        else if (isTerminal(task.stage)) await this.#refused(paused, "task_terminal");
        else {
          expect((await paused).changed).toBe(!task.paused);
          if (!task.paused) task.together = false;
          if (!task.paused && step.forMs > 0) task.pausedUntil = clock.now + step.forMs;
          model.pause(task);
        }
        return;
      }
      case "resume": {
        const task = this.#taskAt(step.task);
        if (!task) return;
        expect((await gate.resume(null, this.#query(task))).changed).toBe(task.paused);
        model.resume(task);
        return;
      }
      case "pause lane": {
        if (!model.policy.pause)
          return this.#refused(gate.pauseLane(null, { repo: step.repo }, {}), "layer_disabled");
        const tasks = this.#unfinishedIn(step.repo).filter((task) => !task.paused);
        const paused = await this.#foretold((query) => gate.pauseLane(null, query, {}), step);
        expect(paused.tasks.map(({ task_id }) => task_id)).toEqual(tasks.map(({ id }) => id));
        for (const task of tasks) {
          model.pause(task);
          task.together = true;
        }
        return;
      }
      case "resume lane": {
        const hasWork = (task: ModelTask): boolean =>
          !isTerminal(task.stage) ||
          [...model.jobs.values()].some(
            (job) => job.task === task && ["queued", "delayed"].includes(job.status),
          );
        const tasks = this.#tasksIn(step.repo).filter(
          (task) => task.paused && task.together && hasWork(task),
        );
        const resumed = await this.#foretold((query) => gate.resumeLane(null, query), step);
        expect(resumed.tasks.map(({ task_id }) => task_id)).toEqual(tasks.map(({ id }) => id));
        for (const task of tasks) model.resume(task);
        return;
      }
      case "freeze": {
        const frozen = gate.freeze(null, { repo: step.repo }, {});
        if (!model.policy.freeze) await this.#refused(frozen, "layer_disabled");
        else {
          await frozen;
          model.freezes.set(step.repo, (model.freezes.get(step.repo) ?? 0) + 1);
        }
        return;
      }
      case "unfreeze": {
        const { cleared } = await gate.unfreeze(null, { repo: step.repo });
        expect(cleared).toBe(model.freezes.get(step.repo) ?? 0);
        model.freezes.delete(step.repo);
        return;
      }
      case "complete": {
        const job = this.#runningAt(step.job);
        if (!job?.task) return;
        const done = gate.complete(null, job.id, {
          lease_token: job.token,
          stage: step.stage,
          ...(step.next === undefined ? {} : { next: [{ agent: step.next }] }),
          ...(step.pause ? { pause: { reason: "waits" } } : {}),
        });
        const { task } = job;
        const stage = step.stage ?? task.stage;
        const asksMore = step.stage !== undefined || step.next !== undefined || step.pause;
        if (model.endsWithTask(job) && asksMore)
          return this.#refused(done, task.stage === "cancelled" ? "task_cancelled" : "task_terminal");
        if (isTerminal(task.stage) && stage !== task.stage) return this.#refused(done, "task_terminal");
        if (step.next !== undefined && model.takesNoJob({ ...task, stage }, step.next))
          return this.#refused(done, "task_terminal");
        if (step.pause && isTerminal(stage))
          return this.#refused(done, isTerminal(task.stage) ? "task_terminal" : "invalid_request");
        if (step.pause && !model.policy.pause) return this.#refused(done, "layer_disabled");
        const { next, cancelled_jobs, left_jobs } = await done;
        job.status = "done";
        job.taskFinished = false;
        const isEnd = isTerminal(stage) && stage !== task.stage;
        model.move(task, stage);
        const ended = isEnd ? model.endWaiting(task, false) : { cancelled: [], left: [] };
        expect(idsOf({ cancelled_jobs, left_jobs })).toEqual(ended);
        model.rebased(task, job);
        for (const each of next) this.#enqueued(each, task);
        if (step.pause) model.pause(task);
        return;
      }
      case "fail": {
        const job = this.#runningAt(step.job);
        if (!job) return;
        const { job: failed } = await gate.fail(null, job.id, {
          lease_token: job.token,
          error: "no",
          retry: step.retry,
          retry_after_ms: step.retry ? step.afterMs : undefined,
        });
        const isLast = !step.retry || job.attempts >= job.maxAttempts;
        model.endRun(job, isLast ? "failed" : "delayed");
        const waits = step.afterMs ?? 5_000 * 2 ** (job.attempts - 1);
        job.at = job.status === "delayed" ? clock.now + waits : Infinity;
        expect(failed.status).toBe(job.status);
        return;
      }
      case "release": {
        const job = this.#runningAt(step.job);
        if (!job) return;
        const released = gate.release(null, job.id, {
          lease_token: job.token,
          ...(step.forMs > 0 ? { run_after: new Date(clock.now + step.forMs).toISOString() } : {}),
          ...(step.pause ? { pause: { reason: "waits" } } : {}),
        });
        const { task } = job;
        if (step.pause && !model.endsWithTask(job)) {
          if (!task) return this.#refused(released, "invalid_request");
          if (!model.policy.pause) return this.#refused(released, "layer_disabled");
          if (isTerminal(task.stage)) return this.#refused(released, "task_terminal");
        }
        await released;
        model.endRun(job, step.forMs > 0 ? "delayed" : "queued");
        job.at = clock.now + step.forMs;
        if (job.status === "cancelled") return;
        job.attempts -= 1;
        if (step.pause && task) model.pause(task);
        return;
      }
      case "heartbeat": {
        const job = this.#runningAt(step.job);
        if (!job) return;
        const kept = gate.heartbeat(null, job.id, { lease_token: job.token, progress: "half" });
        if (model.endsWithTask(job))
          return this.#refused(kept, job.task?.stage === "cancelled" ? "task_cancelled" : "task_terminal");
        await kept;
        job.at = clock.now + DEFAULTS.leaseMs;
        return;
      }
      case "retry": {
        const job = this.#jobAt(step.job);
        if (!job) return;
        const retried = gate.retryJob(null, { id: job.id });
        if (job.status !== "failed") return this.#refused(retried, "job_not_failed");
        const { task } = job;
        if (task && (task.stage === "cancelled" || (task.stage === "done" && job.agent === "analyst")))
          return this.#refused(retried, "task_terminal");
        await retried;
        job.status = "queued";
        job.maxAttempts = Math.max(job.maxAttempts, job.attempts + 1);
        return;
      }
      case "stage":
      case "cancel": {
        const task = this.#taskAt(step.task);
        if (!task) return;
        const stage = step.kind === "cancel" ? "cancelled" : step.stage;
        const moved =
          step.kind === "cancel"
            ? gate.cancelTask(null, { id: task.id })
            : gate.setStage(null, { id: task.id }, { stage, cancel_jobs: step.cancelJobs });
        if (step.kind === "stage" && step.cancelJobs && !isTerminal(stage))
          return this.#refused(moved, "invalid_request");
        if (isTerminal(task.stage) && task.stage !== stage) return this.#refused(moved, "task_terminal");
        const lists = await moved;
        model.move(task, stage);
        const cancelJobs = step.kind === "stage" && step.cancelJobs;
        expect(idsOf(lists)).toEqual(
          isTerminal(stage) ? model.endWaiting(task, cancelJobs) : { cancelled: [], left: [] },
        );
        return;
      }
      case "rework": {
        const task = this.#taskAt(step.task);
        if (!task) return;
        const created = gate.createJob(null, {
          repo: task.repo,
          work_item_id: this.#workItems.get(task.id) ?? "",
          agent: "analyst",
        });
        if (isTerminal(task.stage)) return this.#refused(created, "task_terminal");
        this.#enqueued((await created).job, task);
        return;
      }
      case "time":
        clock.pass(step.ms);
        return;
      case "sql stage": {
        const task = this.#taskAt(step.task);
        if (!task) return;
        await this.world.sql(`UPDATE tasks SET stage = '${step.stage}' WHERE id = ${task.id}`);
        model.move(task, step.stage);
        return;
      }
      case "sql pause": {
        const task = this.#taskAt(step.task);
        if (!task) return;
        await this.world.sql(`UPDATE tasks SET paused_at = '${toStored(clock.now)}' WHERE id = ${task.id}`);
        model.pause(task);
        return;
      }
      case "sql resume": {
        const task = this.#taskAt(step.task);
        if (!task) return;
        await this.world.sql(`UPDATE tasks SET paused_at = NULL, pause_until = NULL WHERE id = ${task.id}`);
        model.resume(task);
        return;
      }
      case "sql thaw":
        await this.world.sql(`UPDATE repo_freeze SET cleared_at = 'now' WHERE repo = '${step.repo}'`);
        model.freezes.delete(step.repo);
        return;
      case "sql forget freezes":
        await this.world.sql(`DELETE FROM repo_freeze WHERE repo = '${step.repo}'`);
        model.freezes.delete(step.repo);
        return;
      case "depend": {
        const task = this.#taskAt(step.task);
        if (!task) return;
        const needed = new Set(step.on.flatMap((index) => this.#taskAt(index) ?? []));
        const ids = [...needed].map(({ id }) => id);
        const changed = gate.changeTask(
          null,
          { id: task.id },
          { depends_on: [...needed].map(({ id, repo }) => ({ repo, work_item_id: this.#nameOf(id) })) },
        );
        if (ids.some((id) => model.leadsTo(id, task.id))) return this.#refused(changed, "dependency_cycle");
        const before = [...task.dependsOn].filter((id) => model.tasks.has(id));
        const isSame = before.length === ids.length && ids.every((id) => task.dependsOn.has(id));
        if (!isSame && isTerminal(task.stage)) return this.#refused(changed, "task_terminal");
        const answer = await changed;
        expect(answer.started).toBe(task.lane !== "none");
        expect(answer.task.depends_on.map(({ task_id }) => task_id)).toEqual(ids.sort((a, b) => a - b));
        task.dependsOn.clear();
        for (const id of ids) task.dependsOn.add(id);
        return;
      }
      case "sql depend": {
        const [task, needed] = [this.#taskAt(step.task), this.#taskAt(step.on)];
        if (!task || !needed || task.dependsOn.has(needed.id)) return;
        await this.world.sql(
          `INSERT INTO job_deps(task_id, depends_on_task_id) VALUES (${task.id}, ${needed.id})`,
        );
        task.dependsOn.add(needed.id);
        return;
      }
      case "sql depend no more": {
        const task = this.#taskAt(step.task);
        if (!task) return;
        await this.world.sql(`DELETE FROM job_deps WHERE task_id = ${task.id}`);
        task.dependsOn.clear();
        return;
      }
      case "sql delete task": {
        // With its jobs: a job of a task that is gone is a row that no program here makes.
        const task = this.#taskAt(step.task);
        if (!task) return;
        await this.world.sql(`DELETE FROM tasks WHERE id = ${task.id}`);
        await this.world.sql(`DELETE FROM jobs WHERE task_id = ${task.id}`);
        model.tasks.delete(task.id);
        for (const job of model.jobs.values()) if (job.task === task) model.jobs.delete(job.id);
        return;
      }
      case "sql delete job": {
        const job = this.#jobAt(step.job);
        if (!job) return;
        await this.world.sql(`DELETE FROM jobs WHERE id = ${job.id}`);
        model.jobs.delete(job.id);
        return;
      }
      case "sql job status": {
        const job = this.#jobAt(step.job);
        if (!job || job.status === "running" || job.status === "delayed") return;
        await this.world.sql(`UPDATE jobs SET status = '${step.status}' WHERE id = ${job.id}`);
        job.status = step.status;
        return;
      }
      case "sql task with job": {
        const workItem = `W-${(this.#created += 1)}`;
        await this.world.sql(
          `INSERT INTO tasks(repo, work_item_id, stage) VALUES ('${step.repo}', '${workItem}', 'analysis')`,
        );
        const [made] = await this.world.rows<{ id: number }>("SELECT MAX(id) AS id FROM tasks");
        const id = made?.id ?? NaN;
        await this.world.sql(
          `INSERT INTO jobs(agent, repo, task_id) VALUES ('analyst', '${step.repo}', ${id})`,
        );
        const [row] = await this.world.rows<{ id: number }>("SELECT MAX(id) AS id FROM jobs");
        const task = newTask(id, step.repo);
        this.#workItems.set(id, workItem);
        model.tasks.set(id, task);
        this.#written(row?.id ?? NaN, task, step.repo);
        return;
      }
      case "sql move task": {
        // Its jobs go with it.
        const task = this.#taskAt(step.task);
        if (!task) return;
        await this.world.sql(`UPDATE tasks SET repo = '${step.repo}' WHERE id = ${task.id}`);
        await this.world.sql(`UPDATE jobs SET repo = '${step.repo}' WHERE task_id = ${task.id}`);
        task.repo = step.repo;
        for (const job of model.jobs.values()) if (job.task === task) job.repo = step.repo;
        return;
      }
      case "sql freeze":
        await this.world.sql(`INSERT INTO repo_freeze(repo, reason) VALUES ('${step.repo}', 'DEGRADED')`);
        model.freezes.set(step.repo, (model.freezes.get(step.repo) ?? 0) + 1);
        return;
      case "sql entry job without task": {
        await this.world.sql(`INSERT INTO jobs(agent, repo) VALUES ('analyst', '${step.repo}')`);
        const [row] = await this.world.rows<{ id: number }>("SELECT MAX(id) AS id FROM jobs");
        this.#written(row?.id ?? NaN, null, step.repo);
        return;
      }
    }
  }

  /** Runs the command and asserts that exactly the changes of another program are recorded as foreign. */
  async runAndCheckEvents(step: Command): Promise<void> {
    const foreign = step.kind.startsWith("sql ");
    const before = foreign ? await this.#rows() : {};
    const earlier = await this.#foreignEvents();
    await this.run(step);
    const expected = foreign ? expectedEvents(before, await this.#rows()) : [];
    expect((await this.#foreignEvents()).slice(earlier.length).sort()).toEqual(expected);
  }

  async #rows(): Promise<Rows> {
    const rows: Record<string, ReadonlyMap<number, Readonly<Record<string, unknown>>>> = {};
    for (const [table, sql] of Object.entries(ROWS)) {
      const found = await this.world.rows<{ id: number }>(sql);
      rows[table] = new Map(found.map((row) => [row.id, row]));
    }
    return rows;
  }

  async #foreignEvents(): Promise<string[]> {
    const events = await this.world.rows<{ kind: string }>(
      `SELECT kind FROM gate_events WHERE detail LIKE '%"foreign"%' ORDER BY id`,
    );
    return events.map(({ kind }) => kind);
  }

  /** Asserts that the model, the queue, the ready flags and the claim agree. */
  async expectAgreement(): Promise<void> {
    const { gate, store, clock } = this.world;
    this.model.passTime(clock.now);
    const queue = await gate.queue(undefined, EVERYWHERE);
    const lanes = Object.values(queue.serial_gate.per_repo);
    const waiting = lanes.flatMap((lane) => lane.waiting).sort((a, b) => a.job_id - b.job_id);

    const queued = this.#jobs().filter(({ status }) => status === "queued");
    const shown = queued.filter((job) => job.agent === "analyst" || this.model.reason(job) !== null);
    expect(waiting.map(({ job_id, reason }) => [job_id, reason])).toEqual(
      shown.map((job) => [job.id, this.model.reason(job)]),
    );

    const running = lanes.flatMap((lane) => lane.running.map(({ job_id }) => job_id)).sort((a, b) => a - b);
    expect(running).toEqual(
      this.#jobs()
        .filter(({ status }) => status === "running")
        .map(({ id }) => id),
    );

    const counts = Object.fromEntries(Object.keys(queue.jobs).map((status) => [status, 0]));
    for (const { status } of this.#jobs()) counts[status] = (counts[status] ?? 0) + 1;
    expect(queue.jobs).toEqual(counts);

    const { wrong } = await store.read(() => auditReadyFlags(this.model.policy, 0, 10_000));
    expect(wrong).toEqual([]);

    const everything = { actor: null, request: { max: 1_000, wait_ms: 0 } };
    const rules = {
      policy: this.model.policy,
      defaults: DEFAULTS,
      projects: [],
      random: () => 0.5,
      newToken: () => "t",
      leaseClock: new LeaseClock(
        () => performance.now(),
        () => undefined,
      ),
    };
    const lookup = { visible: EVERYTHING_READABLE, useReadyIndex: true };
    const isAlone = store.dialect.writerIsAlone;
    const rolledBack = await store
      .write(function* () {
        throw new RolledBack((yield* claim({ rules, lookup, reach: null, isAlone }, [everything])).flat());
      })
      .catch((error: unknown) => error);
    if (!(rolledBack instanceof RolledBack)) throw rolledBack;
    expect(rolledBack.claimed.map(({ id }) => id)).toEqual(
      this.model.claimable(() => true, 1_000).map(({ id }) => id),
    );
    const free = waiting.filter(({ reason }) => reason === null).map(({ job_id }) => job_id);
    const claimedEntries = rolledBack.claimed.filter(({ agent }) => agent === "analyst").map(({ id }) => id);
    if (!this.model.policy.strictLanes) expect(claimedEntries).toEqual(free);
    // In a strict lane the first of several ready jobs may hold the others.
    else expect(free).toEqual(expect.arrayContaining(claimedEntries));
  }

  readonly #workItems = new Map<number, string>();

  #jobs(): ModelJob[] {
    return [...this.model.jobs.values()].sort((a, b) => a.id - b.id);
  }

  #taskAt(index: number): ModelTask | undefined {
    const tasks = [...this.model.tasks.values()];
    return tasks[index % tasks.length];
  }

  #jobAt(index: number): ModelJob | undefined {
    const jobs = this.#jobs();
    return jobs[index % jobs.length];
  }

  #tasksIn(repo: string): ModelTask[] {
    const tasks = [...this.model.tasks.values()].sort((a, b) => a.id - b.id);
    return tasks.filter((task) => task.repo === repo);
  }

  /** Makes a change of a lane that its dry run told in every word. */
  async #foretold(
    change: (query: { repo: string; dry_run?: true }) => Promise<LanePauseState>,
    { repo }: { readonly repo: string },
  ): Promise<LanePauseState> {
    const { dry_run, ...told } = await change({ repo, dry_run: true });
    expect(dry_run).toBe(true);
    const made = await change({ repo });
    expect(told).toEqual(made);
    return made;
  }

  #unfinishedIn(repo: string): ModelTask[] {
    return this.#tasksIn(repo).filter((task) => !isTerminal(task.stage));
  }

  /** The work item of a task, or its id once it is gone. */
  #nameOf(id: number): string {
    return this.model.tasks.has(id) ? (this.#workItems.get(id) ?? "") : String(id);
  }

  #runningAt(index: number): ModelJob | undefined {
    const running = this.#jobs().filter(({ status }) => status === "running");
    return running[index % running.length];
  }

  #query(task: ModelTask): { work_item: string; repo: string } {
    return { work_item: this.#workItems.get(task.id) ?? "", repo: task.repo };
  }

  /** An entry job that another program wrote. */
  #written(id: number, task: ModelTask | null, repo: string): void {
    const made = { id, task, repo, agent: "analyst", attempts: 0, maxAttempts: 2, at: 0, token: "" };
    this.model.jobs.set(id, { ...made, status: "queued", taskFinished: false });
  }

  #enqueued(job: Job, task: ModelTask): void {
    const { id, agent, max_attempts } = job;
    this.model.jobs.set(id, {
      id,
      task,
      repo: task.repo,
      agent,
      status: "queued",
      attempts: 0,
      maxAttempts: max_attempts,
      taskFinished: false,
      at: 0,
      token: "",
    });
  }

  async #refused(answer: Promise<unknown>, code: string): Promise<void> {
    const error = await answer.catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(GateError);
    expect((error as GateError).code).toBe(code);
  }
}
