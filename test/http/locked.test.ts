import Database from "better-sqlite3";
import { expect, it, onTestFinished } from "vitest";
import { sleep } from "../support/calls.ts";
import { startService, type TestService } from "../support/service.ts";

const pathOf = ({ databaseUrl }: TestService): string => databaseUrl.replace(/^file:/, "");

const timed = async <T>(call: () => Promise<T>): Promise<{ value: T; ms: number }> => {
  const from = performance.now();
  return { value: await call(), ms: performance.now() - from };
};

it("reads at once, and claims in one patience, while another program holds the lock and a lease is over", async () => {
  const service = await startService();
  await service.post("/tasks", { repo: "acme/web", work_item_id: "A" });
  await service.post("/tasks", { repo: "acme/api", work_item_id: "B" });
  await service.post("/jobs/claim", { worker: "w1", lease_ms: 1_000 });
  const other = new Database(pathOf(service));
  onTestFinished(() => {
    other.close();
  });
  other.exec("BEGIN IMMEDIATE");
  await sleep(1_500);
  // The first look may find out about the lock.
  const first = await timed(() => service.get("/queue"));
  expect(first).toMatchObject({ value: { status: 200 } });
  expect(first.ms).toBeLessThan(1_500);
  const claim = timed(() => service.post("/jobs/claim", {}));
  for (const path of [
    "/queue",
    "/queue?repo=acme/web",
    "/queue/explain?work_item=A",
    "/metrics",
    "/jobs/1",
  ]) {
    const response = await timed(() => fetch(service.service.url + path));
    expect(response.value.status, path).toBe(200);
    expect(response.ms, path).toBeLessThan(1_500);
  }
  const claimed = await claim;
  expect(claimed.value).toMatchObject({ status: 503, body: { code: "storage_busy" } });
  expect(claimed.ms).toBeGreaterThan(4_500);
  expect(claimed.ms).toBeLessThan(8_000);
  expect((await service.get("/readyz")).status).toBe(503);

  other.exec("COMMIT");
  await expect
    .poll(async () => (await service.get("/readyz")).status, { timeout: 5_000, interval: 200 })
    .toBe(200);
  const again = await service.post<{ jobs: { id: number; attempt: number }[] }>("/jobs/claim", {
    wait_ms: 5_000,
  });
  expect(again.body.jobs).toMatchObject([{ id: 1, attempt: 2 }]);
});
