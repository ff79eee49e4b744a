import { beforeAll, expect, it, vi } from "vitest";
import type { Claim } from "../../src/contract/jobs.ts";
import { cliOf, steadyLanes, type Cli } from "../support/cli.ts";
import { shareService } from "../support/service.ts";

// Each line of a session is a process of its own.
vi.setConfig({ testTimeout: 120_000 });

const shared = shareService();
let cli: Cli;

/** Claims the next job of a repository and returns its lease's token. */
const claim = async (repo: string, worker?: string): Promise<string> => {
  const { body } = await shared().post<Claim>("/jobs/claim", { repos: [repo], worker, lease_ms: 3_600_000 });
  return body.jobs[0]?.lease.token ?? "";
};

let ofWeb = "";
let ofLib = "";

beforeAll(async () => {
  cli = cliOf(shared().service.url);
  const { post } = shared();
  const add = (repo: string, work_item_id: string, more = {}): Promise<unknown> =>
    post("/tasks", { repo, work_item_id, ...more });
  await add("acme/api", "API-2");
  await add("acme/api", "API-3");
  await add("acme/lib", "LIB-1", { entry_job: { max_attempts: 1 } });
  await add("acme/web", "WEB-7");
  await add("acme/web", "WEB-8");
  await add("acme/idle", "IDLE-1", { entry_job: false });
  await post("/freeze?repo=acme/api", { reason: "error rate 4.1 %", by: "ann", work_item_id: "API-1" });
  await post("/freeze?repo=acme/api", { reason: "latency", by: "ben" });
  ofWeb = await claim("acme/web", "w-1");
  ofLib = await claim("acme/lib");
});

const steadyAges = (text: string): string => steadyLanes(text).replace(/\b[0-9a-f]{32}\b/g, "TOKEN");

it("job fail, complete, heartbeat and release end or keep a job by its token", async () => {
  const ended = await cli.session(
    ["job", "fail", "3", "--token", ofLib, "--error", "tests are red"],
    ["job", "heartbeat", "job/4", "--token", ofWeb, "--lease", "10m"],
    ["job", "release", "4", "--token", ofWeb],
    ["job", "release", "4", "--token", ofWeb],
    ["job", "release", "4"],
    ["job", "release", "4", "--force"],
    ["job", "complete", "4"],
  );
  expect(steadyAges(ended)).toMatchInlineSnapshot(`
    "$ serial-gate job fail 3 --token TOKEN --error 'tests are red'
    Job 3 (analyst) of LIB-1 is failed.

    $ serial-gate job heartbeat job/4 --token TOKEN --lease 10m
    Job 4: the lease lasts until yyyy-mm-ddThh:mm:ssZ.

    $ serial-gate job release 4 --token TOKEN
    Job 4 (analyst) of WEB-7 is queued.

    $ serial-gate job release 4 --token TOKEN
    The lease of job 4 is not yours any more: it expired, ended or was never yours.
    Stop working on the job and claim again.
    [3]

    $ serial-gate job release 4
    Add --token with the lease's token, or --force with --reason.
    [2]

    $ serial-gate job release 4 --force
    --force needs --reason: it is kept in the history.
    [2]

    $ serial-gate job complete 4
    error: required option '--token <lease-token>' not specified
    [2]
    "
  `);
  const token = await claim("acme/web", "w-2");
  const completed = await cli.session([
    ...["job", "complete", "4", "--token", token],
    ...["--next", "developer", "--stage", "development", "--result", '{"ok": true}'],
  ]);
  expect(steadyAges(completed)).toMatchInlineSnapshot(`
    "$ serial-gate job complete 4 --token TOKEN --next developer --stage development --result '{"ok": true}'
    Job 4 (analyst) of WEB-7 is done. WEB-7 is in development. Job 6 (developer) is queued.
    "
  `);
  await claim("acme/web", "w-2");
});

it("queue prints one line a lane, the troubled ones first, and filters them", async () => {
  const queues = await cli.session(
    ["queue"],
    ["queue", "--frozen"],
    ["queue", "--stuck", "-o", "name"],
    ["queue", "--held-by", "active-task", "--all"],
    ["queue", "--held-by", "dependency"],
    ["queue", "--held-by", "nothing"],
  );
  expect(steadyAges(queues)).toMatchInlineSnapshot(`
    "$ serial-gate queue
    REPO  STATE  ACTIVE  STAGE  JOB  WAITING  PAUSED
    acme/idle  stuck  IDLE-1  analysis  no job  0  0
    acme/lib  stuck  LIB-1  analysis  failed 1/1 AGE  0  0
    acme/api  frozen  API-2  analysis  held (freeze) AGE  1  0
    acme/web  open  WEB-7  development  running w-2 AGE  1  0
    IDLE-1 in acme/idle is stuck: it has no job: the orchestrator must add one or finish the task
    LIB-1 in acme/lib is stuck: its job 3 (analyst) failed: tests are red

    $ serial-gate queue --frozen
    REPO  STATE  ACTIVE  STAGE  JOB  WAITING  PAUSED
    acme/api  frozen  API-2  analysis  held (freeze) AGE  1  0
    IDLE-1 in acme/idle is stuck: it has no job: the orchestrator must add one or finish the task
    LIB-1 in acme/lib is stuck: its job 3 (analyst) failed: tests are red

    $ serial-gate queue --stuck -o name
    acme/idle
    acme/lib
    IDLE-1 in acme/idle is stuck: it has no job: the orchestrator must add one or finish the task
    LIB-1 in acme/lib is stuck: its job 3 (analyst) failed: tests are red

    $ serial-gate queue --held-by active-task --all
    REPO  STATE  WORK ITEM  STAGE  ROLE  POSITION  STATUS
    acme/web  open  WEB-8  analysis  waiting  1  active-task
    IDLE-1 in acme/idle is stuck: it has no job: the orchestrator must add one or finish the task
    LIB-1 in acme/lib is stuck: its job 3 (analyst) failed: tests are red

    $ serial-gate queue --held-by dependency
    IDLE-1 in acme/idle is stuck: it has no job: the orchestrator must add one or finish the task
    LIB-1 in acme/lib is stuck: its job 3 (analyst) failed: tests are red
    No matching lanes.

    $ serial-gate queue --held-by nothing
    error: option '--held-by <reason>' argument 'nothing' is invalid. Allowed choices are paused, finished, freeze, dependency, active-task.
    [2]
    "
  `);
});

it("queue shows that a paused task is being worked on", async () => {
  await shared().post("/serial-gate/pause?work_item=WEB-7");
  expect(
    steadyAges(await cli.session(["queue", "--repo", "acme/web"], ["queue", "--repo", "acme/web", "--all"])),
  ).toMatchInlineSnapshot(`
    "$ serial-gate queue --repo acme/web
    REPO  STATE  ACTIVE  STAGE  JOB  WAITING  PAUSED
    acme/web  open  WEB-8  analysis  unclaimed AGE +1 running  0  1 (1 running)

    $ serial-gate queue --repo acme/web --all
    REPO  STATE  WORK ITEM  STAGE  ROLE  POSITION  STATUS
    acme/web  open  WEB-8  analysis  active  1  can start
    acme/web  open  WEB-7  development  paused  -  running w-2
    "
  `);
});

it("job list and freeze list answer who runs, failed and is frozen", async () => {
  expect(
    await cli.session(
      ["job", "list", "--running"],
      ["job", "list", "--failed"],
      ["job", "list", "--worker", "w-2", "-o", "name"],
      ["job", "list", "--repo", "acme/web", "--last", "1"],
      ["job", "list", "--agent", "nobody"],
      ["job", "list", "--status", "lost"],
      ["job", "list", "--repo", "acme/wbe"],
      ["freeze", "list"],
      ["freeze", "list", "--repo", "acme/api", "-o", "name"],
      ["freeze", "list", "--repo", "acme/web"],
    ),
  ).toMatchInlineSnapshot(`
    "$ serial-gate job list --running
    REPO      WORK ITEM  JOB  AGENT      STATUS   ATTEMPT  WORKER  ERROR
    acme/web  WEB-7      6    developer  running  1 of 2   w-2     -

    $ serial-gate job list --failed
    REPO      WORK ITEM  JOB  AGENT    STATUS  ATTEMPT  WORKER  ERROR
    acme/lib  LIB-1      3    analyst  failed  1 of 1   -       tests are red

    $ serial-gate job list --worker w-2 -o name
    job/6

    $ serial-gate job list --repo acme/web --last 1
    REPO      WORK ITEM  JOB  AGENT      STATUS   ATTEMPT  WORKER  ERROR
    acme/web  WEB-7      6    developer  running  1 of 2   w-2     -
    The newest 1 are shown; --last shows more.

    $ serial-gate job list --agent nobody
    No matching jobs.

    $ serial-gate job list --status lost
    error: option '--status <status>' argument 'lost' is invalid. Allowed choices are queued, delayed, running, done, failed, cancelled.
    [2]

    $ serial-gate job list --repo acme/wbe
    No tasks, jobs or freezes in acme/wbe.
    Did you mean acme/web?
    [5]

    $ serial-gate freeze list
    FREEZE  REPO      SINCE                 WHO  WORK ITEM  WHY
    1       acme/api  yyyy-mm-ddThh:mm:ssZ  ann  API-1      error rate 4.1 %
    2       acme/api  yyyy-mm-ddThh:mm:ssZ  ben  -          latency

    $ serial-gate freeze list --repo acme/api -o name
    freeze/1
    freeze/2

    $ serial-gate freeze list --repo acme/web
    No active freezes.
    "
  `);
});

it("completes the failed jobs for retry, the frozen repositories for unfreeze and the freezes for its --id", async () => {
  const offered = async (...words: string[]): Promise<string[]> =>
    (await cli("__complete", "zsh", "--", ...words)).stdout.split("\n").filter((line) => line !== "");
  expect(await offered("job", "retry", "")).toEqual(["3"]);
  expect(await offered("job", "cancel", "")).not.toContain("4");
  expect(await offered("unfreeze", "")).toEqual(["acme/api"]);
  expect(await offered("unfreeze", "acme/api", "--id", "")).toEqual(["1", "2"]);
  expect(await offered("freeze", "a")).toEqual(["acme/api", "acme/idle", "acme/lib", "acme/web"]);
});
