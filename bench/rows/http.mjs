/** What the service costs over HTTP beside a route that does nothing: both in processes of their own, the callers in
 *  the bench's. */

import { atLeast, atMost, count, none, number, perSecond } from "../figures.mjs";
import { LEASE_MS } from "../gates.mjs";
import { load, repeat, requestOf } from "../load.mjs";
import { start } from "../processes.mjs";
import { inTurn, ratios, summary } from "../rounds.mjs";

export const rows = ({ deep, idle }) => [
  {
    id: "http-claim-100",
    figure: `HTTP claim with ${count(deep.jobs)} held ÷ no-op POST, 100 connections`,
    reach: { sqlite: atLeast(0.6), postgres: atLeast(0.5) },
  },
  {
    id: "http-claim-10",
    figure: `HTTP claim with ${count(deep.jobs)} held ÷ no-op POST, 10 connections`,
    reach: { sqlite: atLeast(0.4), postgres: none },
  },
  {
    id: "http-complete-50",
    figure: "claim + complete ÷ two no-op POSTs, 50 connections",
    reach: atLeast(0.4),
  },
  {
    id: "http-queue-304",
    figure: "GET /queue that has not changed (304) ÷ no-op GET, 100 connections",
    reach: atLeast(0.8),
  },
  { id: "memory", figure: `resident memory with ${count(deep.jobs)} jobs queued, MB`, reach: atMost(200) },
  {
    id: "idle-polls",
    figure: `CPU of ${count(idle.polls)} idle long polls for ${idle.seconds} s, % of one core`,
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
    },
    execArgv: ["--expose-gc"],
    logs,
  });

const ok = ({ status, body }) => {
  if (status !== 200) throw new Error(`An answer of ${status}: ${body}`);
};

/** The job in a claim's answer. */
const jobIn = (answer) => {
  ok(answer);
  const {
    jobs: [job],
  } = JSON.parse(answer.body);
  if (!job) throw new Error("There is nothing left to claim.");
  return job;
};

/** Callers that claim and complete in turn until there were `pairs` of them.
 *  @param completion what a completion says beside its token */
export const pairs = (url, times, completion = {}) => {
  const claim = requestOf(url, { path: "/jobs/claim", body: { worker: "bench" }, headers: AUTHORIZED });
  let left = times;
  return () => {
    let completing = true;
    return (answer) => {
      if (answer && !completing) {
        const { id, lease } = jobIn(answer);
        completing = true;
        const body = { lease_token: lease.token, ...completion };
        return requestOf(url, { path: `/jobs/${id}/complete`, body, headers: AUTHORIZED });
      }
      if (answer) ok(answer);
      completing = false;
      left -= 1;
      return left >= 0 ? claim : undefined;
    };
  };
};

/** The entity tag of the queue as it is, or undefined where the service gives none. */
const tagOf = async (url) =>
  (await fetch(`${url}/queue`, { headers: AUTHORIZED })).headers.get("etag") ?? undefined;

export async function* measure({ databases, sizes, rounds, wants, logs }) {
  const service = await startService(await databases.filled("deep"), logs);
  const noop = await start("noop", { logs });
  const body = { worker: "bench" };
  const nothing = requestOf(noop.url, { path: "/", body });
  const claim = requestOf(service.url, { path: "/jobs/claim", body, headers: AUTHORIZED });

  /** Requests a second of the service over those of the no-op. */
  const compare = async (requests, ofService, ofNoop) => {
    const rate = (step) => async () => (requests * 1_000) / (await step());
    const [served, idle] = await inTurn(rounds, [rate(ofService), rate(ofNoop)]);
    return {
      samples: ratios(served, idle),
      note: `${perSecond(summary(served).median)} ÷ ${perSecond(summary(idle).median)}`,
    };
  };

  for (const connections of [100, 10])
    if (wants(`http-claim-${connections}`))
      yield {
        id: `http-claim-${connections}`,
        ...(await compare(
          sizes.requests,
          () => load(service.url, connections, repeat(claim, sizes.requests, jobIn)),
          () => load(noop.url, connections, repeat(nothing, sizes.requests, ok)),
        )),
      };
  if (wants("http-complete-50"))
    yield {
      id: "http-complete-50",
      ...(await compare(
        sizes.requests / 2,
        () => load(service.url, 50, pairs(service.url, sizes.requests / 2)),
        () => load(noop.url, 50, repeat(nothing, sizes.requests, ok)),
      )),
    };
  if (wants("memory")) {
    const samples = [];
    for (let round = 0; round < rounds; round += 1) {
      const { rss } = await service.ask("memory");
      samples.push(rss / 1e6);
    }
    yield { id: "memory", samples, unit: " MB", note: "the service's process, after the claims above" };
  }
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
        ...(await compare(
          sizes.requests,
          () => load(polled.url, 100, repeat(unchanged, sizes.requests, isUnchanged)),
          () => load(noop.url, 100, repeat(nothingToGet, sizes.requests, ok)),
        )),
      };
    }
    await polled.stop();
  }
  if (wants("idle-polls")) yield { id: "idle-polls", ...(await idlePolls(service, sizes.idle)) };
  await noop.stop();
  await service.stop();
}

/** Waits for work that there is none of, as `polls` workers do, each again once its time is over. */
const idlePolls = async (service, { polls, seconds, samples: wanted }) => {
  const windowMs = (seconds * 1_000) / wanted;
  const wait_ms = Math.min(60_000, seconds * 1_000);
  const poll = requestOf(service.url, {
    path: "/jobs/claim",
    body: { worker: "bench", agents: ["nobody"], wait_ms },
    headers: AUTHORIZED,
  });
  const hangUp = new AbortController();
  // Each polls again as soon as it is answered, for as long as there are windows.
  const polling = load(service.url, polls, repeat(poll, Infinity, ok), hangUp.signal);
  const sleep = (ms) => new Promise((wake) => setTimeout(wake, ms));
  // All have come, and each comes once more within the time that counts.
  await sleep(Math.min(5_000, windowMs));
  const samples = [];
  for (let window = 0; window < wanted; window += 1) {
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
    note: `the mean; ${wanted} windows of ${number(windowMs / 1_000)} s, ${polls} polls of ${wait_ms / 1_000} s`,
  };
};
