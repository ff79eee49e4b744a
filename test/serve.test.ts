import { execFileSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { Agent } from "node:http";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import type { Claim } from "../src/contract/jobs.ts";
import type { Queue } from "../src/contract/queue.ts";
import { isolatedRepos, expectProblem, sleep, timed } from "./support/calls.ts";
import { temporaryFolder } from "./support/folder.ts";
import { startProgram, startScript, type Ended, type Running } from "./support/process.ts";
import { callRaw } from "./support/raw.ts";
import { startService } from "./support/service.ts";

interface Serving extends Running {
  readonly url: string;
}

/** `serial-gate serve` on a free port, once it answers; gone when the test ends. */
const serving = async (env: NodeJS.ProcessEnv, folder = temporaryFolder()): Promise<Serving> => {
  const running = startProgram(["serve"], { PORT: "0", ...env }, folder);
  onTestFinished(async () => {
    running.kill("SIGKILL");
    await running.ended;
  });
  await running.lines(1);
  const [url] = /http:\/\/\S+/.exec(running.heard.stdout) ?? [];
  if (url === undefined) throw new Error(`It did not start: ${running.heard.stderr}`);
  return { ...running, url };
};

const post = async <Body>(url: string, body: unknown = {}): Promise<Body> => {
  const headers = { "content-type": "application/json" };
  const response = await fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
  expect(response.ok).toBe(true);
  return (await response.json()) as Body;
};

const queueOf = async (url: string): Promise<Queue> => (await (await fetch(`${url}/queue`)).json()) as Queue;

const logged = (stderr: string): Record<string, unknown>[] =>
  stderr
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Record<string, unknown>);

it("prints one line with its address and its database", async () => {
  const folder = temporaryFolder();
  const { url, heard } = await serving({ DATABASE_URL: "file:./gate.db" }, folder);
  expect(heard.stdout.split("\n")).toHaveLength(2);
  expect(heard.stdout).toContain(`${url} on file:./gate.db`);
  expect(url).toMatch(/^http:\/\/127\.0\.0\.1:[1-9]\d+$/);
  expect(existsSync(join(folder, "gate.db"))).toBe(true);
  expect(await (await fetch(`${url}/livez`)).json()).toEqual({ status: "ok" });
  expect(heard.stdout.split("\n")).toHaveLength(2);
});

it.each([
  ["without tokens", {}],
  ["with tokens", { SERIAL_GATE_TOKENS: "night:0123456789abcdef" }],
])("prints a first call that works as it is written, %s", async (_, env) => {
  const { heard } = await serving(env);
  const [, curl = ""] = /or try: (curl .*)\)/.exec(heard.stdout) ?? [];
  const answer = execFileSync("sh", ["-c", curl], {
    env: { PATH: process.env.PATH, SERIAL_GATE_TOKEN: "0123456789abcdef" },
    stdio: ["ignore", "pipe", "ignore"],
    encoding: "utf8",
  });
  expect(JSON.parse(answer)).toEqual({ jobs: [], degraded: false });
});

it("creates the folder of its database", async () => {
  const folder = temporaryFolder();
  await serving({}, folder);
  expect(existsSync(join(folder, "data", "serial-gate.db"))).toBe(true);
});

it("reads .env of the working folder, below the environment", async () => {
  const folder = temporaryFolder();
  const lines = [
    "# the orchestrator's",
    "ORCH_SERIAL_GATE_REPOS=acme/web",
    "DATABASE_URL='file:./from-dot-env.db'",
    "SERIAL_GATE_PROJECTS=acme/of-the-file",
    'ORCH_SERIAL_GATE_PAUSE_ENABLED="false"',
    "PORT=1",
  ];
  writeFileSync(join(folder, ".env"), `${lines.join("\n")}\n`);
  const { url } = await serving({ PORT: "0", SERIAL_GATE_PROJECTS: "acme/of-the-environment" }, folder);
  const { serial_gate } = await queueOf(url);
  expect(serial_gate).toMatchObject({ repos: "acme/web", pause_enabled: false });
  expect(Object.keys(serial_gate.per_repo)).toEqual(["acme/of-the-environment"]);
  expect(existsSync(join(folder, "from-dot-env.db"))).toBe(true);
});

it("logs one line of JSON for each request to stderr", async () => {
  const { url, heard } = await serving({});
  await post(`${url}/jobs/claim`);
  await fetch(`${url}/tasks/0`, { headers: { "x-request-id": "a-bad-one" } });
  const requests = () => logged(heard.stderr).filter(({ msg }) => msg === "request");
  await expect.poll(() => requests().length).toBe(2);
  expect(requests()).toMatchObject([
    { method: "POST", url: "/jobs/claim", status: 200, ms: expect.any(Number) as unknown },
    { method: "GET", url: "/tasks/0", status: 400, reqId: "a-bad-one" },
  ]);
});

it("keeps everything on the same file after a stop and after a kill", async () => {
  const env = { DATABASE_URL: "file:./gate.db" };
  const folder = temporaryFolder();
  const first = await serving(env, folder);
  const created = await post(`${first.url}/tasks`, { repo: "acme/web", work_item_id: "WEB-1" });
  await post(`${first.url}/freeze?repo=acme/web`, { reason: "kept" });
  first.kill("SIGTERM");
  await first.ended;

  const second = await serving(env, folder);
  expect(await (await fetch(`${second.url}/tasks/1`)).json()).toMatchObject({
    task: (created as { task: object }).task,
  });
  await post(`${second.url}/unfreeze?repo=acme/web`);
  const { jobs } = await post<Claim>(`${second.url}/jobs/claim`);
  second.kill("SIGKILL");
  await second.ended;

  const third = await serving(env, folder);
  const { revision, jobs: counts } = await queueOf(third.url);
  expect(counts).toMatchObject({ queued: 0, running: 1 });
  expect(revision).toBeGreaterThan(0);
  const [job] = jobs;
  const lease = { lease_token: job?.lease.token };
  expect(await post(`${third.url}/jobs/${job?.id ?? ""}/complete`, lease)).toMatchObject({
    job: { status: "done" },
  });
});

describe("failed start", () => {
  const ending = async (env: NodeJS.ProcessEnv, args = ["serve"]): Promise<Ended> => {
    const running = startProgram(args, { PORT: "0", ...env }, temporaryFolder());
    // One that starts all the same is stopped, so that the test says so.
    void running.lines(1).then(() => {
      running.kill("SIGTERM");
    });
    return running.ended;
  };

  it("names every invalid variable in one message and exits with 78", async () => {
    const { code, stdout, stderr } = await ending({
      PORT: "eighty",
      DATABASE_URL: "mysql://nowhere",
      LOG_LEVEL: "loud",
      SERIAL_GATE_ENABLED: "maybe",
      ORCH_TASK_DEPS_ENABLED: "2",
      SERIAL_GATE_LEASE_MS: "10",
      SERIAL_GATE_MAX_ATTEMPTS: "0",
      SERIAL_GATE_TOKENS: "night:short",
    });
    expect(code).toBe(78);
    expect(stdout).toBe("");
    const [headline, ...faults] = stderr.trimEnd().split("\n");
    expect(headline).toBe("The configuration is invalid:");
    expect(faults.map((line) => line.trim().split(/[: ]/)[0]).sort()).toEqual([
      "DATABASE_URL",
      "LOG_LEVEL",
      "PORT",
      "SERIAL_GATE_ENABLED",
      "SERIAL_GATE_LEASE_MS",
      "SERIAL_GATE_MAX_ATTEMPTS",
      "SERIAL_GATE_TOKENS",
      "TASK_DEPS_ENABLED",
    ]);
    expect(stderr).toContain('PORT is "eighty": expected a whole number from 0 to 65535');
    expect(stderr).not.toContain("short");
  });

  it.each<[string, NodeJS.ProcessEnv, string]>([
    ["on every address without tokens", { HOST: "0.0.0.0" }, "SERIAL_GATE_TOKENS"],
    ["on an address of the network without tokens", { HOST: "10.0.0.7" }, "SERIAL_GATE_TOKENS"],
    ["on every address of IPv6 without tokens", { HOST: "::" }, "SERIAL_GATE_TOKENS"],
    ["with a scope that has no valid name", { SERIAL_GATE_REPOS: "acme web" }, "SERIAL_GATE_REPOS"],
    ["with a scope of commas", { SERIAL_GATE_REPOS: " , ," }, "SERIAL_GATE_REPOS"],
    [
      "with a scope of the orchestrator's that has no valid name",
      { ORCH_SERIAL_GATE_REPOS: "a b, c d" },
      "SERIAL_GATE_REPOS",
    ],
  ])("exits with 78 %s", async (_, env, variable) => {
    const { code, stdout, stderr } = await ending(env);
    expect(code).toBe(78);
    expect(stdout).toBe("");
    expect(stderr).toContain(variable);
    expect(stderr.trimEnd().split("\n")).toHaveLength(2);
  });

  it("exits with 1 and names the port that is in use", async () => {
    const taken = createServer();
    await new Promise<void>((listening) => taken.listen(0, "127.0.0.1", listening));
    onTestFinished(() => void taken.close());
    const port = String((taken.address() as AddressInfo).port);
    const { code, stdout, stderr } = await ending({ PORT: port, LOG_LEVEL: "warn" });
    expect(code).toBe(1);
    expect(stdout).toBe("");
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
    expect(stderr).toBe(`Port ${port} is in use. Set PORT to a free one.\n`);
  });

  it.each<[string, (folder: string) => string]>([
    ["a folder", (folder) => folder],
    [
      "no database",
      (folder) => {
        const file = join(folder, "words.txt");
        writeFileSync(file, "these are words and no database, however long one reads on and on\n".repeat(99));
        return file;
      },
    ],
    [
      "below a file",
      (folder) => {
        const file = join(folder, "file");
        writeFileSync(file, "");
        return join(file, "gate.db");
      },
    ],
  ])("exits with 1 and names a database that is %s", async (_, make) => {
    const path = make(temporaryFolder());
    const { code, stdout, stderr } = await ending({ DATABASE_URL: `file:${path}` });
    expect(code).toBe(1);
    expect(stdout).toBe("");
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
    expect(stderr).toContain(path);
  });

  it.each([
    [["serv"], "serv"],
    [["serve", "--port", "1"], "--port"],
  ])("exits with 2 for the arguments %j and names the unknown one", async (args, word) => {
    const { code, stderr } = await ending({}, args);
    expect(code).toBe(2);
    expect(stderr).toContain(word);
  });
});

it("warns about the invalid names of a scope and serves the others", async () => {
  const { url, heard } = await serving({ SERIAL_GATE_REPOS: "acme/web,acme web,orchestrator" });
  expect((await queueOf(url)).serial_gate.repos).toBe("acme/web,orchestrator");
  const warnings = logged(heard.stderr).filter(({ level }) => level === 40);
  expect(warnings).toMatchObject([
    { msg: 'SERIAL_GATE_REPOS: "acme web" is not a repository name and is ignored.' },
  ]);
});

it("warns about a misspelt switch", async () => {
  const { heard } = await serving({ SERIAL_GATE_ENABELD: "false" });
  expect(logged(heard.stderr).filter(({ level }) => level === 40)).toMatchObject([
    { msg: expect.stringContaining("SERIAL_GATE_ENABELD") as unknown },
  ]);
});

it("listens on every address when there are tokens", async () => {
  const { url } = await serving({ HOST: "0.0.0.0", SERIAL_GATE_TOKENS: "night:0123456789abcdef" });
  const here = url.replace("0.0.0.0", "127.0.0.1");
  expect((await fetch(`${here}/queue`)).status).toBe(401);
  const headers = { authorization: "Bearer 0123456789abcdef" };
  expect((await fetch(`${here}/queue`, { headers })).status).toBe(200);
});

describe("stop", () => {
  const stopping = async (running: Serving, signal: NodeJS.Signals = "SIGTERM") => {
    running.kill(signal);
    const { value, ms } = await timed(running.ended);
    expect(value).toMatchObject({ code: 0, signal: null });
    return ms;
  };

  it.each(["SIGTERM", "SIGINT"] as const)(
    "exits with 0 within a second after %s when idle",
    async (signal) => {
      expect(await stopping(await serving({}), signal)).toBeLessThan(1_000);
    },
  );

  it("stops without waiting for kept-alive connections", async () => {
    const running = await serving({});
    const agents = Array.from({ length: 5 }, () => new Agent({ keepAlive: true, maxSockets: 1 }));
    for (const agent of agents)
      expect(await callRaw(`${running.url}/livez`, { method: "GET", agent })).toMatchObject({ status: 200 });
    expect(await stopping(running)).toBeLessThan(1_000);
    for (const agent of agents) agent.destroy();
  });

  it("answers waiting claims with no job when it stops", async () => {
    const running = await serving({});
    const agent = new Agent({ keepAlive: true });
    const waiting = Array.from({ length: 3 }, () =>
      callRaw(`${running.url}/jobs/claim`, {
        agent,
        headers: { "content-type": "application/json" },
        parts: [JSON.stringify({ wait_ms: 60_000 })],
      }),
    );
    // Until they wait, on a busy machine: a connection that comes while the service stops is closed.
    await sleep(2_000);
    const ms = await stopping(running);
    for (const answer of await Promise.all(waiting))
      expect(answer).toMatchObject({ status: 200, body: { jobs: [], degraded: false } });
    expect(ms).toBeLessThan(1_000);
    agent.destroy();
  });

  it("loses no acknowledged change when it stops under load", async () => {
    const folder = temporaryFolder();
    const env = { DATABASE_URL: "file:./gate.db" };
    const running = await serving(env, folder);
    const created: number[] = [];
    const writing = Promise.all(
      Array.from({ length: 20 }, async (_, lane) => {
        for (let n = 0; ; n += 1) {
          const task = { repo: `acme/r${lane}`, work_item_id: `T-${n}` };
          try {
            created.push((await post<{ task: { id: number } }>(`${running.url}/tasks`, task)).task.id);
          } catch {
            return;
          }
        }
      }),
    );
    await sleep(300);
    await stopping(running);
    await writing;
    const again = await serving(env, folder);
    expect(created.length).toBeGreaterThan(0);
    for (const id of created) expect((await fetch(`${again.url}/tasks/${id}`)).status).toBe(200);
  });
});

const held = async (path: string, ms: number): Promise<Running> => {
  const holder = startScript("lock-holder.mjs", [path, String(ms)]);
  await holder.lines(1);
  expect(holder.heard.stdout).toBe("held\n");
  return holder;
};

it("makes a change after another program held the database for a moment", async () => {
  const service = await startService();
  const { add } = isolatedRepos(service);
  const holder = await held(service.databaseUrl.replace("file:", ""), 1_000);
  expect((await add("WEB-1")).task.work_item_id).toBe("WEB-1");
  await holder.ended;
});

it("answers 503 to changes while another program holds the database, and keeps reading", async () => {
  const service = await startService();
  const { web, add, claim } = isolatedRepos(service);
  await add("WEB-1");
  const holder = await held(service.databaseUrl.replace("file:", ""), 60_000);
  const changes = [
    service.post("/tasks", { repo: web, work_item_id: "WEB-2" }),
    service.post("/jobs/claim", { repos: [web] }),
    service.post(`/freeze?repo=${web}`),
  ];
  expect((await service.get<Queue>(`/queue?repo=${web}`)).body.jobs.queued).toBe(1);
  expect((await service.get("/readyz")).status).toBe(200);
  for (const answer of await Promise.all(changes)) {
    expectProblem(answer, { status: 503, code: "storage_busy" });
    expect(answer.headers.get("retry-after")).toBe("1");
  }
  holder.kill("SIGKILL");
  await holder.ended;
  expect((await service.get("/tasks")).body).toMatchObject({ tasks: [{ work_item_id: "WEB-1" }] });
  expect(await claim()).toHaveLength(1);
});
