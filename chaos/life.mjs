/** The life of one database: the service is started, used by many at once, killed, judged and started again, until it has
 *  died often enough; then everything is drained and judged for the last time. */

import { setTimeout as sleep } from "node:timers/promises";
import { compareLog } from "./clients/watcher.mjs";
import { Town } from "./clients/town.mjs";
import { drain } from "./drain.mjs";
import { KILLS } from "./faults/kills.mjs";
import { judgeAnswers } from "./judge/answers.mjs";
import { claimable, compareIndex, compareQueue } from "./judge/queue.mjs";
import { compareRows, replay } from "./judge/replay.mjs";
import { freePort, startService } from "./service.mjs";

const SETTINGS = {
  SERIAL_GATE_LEASE_MS: "2000",
  SERIAL_GATE_MAX_ATTEMPTS: "4",
  SERIAL_GATE_RETRY_MS: "50",
  SERIAL_GATE_RETRY_MAX_MS: "300",
};
const GRACE_MS = 15_000;
/** One life in so many looks at the queue. */
const LOOK_EVERY = 4;

export class Life {
  counts = { kills: {}, events: 0, comparisons: 0, entries: 0, looks: 0, drained: 0, skipped: {} };
  violations = [];
  #acknowledged = false;
  #isBuilt = false;

  /** @param parts `name`, `random`, `database`; `faults`: the ways to die, by name, each gets the life; `kills`: how often;
   *    `until`: the end of the time; and what the faults of that database need */
  constructor(parts) {
    Object.assign(this, parts);
    const { random } = parts;
    this.strict = random.chance(70);
    this.rule = { strict: this.strict, entryAgent: "analyst" };
  }

  async run() {
    this.port = await freePort();
    this.town = new Town(this.random, this.port);
    this.town.start();
    try {
      for (let n = 1; n <= this.kills && this.violations.length === 0 && Date.now() < this.until; n += 1)
        await this.#epoch(n);
      await this.#end();
    } finally {
      this.service?.kill();
      this.town.over = true;
      this.town.release();
      this.town.http.close();
    }
    this.violations.push(...this.town.violations);
    return this;
  }

  wrong(sentences) {
    for (const sentence of sentences) this.violations.push(sentence);
  }

  start(more = {}) {
    this.town.stopping = false;
    this.service = startService({
      port: this.port,
      env: {
        ...SETTINGS,
        DATABASE_URL: this.database.url,
        SERIAL_GATE_STRICT_LANES: String(this.strict),
        // A crash between the making of the file and the first commit leaves an empty one.
        SERIAL_GATE_ALLOW_EMPTY: String(!this.#acknowledged),
        ...more.env,
      },
      failpoint: more.failpoint,
    });
    return this.service;
  }

  /** Waits until it is ready.
   *  @returns false when it died before */
  async ready() {
    const isReady = await this.service.ready();
    if (!isReady && !this.service.end) this.wrong(["the service is not ready within a minute"]);
    this.town.isDown = !isReady;
    this.#isBuilt ||= isReady;
    return isReady;
  }

  async #epoch(n) {
    const { shares } = this.faults;
    // Only the first start of a life migrates.
    const migrates = n === 1 && shares.migrating !== undefined && this.random.chance(60);
    const fault = this.faults[migrates ? "migrating" : this.random.pick(shares)];
    this.now = `${this.name}, kill ${n}: ${fault.name}`;
    let { name } = fault;
    let outcome = await fault.run(this);
    if (outcome?.skipped !== undefined) {
      this.counts.skipped[name] = outcome.skipped;
      ({ name } = KILLS.timer);
      outcome = await KILLS.timer.run(this);
    }
    const { end, lines } = this.service;
    if (end && end.signal !== "SIGKILL" && !outcome?.isExit)
      this.wrong([`the service ended by itself: ${JSON.stringify(end)} ${lines.slice(-5).join("\n")}`]);
    await this.#died(name);
    if (this.violations.length > 0) return;
    if (n % LOOK_EVERY === 0) await this.#look();
  }

  /** Judges the rows of a database at rest. */
  async judge(rows) {
    const entries = this.town.log;
    if (rows === undefined) {
      if (this.#acknowledged) this.wrong(["the tables are gone"]);
      return undefined;
    }
    this.wrong(rows.faults.map((each) => `${this.now}: ${each}`));
    if (rows.events === undefined) return undefined;
    this.#acknowledged ||= entries.some(({ status }) => status < 300);
    const state = replay(rows, this.rule);
    const answers = judgeAnswers(entries, rows, state);
    this.counts.comparisons += answers.compared + rows.tasks.length + rows.jobs.length + rows.events.length;
    this.counts.events = rows.events.length;
    this.counts.entries = entries.length;
    for (const sentence of [
      ...state.violations,
      ...compareRows(rows, state),
      ...this.#indexFaults(rows, state),
      ...answers.violations,
    ])
      this.violations.push(`${this.now}: ${sentence}${factsOf(sentence, rows)}`);
    return state;
  }

  /** A service that died before it was ready may not have built its index yet. */
  #indexFaults(rows, state) {
    if (!this.#isBuilt) return [];
    return compareIndex(rows, state, this.rule);
  }

  /** With nobody else calling: kept answers are given again, GET /queue is the rule, and a claim takes what is free. */
  async #look() {
    this.start();
    if (!(await this.ready()))
      return this.wrong([`the service does not start: ${this.service.lines.slice(-5).join("\n")}`]);
    await this.town.repeatSome(20);
    await sleep(this.random.between(200, 800));
    await this.town.hold();
    await this.look();
    this.town.release();
    await sleep(this.random.between(50, 300));
    await this.#died("after a look at the queue");
  }

  /** Kills the service if it lives, counts it, and judges what it left. */
  async #died(name) {
    this.town.isDown = true;
    await this.service.kill();
    this.counts.kills[name] = (this.counts.kills[name] ?? 0) + 1;
    await this.judge(await this.database.afterCrash());
  }

  async look() {
    const { call } = this.town.http;
    for (let left = 30; left > 0; left -= 1) {
      const queue = await call({ method: "GET", path: "/queue" });
      const rows = await this.database.alive();
      const again = await call({ method: "GET", path: "/queue" });
      // A lease expired or a pause ended in between: the two are not of one moment.
      if (queue.body.revision !== again.body.revision) continue;
      const state = replay(rows, this.rule);
      if (again.body.revision !== (await call({ method: "GET", path: "/queue" })).body.revision) continue;
      this.counts.looks += 1;
      this.wrong(
        compareQueue(queue.body, { rows, state, rule: this.rule }).map((each) => `${this.now}: ${each}`),
      );
      await this.#claimAll(new Set(claimable(rows, state, this.rule)), queue.body.revision);
      return;
    }
    this.counts.skipped.look = "the queue did not rest";
  }

  /** Claims everything, which must include all that is free, and gives it back. */
  async #claimAll(free) {
    const [client] = this.town.clients;
    const leases = [];
    for (;;) {
      const worker = `look.${this.counts.looks}.${leases.length}`;
      const claim = await client.call("claim", "POST", "/jobs/claim", {
        body: { worker, max: 100, lease_ms: 60_000 },
        worker,
        isLook: true,
      });
      if (claim.status !== 200) return this.wrong([`${this.now}: a claim was answered ${claim.status}`]);
      const { jobs } = claim.answer;
      if (jobs.length === 0) break;
      for (const { id, attempt, lease } of jobs)
        leases.push({ job: id, attempt, worker, token: lease.token });
    }
    const claimed = new Set(leases.map(({ job }) => job));
    const left = [...free].filter((id) => !claimed.has(id));
    if (left.length > 0) {
      // A pause that ended meanwhile may hold it now.
      const rows = await this.database.alive();
      const still = new Set(claimable(rows, replay(rows, this.rule), this.rule));
      for (const id of left)
        if (still.has(id))
          this.wrong([`${this.now}: job ${id} is free in GET /queue and by its rows, and no claim gets it`]);
    }
    for (const about of leases)
      await client.call("release", "POST", `/jobs/${about.job}/release`, {
        body: { lease_token: about.token },
        about,
        isLook: true,
      });
  }

  async #end() {
    if (this.violations.length > 0) return;
    this.now = `${this.name}, the end`;
    this.start();
    if (!(await this.ready()))
      return this.wrong([`the service does not start: ${this.service.lines.slice(-5).join("\n")}`]);
    await this.town.repeatSome(40);
    await sleep(this.random.between(200, 800));
    await this.town.hold();
    await this.look();
    await this.town.end();
    const drained = await drain(this);
    this.counts.drained += drained.jobs;
    this.wrong(drained.violations.map((each) => `${this.now}: ${each}`));
    for (const watcher of this.town.watchers) {
      this.town.over = false;
      while ((await watcher.follow()) > 0);
      const rows = await this.database.alive();
      this.wrong(compareLog(watcher.seen, rows.events).map((each) => `${this.now}: ${each}`));
    }
    const ended = await Promise.race([this.service.kill("SIGTERM"), sleep(GRACE_MS)]);
    if (!ended) this.wrong([`the service did not end within ${GRACE_MS / 1_000} s of SIGTERM`]);
    else if (ended.code !== 0) this.wrong([`the service ended with ${JSON.stringify(ended)} after SIGTERM`]);
    await this.judge(await this.database.afterCrash());
  }
}

/** The last events of the jobs and tasks that a sentence names. */
const factsOf = (sentence, { events }) => {
  const job = Number(/\bjob (\d+)/.exec(sentence)?.[1]);
  const task = Number(/\btask (\d+)/.exec(sentence)?.[1]);
  const about = events.filter(
    ({ job_id, task_id }) => (job_id !== null && job_id === job) || (task_id !== null && task_id === task),
  );
  return about
    .slice(-8)
    .map(
      ({ id, at, kind, job_id, task_id, detail }) =>
        `\n      ${id} ${at} ${kind} task ${task_id} job ${job_id} ${JSON.stringify(detail)}`,
    )
    .join("");
};
