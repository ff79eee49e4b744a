import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import Database from "better-sqlite3";
import { expect, it, onTestFinished } from "vitest";
import { sleep } from "../../support/calls.ts";
import { temporaryFolder } from "../../support/folder.ts";
import { startProgram, type Running } from "../../support/process.ts";

/** Resident memory that a service may take under any flood of this file. */
const MOST_MB = 400;

interface Service {
  readonly url: string;
  readonly port: number;
  readonly path: string;
  readonly process: Running;
  /** The most resident memory so far, in MB. */
  readonly peak: () => number;
}

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
};

/** The built service in a process of its own, so that its memory is its own. */
const startAlone = async (): Promise<Service> => {
  const port = await freePort();
  const folder = temporaryFolder();
  const path = join(folder, "gate.db");
  const env = { PATH: process.env.PATH, PORT: String(port), DATABASE_URL: `file:${path}`, LOG_LEVEL: "warn" };
  const running = startProgram(["serve"], env, folder);
  onTestFinished(async () => {
    running.kill("SIGKILL");
    await running.ended;
  });
  const url = `http://127.0.0.1:${port}`;
  await expect
    .poll(
      () =>
        fetch(`${url}/livez`).then(
          ({ ok }) => ok,
          () => false,
        ),
      { timeout: 20_000 },
    )
    .toBe(true);
  return {
    url,
    port,
    path,
    process: running,
    peak: () =>
      Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${running.pid}/status`, "utf8"))?.[1]) / 1024,
  };
};

/** Callers that ask and read nothing. */
const askAndNotRead = ({ port }: Service, requests: readonly string[]): readonly Socket[] =>
  requests.map((text) => {
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => undefined);
    socket.pause();
    socket.write(text);
    onTestFinished(() => {
      socket.destroy();
    });
    return socket;
  });

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n`;

/** A task, its claim and its end, and the probes. */
const work = async ({ url }: Service, repo: string): Promise<void> => {
  const post = async (path: string, body: object) => {
    const answer = await fetch(url + path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    expect(answer.ok).toBe(true);
    return (await answer.json()) as { jobs: { id: number; lease: { token: string } }[] };
  };
  await post("/tasks", { repo, work_item_id: "W-1" });
  const [job] = (await post("/jobs/claim", { repos: [repo] })).jobs;
  await post(`/jobs/${job?.id ?? 0}/complete`, { lease_token: job?.lease.token, stage: "done" });
  for (const path of ["/readyz", "/livez"]) expect((await fetch(url + path)).ok).toBe(true);
};

const stop = async ({ process: running }: Service): Promise<void> => {
  const began = performance.now();
  running.kill("SIGTERM");
  expect((await running.ended).code).toBe(0);
  expect(performance.now() - began).toBeLessThan(10_000);
};

const hasProc = process.platform === "linux";

it.runIf(hasProc)(
  "serves others, and stays small, while many readers of a large history take nothing",
  { timeout: 90_000 },
  async () => {
    const service = await startAlone();
    const db = new Database(service.path);
    const insert = db.prepare(
      "INSERT INTO gate_events(at, kind, repo, reason) VALUES ('2026-11-25 10:00:00.000', 'repo.frozen', ?, ?)",
    );
    for (let n = 0; n < 120; n += 1) insert.run(`f/${n}`, "y".repeat(99_000));
    db.close();
    const paths = ["/events/stream?after=0", "/events?limit=500"];
    askAndNotRead(
      service,
      Array.from({ length: 150 }, (_, n) => get(paths[n % 2] ?? "")),
    );
    for (let n = 0; n < 5; n += 1) {
      await sleep(1_000);
      await work(service, `acme/w${n}`);
    }
    expect(service.peak()).toBeLessThan(MOST_MB);
    await stop(service);
  },
);

it.runIf(hasProc)(
  "serves others, and stays small, while connections send many requests for the queue and read none",
  { timeout: 90_000 },
  async () => {
    const service = await startAlone();
    const db = new Database(service.path);
    db.exec(`WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 9999)
      INSERT INTO tasks(repo, work_item_id, stage) SELECT 'acme/r' || (i % 100), 'W-' || i, 'analysis' FROM n`);
    db.exec("INSERT INTO jobs(agent, repo, task_id) SELECT 'analyst', repo, id FROM tasks ORDER BY id");
    db.close();
    askAndNotRead(
      service,
      Array.from({ length: 50 }, () => get("/queue").repeat(20)),
    );
    for (let n = 0; n < 5; n += 1) {
      await sleep(500);
      await work(service, `probe/w${n}`);
    }
    expect(service.peak()).toBeLessThan(MOST_MB);
    await stop(service);
  },
);

it(
  "cuts a caller that takes nothing of its stream for half a minute, and no idle long poll",
  { timeout: 90_000 },
  async () => {
    const service = await startAlone();
    const db = new Database(service.path);
    const insert = db.prepare(
      "INSERT INTO gate_events(at, kind, repo, reason) VALUES ('2026-11-25 10:00:00.000', 'repo.frozen', 'f/1', ?)",
    );
    for (let n = 0; n < 120; n += 1) insert.run("y".repeat(99_000));
    db.close();
    const poll = fetch(`${service.url}/jobs/claim`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ wait_ms: 40_000 }),
    });
    const [reader] = askAndNotRead(service, [get("/events/stream?after=0")]);
    await sleep(42_000);
    // A stream that is still open would send the rest of the history, and stay open.
    const closed = new Promise((close) => reader?.once("close", close));
    reader?.resume();
    await closed;
    expect((await poll).status).toBe(200);
  },
);
