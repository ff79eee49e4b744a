/** Pauses, resumes, freezes, unfreezes, cancels, retries and takes jobs from their workers. Each call has a mark of its own as
 *  its reason, so that the judge finds its events. */

import { Client } from "./client.mjs";
import { REPOS } from "./values.mjs";

const SHARES = {
  pause: 22,
  resume: 24,
  freeze: 8,
  unfreeze: 18,
  cancel: 5,
  force: 6,
  retry: 10,
  pauseAll: 1,
  resumeAll: 4,
  cancelJob: 3,
  dry: 3,
};

export class Operator extends Client {
  pauseMs = 60;
  #marks = 0;

  #mark() {
    return `${this.name}:${(this.#marks += 1)}`;
  }

  async act() {
    const { random, town } = this;
    const repo = random.oneOf(REPOS);
    const recent = town.tasks.slice(-40);
    const task = recent.length > 0 ? random.oneOf(recent) : undefined;
    const reason = this.#mark();
    const body = { reason };
    const mark = reason;
    const share = random.pick(SHARES);
    switch (share) {
      case "pause":
      case "resume":
        if (!task) return;
        // The answer says whether it changed anything: then there is an event of it, and only then.
        return this.call(
          share,
          "POST",
          `/serial-gate/${share}?work_item=${task.work_item_id}&repo=${task.repo}`,
          {
            body,
            mark,
            keyed: random.chance(90),
            expects: (answer) => (answer.changed ? 1 : 0),
          },
        );
      case "freeze":
        return this.call("freeze", "POST", `/freeze?repo=${repo}`, { body, mark, repo });
      case "unfreeze":
        return this.call("unfreeze", "POST", `/unfreeze?repo=${repo}`, {
          body,
          mark,
          repo,
          expects: ({ cleared }) => cleared,
        });
      case "cancel":
        if (!task) return;
        town.unfinished -= 1;
        return this.call("cancel", "POST", `/tasks/${task.id}/cancel`, {
          body,
          ...(random.chance(50) ? {} : { keyed: false }),
        });
      case "force":
        return this.#force(body, mark);
      case "retry":
        return this.#retry(body);
      case "pauseAll":
      case "resumeAll":
        return this.call(
          share === "pauseAll" ? "pause" : "resume",
          "POST",
          `/serial-gate/${share === "pauseAll" ? "pause" : "resume"}?repo=${repo}&all=true`,
          {
            body,
            mark,
            expects: ({ changed }) => changed,
          },
        );
      case "cancelJob":
        return this.#cancelJob(body);
      default:
        // Nothing may come of it: an event would have the mark of a refused call.
        return this.call("freeze dry run", "POST", `/freeze?repo=${repo}&dry_run=true`, {
          body,
          keyed: false,
        });
    }
  }

  async #jobs(status) {
    const found = await this.call("list", "GET", `/jobs?status=${status}&limit=20`);
    return found.status === 200 ? found.answer.jobs : [];
  }

  async #force(body, mark) {
    const jobs = await this.#jobs("running");
    if (jobs.length > 0)
      await this.call("force", "POST", `/jobs/${this.random.oneOf(jobs).id}/release?force=true`, {
        body,
        mark,
      });
  }

  async #retry(body) {
    for (const { id } of (await this.#jobs("failed")).slice(0, 3))
      await this.call("retry", "POST", `/jobs/${id}/retry`, { body });
  }

  async #cancelJob(body) {
    const jobs = await this.#jobs("delayed");
    if (jobs.length > 0)
      await this.call("cancel job", "POST", `/jobs/${this.random.oneOf(jobs).id}/cancel`, { body });
  }
}
