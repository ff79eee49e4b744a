import { expect, it } from "vitest";
import type { Claim } from "../../src/contract/jobs.ts";
import type { Queue } from "../../src/contract/queue.ts";
import { startService } from "../support/service.ts";

const REPO = "acme/big";

it("starts nothing when every task of a repository is paused in strict lanes, and one task at a time after the resume", async () => {
  const { post, get } = await startService({ SERIAL_GATE_STRICT_LANES: "true" });
  for (let n = 1; n <= 30; n += 1) await post("/tasks", { repo: REPO, work_item_id: `BIG-${n}` });
  const claimAll = async (): Promise<Claim["jobs"]> =>
    (await post<Claim>("/jobs/claim", { max: 100, repos: [REPO] })).body.jobs;

  const first = await claimAll();
  expect(first.map((job) => job.work_item_id)).toEqual(["BIG-1"]);
  await post(`/serial-gate/pause?repo=${REPO}&all=true`);
  expect(await claimAll()).toEqual([]);
  const queue = (await get<Queue>("/queue")).body.serial_gate.per_repo[REPO];
  expect(new Set(queue?.waiting.map(({ reason }) => reason))).toEqual(new Set(["paused"]));

  await post(`/serial-gate/resume?repo=${REPO}&all=true`);
  expect(await claimAll()).toEqual([]);
  const [job] = first;
  await post(`/jobs/${job?.id ?? 0}/complete`, { lease_token: job?.lease.token, stage: "done" });
  expect((await claimAll()).map((each) => each.work_item_id)).toEqual(["BIG-2"]);
});

it("holds a paused task's own jobs in strict lanes, and lets the resumed task wait for the one that overtook it", async () => {
  const { post } = await startService({ SERIAL_GATE_STRICT_LANES: "true" });
  const claim = async (): Promise<string[]> =>
    (await post<Claim>("/jobs/claim", { max: 100 })).body.jobs.map(
      ({ work_item_id, agent }) => `${work_item_id ?? ""} ${agent}`,
    );
  for (const work_item_id of ["Z-1", "Z-2", "Z-3"]) await post("/tasks", { repo: REPO, work_item_id });
  const { jobs } = (await post<Claim>("/jobs/claim", {})).body;
  await post("/serial-gate/pause?work_item=Z-1");
  const overtaker = (await post<Claim>("/jobs/claim", { max: 100 })).body.jobs;
  expect(overtaker.map((job) => job.work_item_id)).toEqual(["Z-2"]);
  await post(`/jobs/${jobs[0]?.id ?? 0}/complete`, {
    lease_token: jobs[0]?.lease.token,
    next: [{ agent: "developer" }],
  });
  expect(await claim()).toEqual([]);
  await post("/serial-gate/resume?work_item=Z-1");
  expect(await claim()).toEqual([]);
  await post(`/jobs/${overtaker[0]?.id ?? 0}/complete`, {
    lease_token: overtaker[0]?.lease.token,
    stage: "done",
  });
  expect(await claim()).toEqual(["Z-1 developer"]);
});

it("shows the task that has the strict lane as the active one, also beside a resumed task with a lower id", async () => {
  const { post, get } = await startService({ SERIAL_GATE_STRICT_LANES: "true" });
  for (const work_item_id of ["Z-1", "Z-2"]) await post("/tasks", { repo: REPO, work_item_id });
  await post<Claim>("/jobs/claim", { worker: "w1" });
  await post("/serial-gate/pause?work_item=Z-1");
  await post<Claim>("/jobs/claim", { worker: "w2" });
  await post("/serial-gate/resume?work_item=Z-1");
  const { serial_gate } = (await get<Queue>("/queue")).body;
  expect(serial_gate.strict_lanes).toBe(true);
  expect(serial_gate.per_repo[REPO]).toMatchObject({
    active_task: { work_item_id: "Z-2", job: { status: "running", worker: "w2" } },
    running: [
      { work_item_id: "Z-1", worker: "w1" },
      { work_item_id: "Z-2", worker: "w2" },
    ],
  });
});

it("starts no task that never began beside the one that overtook it in a strict lane", async () => {
  const { post } = await startService({ SERIAL_GATE_STRICT_LANES: "true" });
  const claim = async (): Promise<Claim["jobs"]> =>
    (await post<Claim>("/jobs/claim", { max: 100 })).body.jobs;
  for (const work_item_id of ["Z-1", "Z-2"]) await post("/tasks", { repo: REPO, work_item_id });
  await post("/serial-gate/pause?work_item=Z-1");
  const [overtaker] = await claim();
  expect(overtaker?.work_item_id).toBe("Z-2");
  await post("/serial-gate/resume?work_item=Z-1");
  expect(await claim()).toEqual([]);
  await post(`/jobs/${overtaker?.id ?? 0}/complete`, {
    lease_token: overtaker?.lease.token,
    stage: "done",
  });
  expect((await claim()).map(({ work_item_id }) => work_item_id)).toEqual(["Z-1"]);
});
