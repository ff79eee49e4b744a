/** npm run fuzz: requests that openapi.yaml allows, nearly allows, and would never think of; each answer is held against it. */

import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { connectionsTo } from "../http.mjs";
import { randomFrom } from "../random.mjs";
import { freePort, startService } from "../service.mjs";
import { openServer, postgresDatabase } from "../databases/postgres.mjs";
import { callersIn } from "./callers.mjs";
import { checkAnswer } from "./check.mjs";
import { readDescription } from "./description.mjs";
import { requestsFrom } from "./requests.mjs";
import { judgeRaw, sendRaw, SMUGGLED_REPO } from "./sockets.mjs";

const USAGE = `npm run fuzz -- [--requests N] [--database sqlite|postgres] [--seed SEED] [--minutes M]

  --requests  how many requests (3000)
  --database  where the service keeps its rows (sqlite)
  --seed      the requests of a run; what the answers to them make known goes into later ones`;

/** A service and its database are used for so many requests: the queue stays short. */
const CHAPTER = 10_000;
const AT_ONCE = 4;
const KNOWN = 200;
/** One request in so many is made while nobody else calls, to see whether a refusal changed anything. */
const STILL_EVERY = 25;
const RAW_EVERY = 40;
const SHOWN = 10;
/** A run ends when it has found so many. */
const ENOUGH = 3;
/** Memory after the first chapters may grow by so much, in bytes. */
const GROWTH = 160e6;

const { values } = parseArgs({
  options: {
    requests: { type: "string", default: "3000" },
    database: { type: "string", default: "sqlite" },
    seed: { type: "string" },
    minutes: { type: "string", default: "1000" },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  console.log(USAGE);
  process.exit(0);
}
const seed = values.seed ?? String(Date.now() % 1_000_000);
const until = Date.now() + Number(values.minutes) * 60_000;
const description = readDescription();
const folder = mkdtempSync(join(tmpdir(), "serial-gate-fuzz-"));
const counts = { requests: 0, raw: 0, still: 0, dropped: 0, kinds: {}, statuses: {}, operations: {} };
const violations = [];
const began = Date.now();

const add = (of, name) => (of[name] = (of[name] ?? 0) + 1);
const wrong = (request, sentence) =>
  violations.push(
    `${request.method} ${request.path.slice(0, 300)} ${(request.body ?? "").slice(0, 300)}\n      ${sentence}`,
  );
/** Where the system tells it: on Linux. */
const residentBytes = (pid) => {
  const file = `/proc/${pid}/status`;
  return existsSync(file) ? Number(/VmRSS:\s+(\d+)/.exec(readFileSync(file, "utf8"))?.[1] ?? 0) * 1_024 : 0;
};

const keep = (list, value) => {
  list.push(value);
  if (list.length > KNOWN) list.splice(0, KNOWN / 2);
};

/** Learns from an answer what later requests can name. */
const learn = (known, { body }, request) => {
  if (body === null || typeof body !== "object" || body.dry_run) return;
  if (body.task?.id) {
    keep(known.tasks, body.task.id);
    if (body.task.work_item_id) keep(known.workItems, body.task.work_item_id);
  }
  if (body.job?.id) keep(known.jobs, body.job.id);
  if (request.operation?.id === "claimJobs")
    for (const { id, lease } of body.jobs ?? []) keep(known.leases, { job: id, token: lease.token });
  if (request.headers["idempotency-key"]) keep(known.keys, request.headers["idempotency-key"]);
};

const chapter = async (number, requests, openDatabase) => {
  const random = randomFrom(`${seed}/${number}`);
  const port = await freePort();
  const tokens = join(folder, `tokens-${number}.json`);
  const callers = callersIn(tokens);
  const database = await openDatabase(number);
  const service = startService({
    port,
    env: {
      DATABASE_URL: database.url,
      SERIAL_GATE_TOKENS_FILE: tokens,
      SERIAL_GATE_RETRY_MS: "50",
      SERIAL_GATE_PROJECTS: "",
      LOG_LEVEL: "error",
    },
  });
  if (!(await service.ready())) throw new Error(`The service does not start: ${service.lines.join("\n")}`);
  const { call, close } = connectionsTo(port);
  const known = { tasks: [], jobs: [], leases: [], workItems: [], keys: [] };
  const next = requestsFrom(random, known, description);
  const asRoot = (method, path, body) =>
    call({ method, path, body, headers: { authorization: `Bearer ${callers.root}` } });

  const send = async (request) => {
    const { caller } = request;
    const headers = {
      ...(caller.secret === undefined ? {} : { authorization: `Bearer ${caller.secret}` }),
      ...request.headers,
    };
    // Bytes as they are: the helper for clients would make JSON of them.
    return sendBytes(call, port, { ...request, headers });
  };

  const one = async (request) => {
    counts.requests += 1;
    add(counts.kinds, request.kind);
    add(counts.operations, request.operation?.id ?? "none");
    try {
      const answer = await send(request);
      add(counts.statuses, answer.status);
      for (const sentence of checkAnswer(request, answer, description)) wrong(request, sentence);
      if (answer.status < 300) learn(known, answer, request);
      return answer;
    } catch (error) {
      // A stream has no end, and a refused body may be cut off before it is sent.
      if (error.isExpected) return undefined;
      counts.dropped += 1;
      if (!request.isHuge) wrong(request, `no answer: ${error.message}`);
      return undefined;
    }
  };

  /** Reads the event log on from where it was read before. */
  let cursor = 0;
  const newEvents = async () => {
    const events = [];
    for (;;) {
      const { body } = await asRoot("GET", `/events?after=${cursor}&limit=500`);
      if (body.events.length === 0) return events;
      events.push(...body.events);
      cursor = body.next_cursor;
    }
  };

  /** A refused request changes nothing but what falls due by itself. */
  const still = async (request) => {
    counts.still += 1;
    const revision = async () => (await asRoot("GET", "/queue")).body.revision;
    await newEvents();
    const before = await revision();
    const answer = await one(request);
    if (!answer || answer.status < 400 || (await revision()) === before) return;
    const left = (await newEvents()).filter(({ actor }) => actor !== "serial-gate").map(({ kind }) => kind);
    if (left.length > 0) wrong(request, `it was refused (${answer.status}) and left ${left.join(", ")}`);
  };

  let left = requests;
  let rss = 0;
  const alive = () => !service.end && violations.length < ENOUGH && Date.now() < until;
  while (left > 0 && alive()) {
    const many = Math.min(left, STILL_EVERY);
    left -= many;
    const batch = Array.from({ length: many }, () => ({ ...next(), caller: callers.choose(random) }));
    let at = 0;
    const lane = async () => {
      while (at < batch.length && alive()) await one(batch[at++]);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, lane));
    await still({ ...next(), caller: callers.choose(random) });
    left -= 1;
    if (random.chance((100 * STILL_EVERY) / RAW_EVERY)) {
      counts.raw += 1;
      const raw = await sendRaw(random, port);
      const sentence = judgeRaw(raw, description.problem);
      if (sentence)
        wrong({ method: "raw", path: JSON.stringify(raw.sent.toString("latin1").slice(0, 200)) }, sentence);
    }
    rss = Math.max(rss, residentBytes(service.pid));
  }
  if (service.end)
    violations.push(
      `the service ended by itself: ${JSON.stringify(service.end)} ${service.lines.slice(-10).join("\n")}`,
    );
  else {
    const { body } = await asRoot("GET", "/queue");
    if (body.serial_gate.per_repo[SMUGGLED_REPO]) violations.push("a smuggled request was carried out");
    close();
    const ended = await Promise.race([service.kill("SIGTERM"), sleep(15_000)]);
    if (ended?.code !== 0) violations.push(`the service ended with ${JSON.stringify(ended)} after SIGTERM`);
  }
  await service.kill();
  await database.remove();
  return rss;
};

/** Sends the body as the bytes that it is. A stream is left after its first moment. */
const sendBytes = async (call, port, request) => {
  const isStream = request.path.startsWith("/events/stream");
  try {
    return await call({
      ...request,
      text: request.body,
      body: undefined,
      hangUpMs: isStream ? 150 : undefined,
    });
  } catch (error) {
    // The library for HTTP does not send everything: sockets.mjs does.
    if ((isStream && error.hungUp) || /^ERR_/.test(error.code)) error.isExpected = true;
    throw error;
  }
};

const server = values.database === "postgres" ? await openServer() : undefined;
const openDatabase = async (number) =>
  server
    ? postgresDatabase({ server, url: server.url }, `fuzz_${number}`)
    : {
        url: `file:${join(folder, `${number}.db`)}`,
        remove: async () => rmSync(join(folder, `${number}.db`), { force: true }),
      };

console.log(`seed ${seed}`);
const memory = [];
for (
  let left = Number(values.requests), n = 1;
  left > 0 && violations.length === 0 && Date.now() < until;
  n += 1
) {
  memory.push(await chapter(n, Math.min(left, CHAPTER), openDatabase));
  left -= CHAPTER;
  console.log(
    `${counts.requests} requests, ${Math.round(memory.at(-1) / 1e6)} MB at most in this service, ${violations.length} violations`,
  );
}
if (Math.max(...memory) - memory[0] > GROWTH)
  violations.push(`memory is not flat: ${memory.map((bytes) => Math.round(bytes / 1e6)).join(", ")} MB`);
await server?.remove();
rmSync(folder, { recursive: true, force: true });

const list = (of) =>
  Object.entries(of)
    .sort()
    .map(([name, count]) => `${name} ${count}`)
    .join(", ");
console.log(
  `\n${counts.requests} requests and ${counts.raw} of raw bytes in ${Math.round((Date.now() - began) / 1_000)} s on ${values.database}`,
);
console.log(`  kinds: ${list(counts.kinds)}`);
console.log(`  statuses: ${list(counts.statuses)}`);
console.log(`  operations: ${list(counts.operations)}`);
console.log(
  `  ${counts.still} looks whether a refusal changed anything; ${counts.dropped} connections ended without an answer`,
);
if (violations.length === 0)
  console.log(
    `  0 of ${counts.requests} requests broke a promise: at most ${(300 / counts.requests).toPrecision(2)} % do, at 95 %`,
  );
console.log(`\n${violations.length} violations`);
for (const sentence of violations.slice(0, SHOWN)) console.log(`  ${sentence}`);
if (violations.length > 0) console.log(`Again: npm run fuzz -- --requests ${values.requests} --seed ${seed}`);
process.exit(violations.length > 0 ? 1 : 0);
