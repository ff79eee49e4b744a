/** A change that a constraint of another program's does not allow. */

import Database from "better-sqlite3";
import { describe, expect, it } from "vitest";
import type { Env } from "../../src/config/env.ts";
import { pathOf } from "../../src/store/open.ts";
import { expectProblem } from "../support/calls.ts";
import { connectTo, testDatabase } from "../support/postgres.ts";
import { startService } from "../support/service.ts";

/** Runs the other program's SQL. */
const alter = async (url: string, text: string): Promise<void> => {
  const path = pathOf(url);
  if (path === undefined) await (await connectTo(url)).query(text);
  else new Database(path).exec(text).close();
};

describe.each<[string, () => Promise<Env>, RegExp]>([
  ["SQLite", () => Promise.resolve({}), /UNIQUE constraint failed: tasks\.title/],
  ["PostgreSQL", async () => ({ DATABASE_URL: await testDatabase() }), /unique constraint "titles_once"/],
])("on %s", (_, env, named) => {
  it("answers 409 without Retry-After when another program's constraint fails, and logs its name", async () => {
    const { call, get, logs, databaseUrl } = await startService(await env());
    await alter(databaseUrl, "CREATE UNIQUE INDEX titles_once ON tasks(title)");
    const create = (work_item_id: string, title: string) =>
      call("POST", "/tasks", { repo: "acme/web", work_item_id, title });
    expect((await create("WEB-1", "one")).status).toBe(201);
    const refused = await create("WEB-2", "one");
    expectProblem(refused, { status: 409, code: "storage_refused" });
    expect(refused.headers.has("retry-after")).toBe(false);
    expect(JSON.stringify(refused.body)).not.toContain("titles_once");
    const line = logs.find((text) => text.includes(refused.headers.get("x-request-id") ?? "?"));
    expect(line).toMatch(/"level":40,.*"code":"storage_refused"/);
    expect((JSON.parse(line ?? "") as { err: { message: string } }).err.message).toMatch(named);
    expect((await create("WEB-2", "two")).status).toBe(201);
    expect((await get<{ tasks: unknown[] }>("/tasks")).body.tasks).toHaveLength(2);
  });
});

it("answers 409 when a text is too long for a column of an adopted database", async () => {
  const { call, databaseUrl } = await startService({ DATABASE_URL: await testDatabase() });
  await alter(databaseUrl, "ALTER TABLE repo_freeze ALTER COLUMN reason TYPE VARCHAR(8)");
  const answer = await call("POST", "/freeze?repo=acme/web", { reason: "error rate 4.1 %" });
  expectProblem(answer, { status: 409, code: "storage_refused" });
});
