/** The shared state of the clients of one life: the log, the repositories, and a barrier that lets nobody call while the judge looks. */

import { Agent } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { connectionsTo } from "../http.mjs";
import { Operator } from "./operator.mjs";
import { Pest } from "./pest.mjs";
import { Producer } from "./producer.mjs";
import { Watcher } from "./watcher.mjs";
import { Worker } from "./worker.mjs";

const WORKERS = 5;
const KEPT_ANSWERS = 300;

export class Town {
  log = [];
  /** Answers under a key that were given: some are asked for again after a restart. */
  answered = [];
  violations = [];
  calling = 0;
  over = false;
  /** True while the service is on its way out or not there. */
  isDown = true;
  stopping = false;
  tasks = [];
  unfinished = 0;
  counts = { calls: {}, replays: 0, lostReplies: 0 };
  #hold;

  constructor(random, port) {
    this.random = random;
    this.http = connectionsTo(port, new Agent({ keepAlive: true }));
    this.port = port;
    const named = (Kind, name) => new Kind(name, random, this);
    this.watchers = [named(Watcher, "watch1")];
    this.clients = [
      ...Array.from({ length: WORKERS }, (_, n) => named(Worker, `work${n + 1}`)),
      named(Producer, "make1"),
      named(Producer, "make2"),
      named(Operator, "oper1"),
      named(Operator, "oper2"),
      named(Pest, "pest1"),
      ...this.watchers,
    ];
  }

  wrong(sentence) {
    this.violations.push(sentence);
  }

  count(kind, status) {
    const calls = (this.counts.calls[kind] ??= { acknowledged: 0, refused: 0, unavailable: 0 });
    calls[status < 300 ? "acknowledged" : status === 503 ? "unavailable" : "refused"] += 1;
  }

  start() {
    this.living = Promise.all(this.clients.map((client) => client.live()));
    this.living.catch((error) => this.wrong(`a client failed: ${error.stack}`));
  }

  /** Waits until this client may call. */
  turn() {
    return this.#hold?.promise;
  }

  /** Lets nobody call any more, and waits for the calls under way. */
  async hold() {
    this.#hold ??= Promise.withResolvers?.() ?? withResolvers();
    while (this.calling > 0) await sleep(5);
  }

  release() {
    this.#hold?.resolve();
    this.#hold = undefined;
  }

  /** Asks for some answers again that were given before the last crash. */
  async repeatSome(count) {
    this.answered.splice(0, this.answered.length - KEPT_ANSWERS);
    for (let left = Math.min(count, this.answered.length); left > 0; left -= 1)
      await this.clients[0].repeat(this.random.oneOf(this.answered));
  }

  async end() {
    this.over = true;
    this.release();
    await this.living;
    this.http.close();
  }
}

const withResolvers = () => {
  let resolve;
  const promise = new Promise((done) => (resolve = done));
  return { promise, resolve };
};
