import { expect, it } from "vitest";
import type { JobPage } from "../../../src/contract/jobs.ts";
import { expectProblem, invalidField, isolatedRepos } from "../../support/calls.ts";
import { shareService } from "../../support/service.ts";

const shared = shareService();

const list = async (query: string): Promise<JobPage> => {
  const { status, body } = await shared().get<JobPage>(`/jobs?${query}`);
  expect(status, JSON.stringify(body)).toBe(200);
  return body;
};

const ids = async (query: string): Promise<number[]> => (await list(query)).jobs.map(({ id }) => id);

it("lists jobs newest first by status, agent, worker, repository and work item, each alone and together", async () => {
  const { web, api, add, enqueue, next, report, job } = isolatedRepos(shared());
  const failed = (await add("WEB-1", { entry_job: { max_attempts: 1 } })).job.id;
  await report(await next(), "fail", { error: "tests are red" });
  const running = (await enqueue("WEB-1", "tester")).id;
  const worker = `w${web}`;
  await next({ worker });
  const queued = (await enqueue("WEB-1", "tester")).id;
  const other = (await add("API-1", { repo: api })).job.id;

  expect(await ids(`repo=${web}`)).toEqual([queued, running, failed]);
  expect(await ids(`repo=${web}&status=failed`)).toEqual([failed]);
  expect(await ids(`repo=${web}&status=queued&status=failed`)).toEqual([queued, failed]);
  expect(await ids(`repo=${web}&agent=tester`)).toEqual([queued, running]);
  expect(await ids(`repo=${web}&agent=tester&status=queued`)).toEqual([queued]);
  expect(await ids(`worker=${worker}`)).toEqual([running]);
  expect(await ids(`worker=${worker}&status=queued`)).toEqual([]);
  expect(await ids(`work_item=WEB-1&repo=${web}&status=running`)).toEqual([running]);
  expect(await ids(`work_item=WEB-1&repo=${api}`)).toEqual([]);
  expect((await ids("status=queued&limit=2")).slice(0, 2)).toEqual([other, queued]);
  expect((await list(`repo=${web}&status=failed`)).jobs).toEqual([await job(failed)]);
  expect(await ids("repo=acme/none")).toEqual([]);
});

it("pages from the newest job to the oldest, and misses none while jobs are added", async () => {
  const { web, add, enqueue } = isolatedRepos(shared());
  const all = [(await add("WEB-1")).job.id];
  for (let n = 0; n < 4; n += 1) all.unshift((await enqueue("WEB-1", "tester")).id);
  const seen: number[] = [];
  let cursor: string | null = "";
  while (cursor !== null) {
    const page: JobPage = await list(`repo=${web}&limit=2${cursor === "" ? "" : `&cursor=${cursor}`}`);
    seen.push(...page.jobs.map(({ id }) => id));
    cursor = page.next_cursor;
    await enqueue("WEB-1", "late");
  }
  expect(seen).toEqual(all);
});

it("ends a page before its payloads exceed a mebibyte", async () => {
  const { web, add, enqueue } = isolatedRepos(shared());
  await add("WEB-1", { entry_job: false });
  for (let n = 0; n < 8; n += 1) await enqueue("WEB-1", "tester", { payload: "x".repeat(200 * 1024) });
  const page = await list(`repo=${web}`);
  expect(page.jobs).toHaveLength(5);
  expect((await list(`repo=${web}&cursor=${page.next_cursor}`)).jobs).toHaveLength(3);
});

it.each([
  ["status=lost", "/status/0"],
  ["status=queued&status=lost", "/status/1"],
  ["limit=0", "/limit"],
  ["limit=501", "/limit"],
  ["cursor=x", "/cursor"],
  ["agent=", "/agent"],
  ["stage=done", "/stage"],
])("refuses ?%s and names %s of the query", async (query, pointer) => {
  expectProblem(await shared().get(`/jobs?${query}`), {
    status: 400,
    code: "invalid_request",
    errors: [invalidField("query", pointer)],
  });
});
