import { expect, it } from "vitest";
import type { FreezeState, Unfrozen } from "../../../src/contract/operations.ts";
import { A_TIME, AN_ID, invalidField, isolatedRepos, expectProblem } from "../../support/calls.ts";
import { shareService, startService } from "../../support/service.ts";

const shared = shareService();
const freeze = (repo: string, note?: object) => shared().post<FreezeState>(`/freeze?repo=${repo}`, note);
const unfreeze = (repo: string, id?: number) =>
  shared().post<Unfrozen>(`/unfreeze?repo=${repo}${id === undefined ? "" : `&id=${id}`}`);

it("a freeze holds a repository's entry jobs and no other job", async () => {
  const { web, api, add, enqueue, claim, lane, reasons } = isolatedRepos(shared());
  await add("WEB-1", { stage: "deploy", entry_job: false });
  await add("WEB-2");
  await add("API-1", { repo: api });
  await enqueue("WEB-1", "deployer");
  const { status, body } = await freeze(web, { reason: "error rate 4.1 %", work_item_id: "WEB-1" });
  expect(status).toBe(200);
  expect(body).toEqual({
    repo: web,
    frozen: true,
    frozen_at: A_TIME,
    frozen_reason: "error rate 4.1 %",
    freeze_id: AN_ID,
    in_force: true,
    not_in_force_because: null,
    known: true,
    near: [],
    effect: { now_claimable: [], now_held: [] },
  });
  expect(await reasons()).toEqual({ "WEB-2": "freeze" });
  expect(await lane()).toMatchObject({
    frozen: true,
    frozen_at: body.frozen_at,
    frozen_reason: "error rate 4.1 %",
  });
  expect(await lane(api)).toMatchObject({ frozen: false, frozen_at: null, frozen_reason: null });
  expect((await claim({ max: 9 })).map((job) => job.work_item_id)).toEqual(["API-1", "WEB-1"]);
});

it("freezes without a reason and without a work item", async () => {
  const { web, lane } = isolatedRepos(shared());
  expect(await freeze(web)).toMatchObject({ status: 200, body: { frozen: true, frozen_reason: null } });
  expect(await lane()).toMatchObject({ active_task: null, waiting: [], frozen: true, frozen_reason: null });
});

it("adds a freeze every time and shows the newest", async () => {
  const { web, lane } = isolatedRepos(shared());
  const first = await freeze(web, { reason: "first" });
  const second = await freeze(web, { reason: "second" });
  expect(second.body.freeze_id).toBeGreaterThan(first.body.freeze_id);
  expect(await lane()).toMatchObject({ frozen_reason: "second", frozen_at: second.body.frozen_at });
});

it("names the freeze first when a dependency and a task ahead hold the job too", async () => {
  const { web, add, reasons } = isolatedRepos(shared());
  await add("WEB-1", { entry_job: false });
  await add("WEB-2", { depends_on: ["WEB-1"] });
  await add("WEB-3");
  expect(await reasons()).toEqual({ "WEB-2": "dependency", "WEB-3": "active-task" });
  await freeze(web);
  expect(await reasons()).toEqual({ "WEB-2": "freeze", "WEB-3": "freeze" });
});

const NO_EFFECT = { now_claimable: [], now_held: [] };

it("clears every freeze of the repository, and none the second time", async () => {
  const { web, api, add, claim, revision } = isolatedRepos(shared());
  await add("WEB-1");
  await freeze(web);
  await freeze(web);
  await freeze(api);
  expect(await unfreeze(web)).toMatchObject({ status: 200 });
  expect((await claim()).map((job) => job.work_item_id)).toEqual(["WEB-1"]);
  const before = await revision();
  const again = await unfreeze(web);
  expect(again.status).toBe(200);
  expect(again.body).toMatchObject({
    ...{ repo: web, frozen: false, cleared: 0, freezes: [] },
    ...{ known: true, near: [], effect: NO_EFFECT },
  });
  expect(await revision()).toBe(before);
  expect((await unfreeze(api)).body).toMatchObject({ repo: api, frozen: false, cleared: 1 });
});

it("returns the freezes that it cleared", async () => {
  const { web } = isolatedRepos(shared());
  const first = await freeze(web, { reason: "error rate 4.1 %", work_item_id: "WEB-1" });
  const second = await freeze(web);
  const freeze_of = (freeze: typeof first, reason: string | null, work_item_id: string | null) => ({
    freeze_id: freeze.body.freeze_id,
    repo: web,
    frozen_at: freeze.body.frozen_at,
    frozen_by: null,
    reason,
    work_item_id,
  });
  expect((await unfreeze(web)).body).toEqual({
    repo: web,
    frozen: false,
    known: false,
    near: expect.any(Array) as unknown,
    cleared: 2,
    freezes: [freeze_of(first, "error rate 4.1 %", "WEB-1"), freeze_of(second, null, null)],
    effect: NO_EFFECT,
  });
});

it("clears only the freeze with the given id", async () => {
  const { web, add, claim, lane } = isolatedRepos(shared());
  await add("WEB-1");
  const first = await freeze(web, { reason: "first" });
  const second = await freeze(web, { reason: "second" });
  expect((await unfreeze(web, second.body.freeze_id)).body).toMatchObject({
    repo: web,
    frozen: true,
    cleared: 1,
    effect: NO_EFFECT,
  });
  expect((await lane()).frozen_reason).toBe("first");
  expect(await claim()).toEqual([]);
  expect((await unfreeze(web, second.body.freeze_id)).body).toMatchObject({ frozen: true, cleared: 0 });
  expect((await unfreeze(web, first.body.freeze_id)).body).toMatchObject({ frozen: false, cleared: 1 });
  expect(await claim()).toHaveLength(1);
});

it("clears no freeze of another repository, even by its id", async () => {
  const { web, api } = isolatedRepos(shared());
  const { body } = await freeze(web);
  expect((await unfreeze(api, body.freeze_id)).body).toMatchObject({ frozen: false, cleared: 0 });
  expect((await unfreeze(web)).body.cleared).toBe(1);
});

it("unfreezes an unknown repository without an error", async () => {
  expect((await unfreeze("acme/never")).body).toMatchObject({
    repo: "acme/never",
    frozen: false,
    cleared: 0,
  });
});

it.each([
  ["/freeze", "/repo"],
  ["/freeze?repo=", "/repo"],
  ["/freeze?repo=a&repo=b", "/repo"],
  ["/freeze?repo=a&reason=b", "/reason"],
  ["/unfreeze", "/repo"],
  ["/unfreeze?repo=", "/repo"],
  ["/unfreeze?repo=a&repo=b", "/repo"],
  ["/unfreeze?repo=a&id=", "/id"],
  ["/unfreeze?repo=a&id=0", "/id"],
  ["/unfreeze?repo=a&id=one", "/id"],
  ["/unfreeze?repo=a&id=1&id=2", "/id"],
  ["/unfreeze?repo=a&work_item=b", "/work_item"],
])("refuses POST %s and names %s of the query", async (path, pointer) => {
  expectProblem(await shared().post(path), {
    status: 400,
    code: "invalid_request",
    errors: [invalidField("query", pointer)],
  });
});

it("a freeze survives a restart of the service", async () => {
  const first = await startService();
  const { web, add } = isolatedRepos(first);
  await add("WEB-1");
  await first.post(`/freeze?repo=${web}`, { reason: "kept" });
  await first.service.close();
  const second = await startService({ DATABASE_URL: first.databaseUrl });
  expect((await second.post("/jobs/claim")).body).toEqual({ jobs: [], degraded: false });
  expect((await second.get("/queue")).body).toMatchObject({
    serial_gate: { per_repo: { [web]: { frozen: true, frozen_reason: "kept" } } },
  });
});
