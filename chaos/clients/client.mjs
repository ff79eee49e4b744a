/** A client that keeps a log of its calls: what it asked, under which key, and what it was told. A call under a key is sent
 *  again, as it was, until it is answered; one without a key is sent once. */

import { setTimeout as sleep } from "node:timers/promises";
import { sameAnswer } from "../judge/answers.mjs";

/** Nobody can say what became of a call that was not answered for this long while the service runs. */
const STUCK_MS = 90_000;

export class Client {
  #number = 0;

  /** @param town what all clients share: connections, the log, who may call now */
  constructor(name, random, town) {
    this.name = name;
    this.random = random.fork(name);
    this.town = town;
  }

  /** Acts until the life is over. */
  async live() {
    while (!this.town.over) {
      await this.act();
      await sleep(this.random.between(0, this.pauseMs ?? 20));
    }
  }

  /** Makes a call.
   *  @param isLook made by the judge while everybody else waits
   *  @param more members of its log entry: what the judge needs to know of it
   *  @returns its log entry; `answer` is undefined while nothing is known */
  async call(kind, method, path, { body, keyed = method !== "GET", hangUpMs, isLook = false, ...more } = {}) {
    const { town, random } = this;
    if (!isLook) await town.turn();
    this.#number += 1;
    const entry = { client: this.name, number: this.#number, kind, method, path, body, sends: 0, ...more };
    if (keyed) entry.key = `${this.name}-${this.#number}`;
    if (method !== "GET") town.log.push(entry);
    town.calling += 1;
    try {
      await this.#send(entry, hangUpMs);
      if (entry.key !== undefined && entry.status < 300) {
        if (!this.isEmpty(entry)) town.answered.push(entry);
        if (random.chance(6)) await this.repeat(entry);
      }
    } finally {
      town.calling -= 1;
    }
    return entry;
  }

  isEmpty({ kind, answer }) {
    return kind === "claim" && answer.jobs.length === 0;
  }

  /** Sends an answered call once more under its key: the answer must be the same. */
  async repeat(entry) {
    if (this.isEmpty(entry)) return;
    const { town } = this;
    for (const until = Date.now() + STUCK_MS; Date.now() < until; await sleep(30)) {
      const again = await town.http
        .call({ ...entry, headers: { "idempotency-key": entry.key } })
        .catch(() => undefined);
      if (!again || again.status === 503) continue;
      town.counts.replays += 1;
      if (!sameAnswer(entry, again) || again.headers["idempotency-replayed"] !== "true")
        town.wrong(
          `${entry.kind} ${entry.client}.${entry.number} (key ${entry.key}): first ${entry.status} ${JSON.stringify(entry.answer)}, then ${again.status} ${again.text}`,
        );
      return;
    }
  }

  async #send(entry, hangUpMs) {
    const { town } = this;
    const { method, path, body, key } = entry;
    const headers = key === undefined ? {} : { "idempotency-key": key };
    entry.sentAt = Date.now();
    for (;;) {
      entry.sends += 1;
      try {
        const answer = await town.http.call({ method, path, body, headers, hangUpMs });
        town.count(entry.kind, answer.status);
        if (answer.status === 503) {
          if (answer.headers["retry-after"] === undefined)
            town.wrong(`${entry.kind} ${this.name}.${entry.number}: 503 without Retry-After`);
          if (answer.body?.code === "draining") entry.mayRepeat = true;
        } else {
          if (answer.status >= 500)
            town.wrong(`${entry.kind} ${this.name}.${entry.number}: ${answer.status} ${answer.text}`);
          entry.doneAt = Date.now();
          entry.status = answer.status;
          entry.answer = answer.body;
          return;
        }
      } catch (error) {
        if (error.code !== "ECONNREFUSED") town.counts.lostReplies += 1;
        // A claim whose caller hangs up may be taken back, and made again under its key.
        if (error.hungUp || town.stopping) entry.mayRepeat = true;
        if (error.hungUp && hangUpMs !== undefined && this.random.chance(50)) return;
        hangUpMs = undefined;
      }
      if (key === undefined && method !== "GET") return;
      if (Date.now() - entry.sentAt > STUCK_MS && !town.isDown) {
        town.wrong(`${entry.kind} ${this.name}.${entry.number}: no answer for ${STUCK_MS / 1_000} s`);
        return;
      }
      await sleep(this.random.between(30, 120));
      if (town.over && method === "GET") return;
    }
  }
}
