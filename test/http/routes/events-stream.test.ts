import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import type { EventPage } from "../../../src/contract/events.ts";
import { A_TIME, invalidField, isolatedRepos, expectProblem, sleep, timed } from "../../support/calls.ts";
import { testDatabase } from "../../support/postgres.ts";
import { startScript } from "../../support/process.ts";
import { shareService, startService, type TestService } from "../../support/service.ts";
import { followEvents, type Follower } from "../../support/stream.ts";

const allIds = async ({ get }: TestService): Promise<number[]> => {
  const { events } = (await get<EventPage>("/events?limit=1000")).body;
  return events.map(({ id }) => id);
};

/** Ids of the next events, that many. */
const take = async (follower: Follower, count: number): Promise<number[]> => {
  const ids: number[] = [];
  while (ids.length < count) {
    const sent = await follower.next();
    if (!sent) break;
    ids.push(sent.id);
  }
  return ids;
};

/** A caller that asks for the stream and takes nothing of what it is sent. */
const askAndNotRead = async ({ service }: TestService): Promise<Socket> => {
  const { hostname, port } = new URL(service.url);
  const socket = connect(Number(port), hostname);
  onTestFinished(() => {
    socket.destroy();
  });
  await once(socket, "connect");
  socket.pause();
  socket.write(`GET /events/stream?after=0 HTTP/1.1\r\nhost: ${hostname}\r\n\r\n`);
  return socket;
};

/** Events with a long reason: so many that no buffer on the way takes them all. */
const writeMuch = async ({ post }: TestService, times: number): Promise<void> => {
  for (let index = 0; index < times; index += 1)
    await post("/freeze?repo=acme/much", { reason: "x".repeat(100_000) });
};

describe("shared service", () => {
  const shared = shareService();

  it("streams events as they happen, each with its id and kind", async () => {
    const isolated = isolatedRepos(shared());
    const follower = await followEvents(shared(), `?repo=${isolated.web}`);
    expect(follower.status).toBe(200);
    expect(follower.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
    expect(follower.headers.get("cache-control")).toBe("no-store");
    const { task, job } = await isolated.add("WEB-1");
    await isolated.claim();
    const [created, enqueued, claimed] = [
      await follower.next(),
      await follower.next(),
      await follower.next(),
    ];
    expect([created?.event, enqueued?.event, claimed?.event]).toEqual([
      "task.created",
      "job.created",
      "job.claimed",
    ]);
    expect(enqueued).toEqual({
      id: enqueued?.data.id,
      event: "job.created",
      data: {
        id: (created?.id ?? NaN) + 1,
        at: A_TIME,
        kind: "job.created",
        repo: isolated.web,
        task_id: task.id,
        work_item_id: "WEB-1",
        job_id: job.id,
        actor: null,
        by_source: null,
        reason: null,
        detail: { agent: "analyst" },
      },
    });
  });

  it("starts the stream after an event, with the last ones, or with new ones", async () => {
    const { web, add } = isolatedRepos(shared());
    await add("WEB-1");
    const ids = (await shared().get<EventPage>(`/events?repo=${web}`)).body.events.map(({ id }) => id);
    const [first = NaN, second] = ids;
    const followers = await Promise.all([
      followEvents(shared(), `?repo=${web}&after=${first}`),
      followEvents(shared(), `?repo=${web}&last=1`),
      followEvents(shared(), `?repo=${web}`),
      followEvents(shared(), `?repo=${web}&last=2`, { "last-event-id": String(second) }),
    ]);
    await add("WEB-2", { entry_job: false });
    const next = (await shared().get<EventPage>(`/events?repo=${web}&last=1`)).body.next_cursor;
    expect(await Promise.all(followers.map((each, index) => take(each, index < 2 ? 2 : 1)))).toEqual([
      [second, next],
      [second, next],
      [next],
      [next],
    ]);
  });

  it("streams the events of one work item", async () => {
    const { web, add, pause } = isolatedRepos(shared());
    const follower = await followEvents(shared(), `?repo=${web}&work_item=WEB-2`);
    await add("WEB-1");
    await add("WEB-2", { entry_job: false });
    await pause("WEB-1");
    await pause("WEB-2");
    expect([(await follower.next())?.event, (await follower.next())?.event]).toEqual([
      "task.created",
      "task.paused",
    ]);
  });

  it("sends a comment every 15 seconds when there is no event", async () => {
    const follower = await followEvents(shared(), "?repo=acme/nothing-here");
    const { value, ms } = await timed(follower.comment());
    expect(value).toBe("nothing new");
    expect(ms).toBeGreaterThan(14_000);
  });

  it.each([
    ["?after=x", "/after"],
    ["?after=1&last=1", "/last"],
    ["?limit=1", "/limit"],
  ])("refuses a stream with %s", async (query, pointer) => {
    const answer = await shared().get(`/events/stream${query}`);
    const errors = [invalidField("query", pointer)];
    expectProblem(answer, { status: 400, code: "invalid_request", errors });
  });
});

const databases: [string, () => Promise<Record<string, string>>][] = [
  ["sqlite", () => Promise.resolve({})],
  ["postgres", async () => ({ DATABASE_URL: await testDatabase() })],
];

it.each(databases)(
  "resumes with Last-Event-ID after dropped connections without a gap or a repeat (%s)",
  async (_, env) => {
    const service = await startService(await env());
    const writing = new AbortController();
    const write = async (repo: string): Promise<void> => {
      for (let index = 0; index < 40; index += 1) {
        await service.post("/tasks", { repo, work_item_id: `W-${index}` });
        await service.post(`/serial-gate/pause?work_item=W-${index}&repo=${repo}`);
        await sleep(Math.random() * 10);
      }
    };
    const writers = Promise.all(["acme/a", "acme/b", "acme/c"].map(write)).then(() => {
      writing.abort();
    });
    const seen: number[] = [];
    for (let over = false; !over;) {
      over = writing.signal.aborted;
      const last = seen.at(-1);
      const follower = await followEvents(
        service,
        last === undefined ? "?after=0" : "",
        last === undefined ? {} : { "last-event-id": String(last) },
      );
      const cut = setTimeout(
        () => {
          follower.cut();
        },
        30 + Math.random() * 90,
      );
      for (let sent = await follower.next(); sent; sent = await follower.next()) seen.push(sent.id);
      clearTimeout(cut);
    }
    await writers;
    const rest = await followEvents(service, "", { "last-event-id": String(seen.at(-1)) });
    const ids = await allIds(service);
    seen.push(...(await take(rest, ids.length - seen.length)));
    expect(ids).toHaveLength(360);
    expect(seen).toEqual(ids);
  },
  60_000,
);

it("streams the changes of another program and of another node", async () => {
  const service = await startService();
  const file = await followEvents(service);
  const insert =
    "INSERT INTO gate_events(at, kind, repo) VALUES ('2026-06-15 08:00:00.000', 'task.stage', 'acme/other');";
  await startScript("second-writer.mjs", [service.databaseUrl.replace("file:", ""), insert]).ended;
  expect((await file.next())?.data.repo).toBe("acme/other");

  const DATABASE_URL = await testDatabase();
  const [one, other] = await Promise.all([startService({ DATABASE_URL }), startService({ DATABASE_URL })]);
  const server = await followEvents(one);
  await isolatedRepos(other).add("WEB-1");
  expect((await server.next())?.event).toBe("task.created");
});

it("a slow reader delays no one and misses no event", async () => {
  const service = await startService();
  await writeMuch(service, 200);
  const socket = await askAndNotRead(service);
  await sleep(200);
  const other = await followEvents(service);
  await isolatedRepos(service).add("WEB-1");
  expect((await other.next())?.event).toBe("task.created");
  // Some megabytes are on the way, not the 20 that there are.
  expect(socket.bytesRead).toBeLessThan(10_000_000);

  let text = "";
  const ids = (): number[] => [...text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id));
  socket.setEncoding("utf8").on("data", (part: string) => (text += part));
  socket.resume();
  for (const expected = (await allIds(service)).length; ids().length < expected;) await sleep(50);
  expect(ids()).toEqual(await allIds(service));
});

it("ends every stream at once when the service drains, also of a slow reader", async () => {
  const service = await startService();
  await writeMuch(service, 200);
  const reading = await followEvents(service);
  const socket = await askAndNotRead(service);
  await sleep(200);
  const { ms } = await timed(service.service.close());
  expect(ms).toBeLessThan(10_000);
  expect(await reading.next()).toBe(undefined);
  const closed = once(socket, "close");
  socket.on("error", () => undefined).resume();
  await closed;
});

it("refuses a stream without a token when there are tokens", async () => {
  const secret = "0123456789abcdef-ann";
  const service = await startService({ SERIAL_GATE_TOKENS: `ann:${secret}` });
  expectProblem(await service.get("/events/stream"), { status: 401, code: "unauthorized" });
  const follower = await followEvents(service, "", { authorization: `Bearer ${secret}` });
  expect(follower.status).toBe(200);
});
