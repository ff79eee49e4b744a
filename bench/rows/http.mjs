/** The cost of the service over HTTP beside a route that does nothing, and beside a durable queue that does nothing else: all
 *  in processes of their own, the callers in the bench's. */

import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { READY_INDEX } from "../../dist/store/triggers/sets.js";
import { atLeast, atMost, count, millis, none, number, perSecond } from "../figures.mjs";
import { LEASE_MS } from "../gates.mjs";
import { load, rate, repeat, requestOf } from "../load.mjs";
import { start } from "../processes.mjs";
import { inTurn, ratios, summary, timed } from "../rounds.mjs";

export const rows = ({ deep, shallow, idle }) => [
  {
    id: "http-claim-100",
    figure: `HTTP claim with ${count(deep.jobs)} held ÷ no-op POST, 100 connections`,
    reach: { sqlite: atLeast(0.55), postgres: atLeast(0.28) },
  },
  {
    id: "http-claim-10",
    figure: `HTTP claim with ${count(deep.jobs)} held ÷ no-op POST, 10 connections`,
    reach: { sqlite: atLeast(0.3), postgres: none },
  },
  {
    id: "http-claim-queue-100",
    figure: `HTTP claim with ${count(deep.jobs)} held ÷ a bare durable SQLite queue, 100 connections`,
    reach: { sqlite: atLeast(0.55) },
  },
  {
    id: "http-claim-queue-10",
    figure: `HTTP claim with ${count(deep.jobs)} held ÷ a bare durable SQLite queue, 10 connections`,
    reach: { sqlite: atLeast(0.45) },
  },
  {
    id: "http-complete-50",
    figure: "claim + complete ÷ two no-op POSTs, 50 connections",
    reach: atLeast(0.4),
  },
  {
    id: "http-queue-304",
    figure: "GET /queue that has not changed (304) ÷ no-op GET, 100 connections",
    reach: atLeast(0.86),
  },
  { id: "memory", figure: `resident memory with ${count(deep.jobs)} jobs queued, MB`, reach: atMost(150) },
  {
    id: "metrics-depth",
    figure: `GET /metrics at ${count(deep.jobs)} waiting jobs ÷ at ${count(shallow.jobs)}`,
    reach: atMost(1.5),
  },
  {
    id: "idle-polls",
    figure: `CPU of ${count(idle.polls)} idle long polls of ${idle.waitMs / 1_000} s, % of one core`,
    reach: atMost(2),
  },
];

const SECRET = "of-the-bench-0123456789";
export const AUTHORIZED = { authorization: `Bearer ${SECRET}` };

/** The service as it is run: tokens, validation and a line of log for each request. */
export const startService = (url, logs) =>
  start("service", {
    env: {
      DATABASE_URL: url,
      PORT: "0",
      LOG_LEVEL: "info",
      SERIAL_GATE_TOKENS: `bench:${SECRET}`,
      SERIAL_GATE_LEASE_MS: String(LEASE_MS),
      // The budget of a token is counted, as it is in production, and never reached.
      SERIAL_GATE_MAX_CHANGES: "1000000",
    },
    execArgv: ["--expose-gc"],
    logs,
  });

export const ok = ({ status, body }) => {
  if (status !== 200) throw new Error(`An answer of ${status}: ${body}`);
};

/** The text of an answer to one call. */
export const call = async (service, path, method = "GET") => {
  const answer = await fetch(`${service.url}${path}`, { method, headers: AUTHORIZED });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`An answer of ${answer.status}: ${text.slice(0, 200)}`);
  return text;
};

/** A row of the times of one side over those of the other, in milliseconds. */
export const overTheOther = (id, [over, under], more = "") => ({
  id,
  samples: ratios(over, under),
  note: `${millis(summary(over).median)} ÷ ${millis(summary(under).median)}${more}`,
});

/** The job in a claim's answer. */
export const jobIn = (answer) => {
  ok(answer);
  const {
    jobs: [job],
  } = JSON.parse(answer.body);
  if (!job) throw new Error("There is nothing left to claim.");
  return job;
};

/** Callers that claim and complete in turn until the time is over. None leaves a job that it claimed: its lane would be
 *  closed.
 *  @param completion what a completion says beside its token */
export const pairs = (url, completion = {}) => {
  const claim = requestOf(url, { path: "/jobs/claim", body: { worker: "bench" }, headers: AUTHORIZED });
  return (isOver) => {
    let claiming = false;
    return (answer) => {
      if (claiming) {
        const { id, lease } = jobIn(answer);
        claiming = false;
        const body = { lease_token: lease.token, ...completion };
        return requestOf(url, { path: `/jobs/${id}/complete`, body, headers: AUTHORIZED });
      }
      if (answer) ok(answer);
      claiming = !isOver();
      return claiming ? claim : undefined;
    };
  };
};

/** The entity tag of the queue as it is, or undefined where the service gives none. */
const tagOf = async (url) => {
  const answer = await fetch(`${url}/queue`, { headers: AUTHORIZED });
  // An answer that is not read to its end delays the service's close for more than a minute.
  await answer.arrayBuffer();
  return answer.headers.get("etag") ?? undefined;
};

/** Requests a second of one over those of another, each for as long as the other.
 *  @param over the URL and the caller of each
 *  @param ofBoth how many requests make one that is counted */
export const comparison = async ({ sizes, rounds, connections }, over, under, ofBoth = 1) => {
  const sides = [over, under].map(
    ([url, caller]) =>
      (ms) =>
        rate(url, connections, caller, ms),
  );
  const forSo = (ms) => sides.map((side) => async () => (await side(ms)) / ofBoth);
  const [served, other] = await inTurn(rounds, forSo(sizes.sampleMs), forSo(sizes.warmMs));
  return {
    samples: ratios(served, other),
    note: `${perSecond(summary(served).median)} ÷ ${perSecond(summary(other).median)}`,
  };
};

/** Waits until a service has counted its whole queue once, as it does after a start. */
const firstCounts = async (service) => {
  while (!(await call(service, "/metrics")).includes("serial_gate_waiting_jobs{")) await sleep(200);
};

/** The scrapes of a service, and of one with few waiting jobs. */
const scrapes = async (deep, url, { rounds, logs }) => {
  const shallow = await startService(url, logs);
  const both = [deep, shallow];
  await Promise.all(both.map(firstCounts));
  const samples = await inTurn(
    rounds,
    both.map((service) => async () => {
      // The queue has changed since the scrape before.
      await call(service, "/jobs/claim", "POST");
      return timed(() => call(service, "/metrics"));
    }),
  );
  await shallow.stop();
  return samples;
};

/** Has the next start compare the flags of all jobs before it listens: over a million, it would do so beside the callers for
 *  a minute. */
const forgetReadyIndex = async (databases, url) => {
  const connection = await databases.connect(url);
  await connection.run(`DELETE FROM gate_settings WHERE name = '${READY_INDEX.setting}'`);
  await connection.close();
};

export async function* measure({ databases, sizes, rounds, wants, logs, folder }) {
  const deep = await databases.filled("deep");
  await forgetReadyIndex(databases, deep);
  const service = await startService(deep, logs);
  const noop = await start("noop", { logs });
  const body = { worker: "bench" };
  const nothing = requestOf(noop.url, { path: "/", body });
  const claim = requestOf(service.url, { path: "/jobs/claim", body, headers: AUTHORIZED });

  /** Beside the no-op. */
  const compare = (connections, ofService, ofNoop, ofBoth) =>
    comparison({ sizes, rounds, connections }, ofService, [noop.url, ofNoop], ofBoth);

  for (const connections of [100, 10])
    if (wants(`http-claim-${connections}`))
      yield {
        id: `http-claim-${connections}`,
        ...(await compare(connections, [service.url, repeat(claim, jobIn)], repeat(nothing, ok))),
      };
  if (wants("http-claim-queue-100") || wants("http-claim-queue-10")) {
    const jobs = [sizes.deep.jobs, 2 * sizes.free.jobs].map(String);
    const queue = await start("queue", { logs, args: [join(folder, "queue.db"), ...jobs] });
    const take = requestOf(queue.url, { path: "/", body });
    for (const connections of [100, 10])
      if (wants(`http-claim-queue-${connections}`))
        yield {
          id: `http-claim-queue-${connections}`,
          ...(await comparison(
            { sizes, rounds, connections },
            [service.url, repeat(claim, jobIn)],
            [queue.url, repeat(take, jobIn)],
          )),
        };
    await queue.stop();
  }
  if (wants("http-complete-50"))
    yield {
      id: "http-complete-50",
      ...(await compare(50, [service.url, pairs(service.url)], repeat(nothing, ok), 2)),
    };
  if (wants("memory")) {
    const samples = [];
    for (let round = 0; round < rounds; round += 1) {
      const { rss } = await service.ask("memory");
      samples.push(rss / 1e6);
    }
    yield { id: "memory", samples, unit: " MB", note: "the service's process, after the claims above" };
  }
  if (wants("metrics-depth"))
    yield overTheOther(
      "metrics-depth",
      await scrapes(service, await databases.filled("shallow"), { rounds, logs }),
    );
  if (wants("http-queue-304")) {
    const polled = await startService(await databases.filled("queue"), logs);
    const etag = await tagOf(polled.url);
    if (etag === undefined) yield { id: "http-queue-304", skipped: "not yet: GET /queue gives no ETag" };
    else {
      const unchanged = requestOf(polled.url, {
        method: "GET",
        path: "/queue",
        headers: { ...AUTHORIZED, "if-none-match": etag },
      });
      const nothingToGet = requestOf(noop.url, { method: "GET", path: "/" });
      const isUnchanged = ({ status }) => {
        if (status !== 304) throw new Error(`An answer of ${status} in the place of 304.`);
      };
      yield {
        id: "http-queue-304",
        ...(await compare(100, [polled.url, repeat(unchanged, isUnchanged)], repeat(nothingToGet, ok))),
      };
    }
    await polled.stop();
  }
  await noop.stop();
  await service.stop();
  if (wants("idle-polls")) {
    // Over a million jobs the audit after the start would still run.
    const idle = await startService(await databases.filled("crowd"), logs);
    yield { id: "idle-polls", ...(await idlePolls(idle, sizes.idle)) };
    await idle.stop();
  }
}

/** CPU of the service while workers wait for work that there is none of, each again once its time is over. They are not
 *  in step, as they would not be after a while: the first poll of each has a random part of the time, so that as many
 *  are over in a window as in any other. The mean of a few windows is then that of a minute. */
const idlePolls = async (service, { polls, waitMs, settleMs, windowMs, windows }) => {
  const poll = (wait_ms) =>
    requestOf(service.url, {
      path: "/jobs/claim",
      body: { worker: "bench", agents: ["nobody"], wait_ms },
      headers: AUTHORIZED,
    });
  const again = poll(waitMs);
  const worker = () => (answer) => {
    if (answer) ok(answer);
    return answer ? again : poll(Math.floor(Math.random() * waitMs));
  };
  const hangUp = new AbortController();
  const polling = load(service.url, polls, worker, hangUp.signal);
  await sleep(settleMs);
  const samples = [];
  for (let window = 0; window < windows; window += 1) {
    const before = await service.ask("cpu");
    const began = performance.now();
    await sleep(windowMs);
    const after = await service.ask("cpu");
    const cpuMs = (after.user + after.system - before.user - before.system) / 1_000;
    samples.push((100 * cpuMs) / (performance.now() - began));
  }
  hangUp.abort();
  await polling;
  const mean = samples.reduce((sum, sample) => sum + sample, 0) / samples.length;
  return {
    samples: [mean],
    spread: samples,
    unit: " %",
    note: `the mean; ${windows} windows of ${number(windowMs / 1_000)} s, the polls spread evenly`,
  };
};
