import { beforeAll, expect, it, vi } from "vitest";
import { parse } from "yaml";
import type { Claim } from "../../src/contract/jobs.ts";
import type { Queue } from "../../src/contract/queue.ts";
import { cliOf, type Cli } from "../support/cli.ts";
import { shareService } from "../support/service.ts";

// Each line of a session is a process of its own.
vi.setConfig({ testTimeout: 120_000 });

const shared = shareService();
let cli: Cli;

beforeAll(() => {
  cli = cliOf(shared().service.url);
});

it("task and job verbs create, show and move tasks and jobs", async () => {
  expect(
    await cli.session(
      ["task", "add", "acme/api", "API-2", "--title", "a title of its own"],
      [
        "task",
        "add",
        "acme/web",
        "WEB-7",
        "--depends-on",
        "acme/api:API-2",
        "--payload",
        '{"branch": "main"}',
      ],
      ["task", "add", "acme/web", "WEB-7"],
      ["task", "add", "acme/web", "WEB-8", "--depends-on", "WEB-7", "--stage", "design", "--no-entry-job"],
      ["task", "list"],
      ["task", "list", "--repo", "acme/web", "-o", "wide"],
      ["task", "stage", "API-2", "done", "--dry-run"],
      ["task", "stage", "API-2", "done"],
      ["task", "cancel", "WEB-8", "--reason", "not wanted any more"],
      ["task", "list", "--all", "-o", "name"],
      ["task", "list", "--stage", "cancelled"],
      ["task", "list", "--paused"],
    ),
  ).toMatchInlineSnapshot(`
    "$ serial-gate task add acme/api API-2 --title 'a title of its own'
    work item   API-2
    repository  acme/api
    task        1
    title       a title of its own
    stage       analysis
    created     yyyy-mm-ddThh:mm:ssZ (a while)
    updated     yyyy-mm-ddThh:mm:ssZ (a while)

    JOB  AGENT    STATUS  ATTEMPT  WORKER  ERROR
    1    analyst  queued  0 of 2   -       -

    $ serial-gate task add acme/web WEB-7 --depends-on acme/api:API-2 --payload '{"branch": "main"}'
    work item   WEB-7
    repository  acme/web
    task        2
    stage       analysis
    depends on  API-2 in acme/api (analysis)
    created     yyyy-mm-ddThh:mm:ssZ (a while)
    updated     yyyy-mm-ddThh:mm:ssZ (a while)

    JOB  AGENT    STATUS  ATTEMPT  WORKER  ERROR
    2    analyst  queued  0 of 2   -       -

    $ serial-gate task add acme/web WEB-7
    work item   WEB-7
    repository  acme/web
    task        2
    stage       analysis
    depends on  API-2 in acme/api (analysis)
    created     yyyy-mm-ddThh:mm:ssZ (a while)
    updated     yyyy-mm-ddThh:mm:ssZ (a while)

    JOB  AGENT    STATUS  ATTEMPT  WORKER  ERROR
    2    analyst  queued  0 of 2   -       -
    WEB-7 exists in acme/web already; nothing was changed.

    $ serial-gate task add acme/web WEB-8 --depends-on WEB-7 --stage design --no-entry-job
    work item   WEB-8
    repository  acme/web
    task        3
    stage       design
    depends on  WEB-7 in acme/web (analysis)
    created     yyyy-mm-ddThh:mm:ssZ (a while)
    updated     yyyy-mm-ddThh:mm:ssZ (a while)

    $ serial-gate task list
    REPO      WORK ITEM  STAGE     DEPENDS ON  TITLE
    acme/api  API-2      analysis  -           a title of its own
    acme/web  WEB-7      analysis  API-2       -
    acme/web  WEB-8      design    WEB-7       -

    $ serial-gate task list --repo acme/web -o wide
    REPO      WORK ITEM  STAGE     DEPENDS ON  TITLE  TASK  CREATED               UPDATED               PAUSED BY  WHY
    acme/web  WEB-7      analysis  API-2       -      2     yyyy-mm-ddThh:mm:ssZ  yyyy-mm-ddThh:mm:ssZ  -          -
    acme/web  WEB-8      design    WEB-7       -      3     yyyy-mm-ddThh:mm:ssZ  yyyy-mm-ddThh:mm:ssZ  -          -

    $ serial-gate task stage API-2 done --dry-run
    (dry run) API-2 in acme/api would be done.
      would be cancelled: job 1 (analyst)
      could start then: WEB-7 in acme/web
    Dry run: nothing was changed.

    $ serial-gate task stage API-2 done
    API-2 in acme/api is done.
      cancelled: job 1 (analyst)
      can start now: WEB-7 in acme/web

    $ serial-gate task cancel WEB-8 --reason 'not wanted any more'
    WEB-8 in acme/web is cancelled.
      No waiting job is affected.

    $ serial-gate task list --all -o name
    task/1
    task/2
    task/3

    $ serial-gate task list --stage cancelled
    REPO      WORK ITEM  STAGE      DEPENDS ON  TITLE
    acme/web  WEB-8      cancelled  WEB-7       -

    $ serial-gate task list --paused
    No matching tasks.
    "
  `);
});

it("job verbs add, show and retry a job", async () => {
  expect(
    await cli.session(
      ["job", "add", "acme/web", "WEB-7", "reviewer", "--max-attempts", "1", "--payload", "[1]"],
      ["job", "add", "acme/web", "WEB-7", "tester", "--after", "2h", "-o", "name"],
      ["job", "show", "3"],
      ["job", "retry", "3"],
    ),
  ).toMatchInlineSnapshot(`
    "$ serial-gate job add acme/web WEB-7 reviewer --max-attempts 1 --payload '[1]'
    job         3
    agent       reviewer
    work item   WEB-7
    repository  acme/web
    status      queued
    attempt     0 of 1
    payload     [1]
    created     yyyy-mm-ddThh:mm:ssZ (a while)

    $ serial-gate job add acme/web WEB-7 tester --after 2h -o name
    job/4

    $ serial-gate job show 3
    job         3
    agent       reviewer
    work item   WEB-7
    repository  acme/web
    status      queued
    attempt     0 of 1
    payload     [1]
    created     yyyy-mm-ddThh:mm:ssZ (a while)

    $ serial-gate job retry 3
    The job 3 is queued; only a failed job is tried again.
    [3]
    "
  `);
  const { jobs } = (await shared().post<Claim>("/jobs/claim", { agents: ["reviewer"] })).body;
  await shared().post(`/jobs/3/fail`, { lease_token: jobs[0]?.lease.token, error: "tests are red" });
  expect(await cli.session(["job", "retry", "3"], ["task", "show", "WEB-7"])).toMatchInlineSnapshot(`
      "$ serial-gate job retry 3
      Job 3 (reviewer) of WEB-7 is queued: attempt 2 of 2 comes next.
        No waiting job is affected.

      $ serial-gate task show WEB-7
      work item   WEB-7
      repository  acme/web
      task        2
      stage       analysis
      depends on  API-2 in acme/api (done)
      created     yyyy-mm-ddThh:mm:ssZ (a while)
      updated     yyyy-mm-ddThh:mm:ssZ (a while)

      JOB  AGENT     STATUS   ATTEMPT  WORKER  ERROR
      2    analyst   queued   0 of 2   -       -
      3    reviewer  queued   1 of 2   -       tests are red
      4    tester    delayed  0 of 2   -       -
      "
    `);
});

it("claim prints the lease tokens of the claimed jobs", async () => {
  expect(
    await cli.session(
      ["claim", "--agent", "analyst", "--repo", "acme/web", "--worker", "w-1", "--lease", "10m"],
      ["claim", "--agent", "analyst", "--wait", "10ms"],
      ["claim", "--max", "101"],
      ["claim", "--lease", "soon"],
    ),
  ).toMatchInlineSnapshot(`
    "$ serial-gate claim --agent analyst --repo acme/web --worker w-1 --lease 10m
    JOB  REPO      WORK ITEM  AGENT    ATTEMPT  LEASE TOKEN                       EXPIRES
    2    acme/web  WEB-7      analyst  1 of 2   tttttttttttttttttttttttttttttttt  yyyy-mm-ddThh:mm:ssZ

    $ serial-gate claim --agent analyst --wait 10ms
    No job can start now.

    $ serial-gate claim --max 101
    error: option '--max <count>' argument '101' is invalid. Expected a whole number from 1 to 100.
    [2]

    $ serial-gate claim --lease soon
    error: option '--lease <duration>' argument 'soon' is invalid. Expected a duration such as 10s, 30m, 2h or 1h30m.
    [2]
    "
  `);
  const { stdout } = await cli("claim", "--agent", "reviewer", "-o", "json");
  const [job] = (JSON.parse(stdout) as Claim).jobs;
  expect(job).toMatchObject({ id: 3, lease: { token: "t".repeat(32) } });
});

it("prints the queue as the service's JSON or YAML, as one NDJSON line per lane, or as names", async () => {
  const whole = JSON.parse((await cli("queue", "-o", "json")).stdout) as Queue;
  expect(whole.serial_gate.per_repo["acme/web"]?.active_task?.work_item_id).toBe("WEB-7");
  const { serial_gate } = parse((await cli("queue", "-o", "yaml")).stdout) as Queue;
  expect(serial_gate).toEqual(whole.serial_gate);
  const lines = (await cli("queue", "-o", "ndjson")).stdout.trimEnd().split("\n");
  expect(lines.map((line) => (JSON.parse(line) as { repo: string }).repo)).toEqual(["acme/web"]);
  expect((await cli("queue", "-o", "name")).stdout).toBe("acme/web\n");
});

it("prints no colours when stdout is not a terminal", async () => {
  expect((await cli("queue")).stdout).not.toContain("\u001b");
});

it("prints no control characters from values that another program wrote", async () => {
  await cli("task", "add", "acme/evil", "E-1", "--title", "\u001b[2J\u001b]0;owned\u0007\nsecond line\u202e");
  const { stdout } = await cli("task", "list", "--repo", "acme/evil");
  expect(stdout.split("\n")).toHaveLength(3);
  expect(stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202e]/);
});
