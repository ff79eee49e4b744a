import { describe, expect, it } from "vitest";
import { Client } from "../../../src/client/client.ts";
import type { EventPage } from "../../../src/contract/events.ts";
import { expectProblem, isolatedRepos } from "../../support/calls.ts";
import { cliOf } from "../../support/cli.ts";
import { startService, type TestService } from "../../support/service.ts";
import { followEvents } from "../../support/stream.ts";
import { using } from "../../support/legacy.ts";
import { connectTo, testDatabase } from "../../support/postgres.ts";

/** Empties the event log and its ids, as the restore of an older copy does. */
const replaceLog = async ({ databaseUrl }: TestService): Promise<void> => {
  if (databaseUrl.startsWith("file:"))
    using(databaseUrl.slice("file:".length), (db) =>
      db.exec("DELETE FROM gate_events; UPDATE sqlite_sequence SET seq = 0 WHERE name = 'gate_events'"),
    );
  else await (await connectTo(databaseUrl)).query("TRUNCATE gate_events RESTART IDENTITY");
};

describe("a cursor", () => {
  it("a cursor ahead of the event log is a 410 with the events that there are", async () => {
    const service = await startService();
    const ahead = { status: 410, code: "cursor_unknown" };
    expectProblem(await service.get("/events?after=1"), { ...ahead, oldest: null, newest: 0 });
    await isolatedRepos(service).add("WEB-1");
    expectProblem(await service.get("/events?after=99999999"), { ...ahead, oldest: 1, newest: 2 });
    expectProblem(await service.get("/events?after=3&repo=acme/none"), { ...ahead, oldest: 1, newest: 2 });
    expect((await service.get<EventPage>("/events?after=2")).body).toEqual({ events: [], next_cursor: 2 });
  });

  it.each([
    ["Last-Event-ID", "", { "last-event-id": "500000" }],
    ["after", "?after=500000", {}],
    ["Last-Event-ID, of another service,", "", { "last-event-id": "0190163d-8694-739b-aea5-966c26f8ad91" }],
    ["Last-Event-ID, of more digits than an id has,", "?last=1", { "last-event-id": "9".repeat(30) }],
  ])("a stream whose %s is ahead begins with a reset, then sends new events", async (_, query, headers) => {
    const service = await startService();
    const { add } = isolatedRepos(service);
    await add("WEB-1");
    const follower = await followEvents(service, query, headers);
    expect(follower.status).toBe(200);
    expect(await follower.next()).toEqual({ id: 2, event: "reset", data: { oldest: 1, newest: 2 } });
    await add("WEB-2");
    expect(await follower.next()).toMatchObject({ id: 3, event: "task.created" });
  });

  it("a stream whose place is known begins without a reset", async () => {
    const service = await startService();
    const { add } = isolatedRepos(service);
    await add("WEB-1");
    const followers = await Promise.all(
      ["", "?after=0", "?after=2", "?last=1"].map((query) => followEvents(service, query)),
    );
    await add("WEB-2");
    const first = await Promise.all(followers.map((follower) => follower.next()));
    expect(first.map((sent) => sent?.id)).toEqual([3, 1, 3, 2]);
  });

  it("the client throws cursor_unknown with the newest event, from a page and from a stream", async () => {
    const service = await startService();
    await isolatedRepos(service).add("WEB-1");
    const client = new Client({ url: service.service.url });
    const unknown = { code: "cursor_unknown", problem: { status: 410, newest: 2, oldest: 1 } };
    await expect(client.events({ after: 500 })).rejects.toMatchObject(unknown);
    const stream = client.follow({ after: 500 });
    await expect(
      (async () => {
        for await (const _ of stream);
      })(),
    ).rejects.toMatchObject(unknown);
  });

  it("events --follow says that events may be missing and goes on; without --follow it ends with 5", async () => {
    const service = await startService();
    const { add } = isolatedRepos(service);
    await add("WEB-1");
    const cli = cliOf(service.service.url);
    const { exit, stderr } = await cli("events", "--after", "500");
    expect({ exit, stderr }).toEqual({
      exit: 5,
      stderr:
        "The event log ends at 2 and has no event 500: the database was restored or replaced.\nContinue after 2, or read what is kept from event 1 on.\n",
    });
    const following = cli.start("events", "--after", "500", "--follow", "-o", "name");
    await expect
      .poll(() => following.heard.stderr, { timeout: 10_000 })
      .toBe("Events may be missing: the event log has changed. Continuing after event 2.\n");
    await add("WEB-2");
    await following.lines(2);
    following.kill("SIGINT");
    expect((await following.ended).stdout).toBe("event/3\nevent/4\n");
  });

  it("a log that is replaced under a stream resets it, and the stream goes on with the new log", async () => {
    const service = await startService();
    const { add } = isolatedRepos(service);
    await add("WEB-1");
    const follower = await followEvents(service, "?after=0");
    expect((await follower.next())?.id).toBe(1);
    expect((await follower.next())?.id).toBe(2);
    await replaceLog(service);
    expect(await follower.next()).toEqual({ id: 0, event: "reset", data: { oldest: null, newest: 0 } });
    await add("WEB-2");
    expect(await follower.next()).toMatchObject({ id: 1, event: "task.created" });
  });

  it("wait and queue --watch say that the log was replaced and read everything again", async () => {
    const service = await startService();
    const { add, move, web } = isolatedRepos(service);
    const { task } = await add("WEB-1");
    const cli = cliOf(service.service.url);
    const waiting = cli.start("wait", "WEB-1", "--for=done", "--repo", web);
    const watching = cli.start("queue", "--repo", web, "--watch", "-o", "ndjson");
    await watching.lines(1);
    const said = "The event log was restored or replaced; reading everything again.\n";
    // A reset is for followers that are there: again until both are.
    await expect
      .poll(
        async () => {
          await service.post(`/freeze?repo=${web}-other`);
          await new Promise((later) => setTimeout(later, 500));
          await replaceLog(service);
          return [waiting, watching].every(({ heard }) => heard.stderr.includes(said));
        },
        { timeout: 20_000, interval: 1_000 },
      )
      .toBe(true);
    await move(task, "done");
    expect((await waiting.ended).stdout).toContain("WEB-1");
    watching.kill("SIGINT");
    expect((await watching.ended).code).toBe(130);
  });
});

describe("over PostgreSQL", () => {
  it("a cursor in a gap that a rollback left is a place, on every node", async () => {
    const service = await startService({ DATABASE_URL: await testDatabase() });
    const other = await startService({ DATABASE_URL: service.databaseUrl });
    const { add } = isolatedRepos(service);
    await add("WEB-1");
    const client = await connectTo(service.databaseUrl);
    const INSERT = "INSERT INTO gate_events(at, kind) VALUES ('2026-06-15 08:00:00.000', 'task.stage')";
    await client.query(`BEGIN; ${INSERT}; ${INSERT}; ROLLBACK`);
    for (const node of [service, other]) {
      const { status, body } = await node.get<EventPage>("/events?after=4");
      expect({ status, body }).toEqual({ status: 200, body: { events: [], next_cursor: 4 } });
    }
    await add("WEB-2");
    for (const node of [other, service])
      for (const after of [2, 3, 4])
        expect((await node.get<EventPage>(`/events?after=${after}`)).body.events[0]?.id).toBe(5);
  });
});
