/** Creates tasks with dependencies, adds jobs to them, and changes what they depend on. A task depends on older ones alone,
 *  so that everything can be drained at the end. */

import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "./client.mjs";
import { inFuture, REPOS } from "./values.mjs";

const BACKLOG = 60;

export class Producer extends Client {
  pauseMs = 40;
  #made = 0;

  async act() {
    const { random, town } = this;
    if (town.unfinished > BACKLOG) await sleep(60);
    switch (
      random.pick({ create: town.unfinished > BACKLOG ? 2 : 60, again: 5, enqueue: 15, depend: 10, stage: 5 })
    ) {
      case "create":
        return this.#create();
      case "again":
        return this.#again();
      case "enqueue":
        return this.#enqueue();
      case "depend":
        return this.#depend();
      default:
        return this.#stage();
    }
  }

  #older(before = Infinity) {
    const { random, town } = this;
    const some = town.tasks.slice(-30).filter(({ id }) => id < before);
    return Array.from(
      { length: random.pick({ 0: 70, 1: 22, 2: 8 }) * 1 },
      () => some.length > 0 && random.oneOf(some),
    )
      .filter(Boolean)
      .map(({ repo, work_item_id }) => ({ repo, work_item_id }));
  }

  async #create() {
    const { random, town } = this;
    const repo = random.oneOf(REPOS);
    const work_item_id = `${this.name}-${(this.#made += 1)}`;
    const body = {
      repo,
      work_item_id,
      depends_on: this.#older(),
      ...(random.chance(30)
        ? { entry_job: { payload: { n: this.#made }, max_attempts: random.between(1, 6) } }
        : {}),
    };
    const made = await this.call("create", "POST", "/tasks", { body });
    if (made.status !== 201) return;
    town.tasks.push({ id: made.answer.task.id, repo, work_item_id });
    if (town.tasks.length > 400) town.tasks.splice(0, 200);
    town.unfinished += 1;
  }

  /** The same work item again: what stands is told, and nothing changes. */
  async #again() {
    const task = this.#some();
    if (task)
      await this.call("create", "POST", "/tasks", {
        body: { repo: task.repo, work_item_id: task.work_item_id },
      });
  }

  async #enqueue() {
    const { random } = this;
    const task = this.#some();
    if (!task) return;
    const { repo, work_item_id } = task;
    const body = {
      repo,
      work_item_id,
      agent: random.oneOf(["analyst", "developer", "deploy"]),
      ...(random.chance(30) ? { run_after: inFuture(random.between(50, 800)) } : {}),
    };
    await this.call("enqueue", "POST", "/jobs", { body });
  }

  async #depend() {
    const task = this.#some();
    if (task)
      await this.call("depend", "PATCH", `/tasks/${task.id}`, { body: { depends_on: this.#older(task.id) } });
  }

  async #stage() {
    const { random } = this;
    const task = this.#some();
    if (!task) return;
    const stage = random.oneOf(["review", "testing", "done"]);
    const entry = await this.call("stage", "PATCH", `/tasks/${task.id}`, { body: { stage } });
    if (entry.status === 200 && stage === "done") this.town.unfinished -= 1;
  }

  #some() {
    const { random, town } = this;
    const recent = town.tasks.slice(-40);
    return recent.length > 0 ? random.oneOf(recent) : undefined;
  }
}
