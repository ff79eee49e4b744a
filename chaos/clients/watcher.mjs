/** Reads: the queue, explanations, probes, and the event log by its cursor. At the end the log as it was read by the cursor
 *  must be the table. */

import { Client } from "./client.mjs";
import { REPOS } from "./values.mjs";

export class Watcher extends Client {
  pauseMs = 60;
  #after = 0;
  seen = [];

  async act() {
    const { random, town } = this;
    switch (random.pick({ events: 50, queue: 25, explain: 10, ready: 10, metrics: 5 })) {
      case "events":
        return this.follow();
      case "queue":
        return this.call("queue", "GET", random.chance(50) ? "/queue" : `/queue?repo=${random.oneOf(REPOS)}`);
      case "explain": {
        const task = town.tasks.at(-1);
        return task && this.call("explain", "GET", `/queue/explain?task_id=${task.id}`);
      }
      case "ready":
        return this.call("readyz", "GET", "/readyz");
      default:
        return this.call("metrics", "GET", "/metrics");
    }
  }

  /** Reads on from the cursor.
   *  @returns how many events came */
  async follow() {
    const page = await this.call("events", "GET", `/events?after=${this.#after}&limit=200`);
    if (page.status !== 200) return 0;
    const { events, next_cursor } = page.answer;
    for (const { id } of events) this.seen.push(id);
    this.#after = Number(next_cursor ?? this.#after);
    return events.length;
  }
}

/** @returns a sentence for every difference between the log as read by its cursor, and the table */
export const compareLog = (seen, events) => {
  const wrong = [];
  const there = events.map(({ id }) => id);
  const read = new Set(seen);
  if (read.size !== seen.length) wrong.push("the cursor of GET /events gave an event twice");
  if (seen.some((id, index) => index > 0 && id < seen[index - 1]))
    wrong.push("the cursor of GET /events went back");
  const missed = there.filter((id) => !read.has(id));
  if (missed.length > 0)
    wrong.push(`the cursor of GET /events skipped ${missed.length} events, the first is ${missed[0]}`);
  const made = seen.filter((id) => !there.includes(id));
  if (made.length > 0)
    wrong.push(`GET /events gave ${made.length} events that are not there, the first is ${made[0]}`);
  return wrong;
};
