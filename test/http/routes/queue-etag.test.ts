import { describe, expect, it } from "vitest";
import type { Queue } from "../../../src/contract/queue.ts";
import { isolatedRepos, sleep } from "../../support/calls.ts";
import { connectTo, testDatabase } from "../../support/postgres.ts";
import { startScript } from "../../support/process.ts";
import { shareService, startService, type TestService } from "../../support/service.ts";

const poll = ({ call }: TestService, tag: string, query = "") =>
  call<Queue | null>("GET", `/queue${query}`, undefined, { "if-none-match": tag });

const tagOf = async ({ get }: TestService, query = ""): Promise<string> =>
  (await get(`/queue${query}`)).headers.get("etag") ?? "";

describe("shared service", () => {
  const shared = shareService();

  it("answers 304 to the current weak tag until the queue changes", async () => {
    const service = shared();
    const { add, pause, resume, claim } = isolatedRepos(service);
    const { job } = await add("WEB-1");
    let tag = await tagOf(service);
    expect(tag).toMatch(/^W\/"[\w-]+"$/);
    for (const change of [
      () => pause("WEB-1"),
      () => resume("WEB-1"),
      () => add("WEB-2"),
      async () => {
        expect((await claim()).map(({ id }) => id)).toEqual([job.id]);
      },
    ]) {
      const same = await poll(service, tag);
      expect([same.status, same.body, same.headers.get("etag")]).toEqual([304, null, tag]);
      await change();
      const other = await poll(service, tag);
      expect(other.status).toBe(200);
      expect(other.headers.get("etag")).not.toBe(tag);
      tag = other.headers.get("etag") ?? "";
    }
  });

  it("keeps the tag after a heartbeat and after a repeated pause", async () => {
    const service = shared();
    const { add, next, pause, report } = isolatedRepos(service);
    await add("WEB-1");
    const job = await next();
    await pause("WEB-1");
    const tag = await tagOf(service);
    await report(job, "heartbeat");
    await pause("WEB-1");
    expect((await poll(service, tag)).status).toBe(304);
  });

  it("gives each selection of repositories its own tag, and accepts a list of tags or *", async () => {
    const service = shared();
    const { web, api, add } = isolatedRepos(service);
    await add("WEB-1");
    const [all, ofWeb, ofApi] = [
      await tagOf(service),
      await tagOf(service, `?repo=${web}`),
      await tagOf(service, `?repo=${api}`),
    ];
    expect(new Set([all, ofWeb, ofApi]).size).toBe(3);
    expect((await poll(service, ofApi, `?repo=${web}`)).status).toBe(200);
    expect((await poll(service, `"other", ${ofWeb}`, `?repo=${web}`)).status).toBe(304);
    expect((await poll(service, "*")).status).toBe(304);
  });

  it("changes the tag when a job becomes due", async () => {
    const service = shared();
    const { add, enqueue } = isolatedRepos(service);
    await add("WEB-1", { entry_job: false });
    await enqueue("WEB-1", "monitor", { run_after: new Date(Date.now() + 1_000).toISOString() });
    const tag = await tagOf(service);
    await sleep(1_100);
    expect((await poll(service, tag)).status).toBe(200);
  });

  it("changes the tag at once after another program's commit", async () => {
    const service = await startService();
    await isolatedRepos(service).add("WEB-1");
    const tag = await tagOf(service);
    const sql = "UPDATE tasks SET stage = 'review';";
    await startScript("second-writer.mjs", [service.databaseUrl.replace("file:", ""), sql]).ended;
    expect((await poll(service, tag)).status).toBe(200);
  });

  it("gives all nodes of a database the same tag, and changes it at once after another node's commit", async () => {
    const DATABASE_URL = await testDatabase();
    const [one, other] = await Promise.all([startService({ DATABASE_URL }), startService({ DATABASE_URL })]);
    const { add } = isolatedRepos(other);
    await add("WEB-1");
    const tag = await tagOf(other);
    expect((await poll(one, tag)).status).toBe(304);
    await add("WEB-2");
    const next = await poll(one, tag);
    expect(next.status).toBe(200);
    const client = await connectTo(DATABASE_URL);
    await client.query("UPDATE tasks SET stage = 'review'");
    expect((await poll(one, next.headers.get("etag") ?? "")).status).toBe(200);
  });

  it.each([
    ["SQLite", () => Promise.resolve({})],
    ["PostgreSQL", async () => ({ DATABASE_URL: await testDatabase() })],
  ])("never answers concurrent requests with an older tag (%s)", async (_, env) => {
    const service = await startService(await env());
    const { add, pause, resume } = isolatedRepos(service);
    await add("WEB-1");
    let tag = await tagOf(service);
    let changing = true;
    const crowd = Array.from({ length: 8 }, async () => {
      while (changing) await poll(service, tag);
    });
    for (let change = 0; change < 30; change += 1) {
      await (change % 2 === 0 ? pause : resume)("WEB-1");
      const answers = await Promise.all(Array.from({ length: 4 }, () => poll(service, tag)));
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
      const tags = answers.map(({ headers }) => headers.get("etag"));
      expect(new Set(tags).size).toBe(1);
      tag = tags[0] ?? "";
      expect((await poll(service, tag)).status).toBe(304);
    }
    changing = false;
    await Promise.all(crowd);
  });

  it("sends no tag while a part of the database cannot be read", async () => {
    const service = await startService();
    const tag = await tagOf(service);
    const sql = "ALTER TABLE repo_freeze RENAME TO gone;";
    await startScript("second-writer.mjs", [service.databaseUrl.replace("file:", ""), sql]).ended;
    const { status, body, headers } = await poll(service, tag);
    expect([status, body?.degraded, headers.get("etag")]).toEqual([200, true, null]);
  });
});

it("serves the documentation and the description without a token", async () => {
  const { service } = await startService({ SERIAL_GATE_TOKENS: "ann:0123456789abcdef-ann" });
  for (const path of ["/docs", "/docs/static/index.html", "/openapi.json"])
    expect((await fetch(service.url + path)).status, path).toBe(200);
  expect((await fetch(`${service.url}/queue`)).status).toBe(401);
});
