import { connect } from "node:net";
import Database from "better-sqlite3";
import { expect, it, onTestFinished, vi } from "vitest";
import type { Queue } from "../../src/contract/queue.ts";
import { Gate } from "../../src/gate/gate.ts";
import { startService, type TestService } from "../support/service.ts";

/** Tasks that wait, written by another program. */
const fill = ({ databaseUrl }: TestService, lanes: number, tasks: number): void => {
  const db = new Database(databaseUrl.replace("file:", ""));
  db.exec(`WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ${tasks - 1})
    INSERT INTO tasks(repo, work_item_id, stage) SELECT 'acme/r' || (i % ${lanes}), 'W-' || i, 'analysis' FROM n`);
  db.exec(`INSERT INTO jobs(agent, repo, task_id) SELECT 'analyst', repo, id FROM tasks ORDER BY id`);
  db.close();
};

it("computes the queue once for all who ask for one revision at a time, and once for all who ask for the next", async () => {
  const service = await startService();
  fill(service, 20, 2_000);
  const compute = vi.spyOn(Gate.prototype, "queueTexts");
  onTestFinished(() => {
    compute.mockRestore();
  });
  const all = () => Promise.all(Array.from({ length: 30 }, () => service.get<Queue>("/queue")));
  const first = await all();
  expect(new Set(first.map(({ body }) => body.generated_at)).size).toBe(1);
  expect(compute).toHaveBeenCalledTimes(1);
  await all();
  expect(compute).toHaveBeenCalledTimes(1);
  await service.post("/tasks", { repo: "acme/new", work_item_id: "N-1" });
  for (const { body } of await all()) expect(Object.keys(body.serial_gate.per_repo)).toContain("acme/new");
  expect(compute.mock.calls.length).toBeLessThanOrEqual(3);
});

it("shows every caller its own change, however many callers share an answer", async () => {
  const service = await startService();
  fill(service, 20, 2_000);
  const write = async (n: number): Promise<void> => {
    await service.post("/tasks", { repo: `acme/mine-${n}`, work_item_id: "M" });
    const { body } = await service.get<Queue>("/queue");
    expect(body.serial_gate.per_repo[`acme/mine-${n}`]?.waiting).toHaveLength(1);
  };
  await Promise.all(Array.from({ length: 20 }, (_, n) => write(n)));
});

it("abandons the queue when all who asked for it have hung up, and computes it for the next caller", async () => {
  const service = await startService();
  fill(service, 200, 20_000);
  const compute = vi.spyOn(Gate.prototype, "queueTexts");
  onTestFinished(() => {
    compute.mockRestore();
  });
  const hangUp = new AbortController();
  const left = Array.from({ length: 5 }, () =>
    fetch(`${service.service.url}/queue`, { signal: hangUp.signal }).catch(() => undefined),
  );
  await expect.poll(() => compute.mock.calls.length).toBe(1);
  hangUp.abort();
  await Promise.all(left);
  await expect(compute.mock.results[0]?.value).rejects.toMatchObject({ kind: "abandoned" });
  expect((await service.get<Queue>("/queue")).body.jobs.queued).toBe(20_000);
});

it("works on one of the requests that a connection sends at once, and answers them all in order", async () => {
  const service = await startService();
  fill(service, 20, 2_000);
  const { hostname, port } = new URL(service.service.url);
  const compute = vi.spyOn(Gate.prototype, "queueTag");
  onTestFinished(() => {
    compute.mockRestore();
  });
  const socket = connect(Number(port), hostname);
  onTestFinished(() => {
    socket.destroy();
  });
  const paths = Array.from({ length: 20 }, (_, n) => `/queue?repo=acme/r${n}`);
  socket.pause();
  socket.write(paths.map((path) => `GET ${path} HTTP/1.1\r\nhost: ${hostname}\r\n\r\n`).join(""));
  await expect.poll(() => compute.mock.calls.length).toBeGreaterThan(0);
  let text = "";
  socket.on("data", (part: Buffer) => (text += part.toString()));
  socket.resume();
  await expect.poll(() => text.split("HTTP/1.1 200").length - 1, { timeout: 10_000 }).toBe(20);
  const order = [...text.matchAll(/"per_repo":\{"(acme\/r\d+)"/g)].map(
    ([, repo]) => `/queue?repo=${repo ?? ""}`,
  );
  expect(order).toEqual(paths);
});

it("closes a connection that sends more requests at once than may wait", async () => {
  const service = await startService();
  const { hostname, port } = new URL(service.service.url);
  const socket = connect(Number(port), hostname);
  socket.on("error", () => undefined);
  const closed = new Promise((close) => socket.once("close", close));
  const poll = `POST /jobs/claim HTTP/1.1\r\nhost: ${hostname}\r\ncontent-type: application/json\r\ncontent-length: 17\r\n\r\n{"wait_ms":60000}`;
  socket.write(poll + `GET /livez HTTP/1.1\r\nhost: ${hostname}\r\n\r\n`.repeat(200));
  await closed;
  expect((await service.get("/livez")).status).toBe(200);
});

it("lists a deep lane up to a limit, says how many it leaves out, and keeps the others whole", async () => {
  const service = await startService();
  fill(service, 1, 12_000);
  await service.post("/tasks", { repo: "acme/small", work_item_id: "S-1" });
  for (const path of ["/queue", "/queue?repo=acme/r0&repo=acme/small"]) {
    const { per_repo } = (await service.get<Queue>(path)).body.serial_gate;
    const deep = per_repo["acme/r0"];
    expect(deep?.waiting).toHaveLength(10_000);
    expect(deep?.waiting.at(-1)).toMatchObject({ position: 10_000, reason: "active-task" });
    expect(deep?.waiting[0]).toMatchObject({ position: 1, reason: null });
    expect(deep?.unlisted).toEqual({ waiting: 2_000 });
    expect(per_repo["acme/small"]?.unlisted).toBeUndefined();
  }
  const metrics = await (await fetch(`${service.service.url}/metrics`)).text();
  expect(metrics).toContain('serial_gate_waiting_jobs{reason="active-task"} 11999');
  expect(metrics).toContain('serial_gate_jobs{status="queued"} 12001');
});
