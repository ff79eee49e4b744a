/** A completion that claims next: the worker's round in one call and one transaction. */

import { beforeEach, expect, it } from "vitest";
import type { Claim, Completed } from "../../../src/contract/jobs.ts";
import { expectProblem, invalidField, isolatedRepos, type IsolatedRepos } from "../../support/calls.ts";
import { shareService } from "../../support/service.ts";

const shared = shareService();

let lane: IsolatedRepos;

beforeEach(() => {
  lane = isolatedRepos(shared());
});

const nextIn = (...repos: string[]): { claim: object } => ({ claim: { repos, worker: "w" } });

it("hands out the job that the completion freed", async () => {
  await lane.add("WEB-1");
  await lane.add("WEB-2");
  const job = await lane.next();
  const { status, body } = await lane.report<Completed>(job, "complete", {
    stage: "done",
    ...nextIn(lane.web),
  });
  expect(status).toBe(200);
  expect(body).toMatchObject({ job: { status: "done" }, task: { stage: "done" }, degraded: false });
  expect(body.jobs).toMatchObject([{ work_item_id: "WEB-2", attempt: 1 }]);
  expect((await lane.job(body.jobs?.[0]?.id ?? NaN)).lease).toMatchObject({ worker: "w" });
});

it("hands out the next job of the task itself", async () => {
  await lane.add("WEB-1");
  const { body } = await lane.report<Completed>(await lane.next(), "complete", {
    stage: "development",
    next: [{ agent: "developer", payload: { branch: "b" } }],
    ...nextIn(lane.web),
  });
  expect(body.next).toMatchObject([{ agent: "developer", status: "queued" }]);
  expect(body.jobs).toMatchObject([
    { id: body.next[0]?.id, agent: "developer", payload: { branch: "b" }, stage: "development" },
  ]);
});

it("hands out nothing where nothing can start, and answers without jobs where nothing is claimed", async () => {
  await lane.add("WEB-1");
  const empty = await lane.report(await lane.next(), "complete", nextIn(lane.api));
  expect(empty.body).toMatchObject({ job: { status: "done" }, jobs: [], degraded: false });
  await lane.add("API-1", { repo: lane.api });
  const { body } = await lane.report(await lane.next(), "complete");
  expect(body).not.toHaveProperty("jobs");
  expect(body).not.toHaveProperty("degraded");
});

it("claims nothing when the completion is refused", async () => {
  await lane.add("WEB-1");
  const job = await lane.next();
  const waiting = await lane.add("API-1", { repo: lane.api });
  const stale = { ...job, lease: { ...job.lease, token: "0".repeat(32) } };
  const refused = await lane.report(stale, "complete", nextIn(lane.api));
  expectProblem(refused, { status: 409, code: "lease_lost" });
  expect(await lane.job(waiting.job.id)).toMatchObject({ status: "queued", attempt: 0 });
});

it("gives the same jobs and leases again under the same key", async () => {
  await lane.add("WEB-1");
  await lane.add("WEB-2");
  const { id, lease } = await lane.next();
  const complete = () =>
    shared().call<Completed>(
      "POST",
      `/jobs/${id}/complete`,
      { lease_token: lease.token, stage: "done", ...nextIn(lane.web) },
      { "idempotency-key": `complete-${id}` },
    );
  const first = await complete();
  const again = await complete();
  expect(first.body.jobs).toHaveLength(1);
  expect(again.body).toEqual(first.body);
});

it("gives each of many workers that complete together the next job of a lane", async () => {
  const repos = Array.from({ length: 12 }, (_, index) => `${lane.web}-${index}`);
  for (const repo of repos) for (const number of ["1", "2"]) await lane.add(`${repo}#${number}`, { repo });
  const { body } = await shared().post<Claim>("/jobs/claim", { repos, max: 12 });
  const completed = await Promise.all(
    body.jobs.map((job) => lane.report<Completed>(job, "complete", { stage: "done", ...nextIn(...repos) })),
  );
  const claimed = completed.flatMap((answer) => answer.body.jobs ?? []).map((job) => job.work_item_id);
  expect(claimed.sort()).toEqual(repos.map((repo) => `${repo}#2`).sort());
});

it("does not wait for a job", async () => {
  await lane.add("WEB-1");
  const refused = await lane.report(await lane.next(), "complete", {
    claim: { repos: [lane.web], wait_ms: 10 },
  });
  expectProblem(refused, {
    status: 400,
    code: "invalid_request",
    errors: [invalidField("body", "/claim/wait_ms")],
  });
});
