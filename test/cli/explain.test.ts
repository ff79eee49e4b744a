import { expect, it, vi } from "vitest";
import type { Explanation } from "../../src/contract/explanation.ts";
import type { Claim } from "../../src/contract/jobs.ts";
import { cliOf, steadyLanes, steadyLife } from "../support/cli.ts";
import { using, makeLegacy } from "../support/legacy.ts";
import { startProgram } from "../support/process.ts";
import { shareService, startService } from "../support/service.ts";
import { temporaryFolder } from "../support/folder.ts";
import { join } from "node:path";

// Each line of a session is a process of its own.
vi.setConfig({ testTimeout: 120_000 });

const shared = shareService();

/** How long ago differs from run to run, also where the service says it in a sentence. */
const told = (text: string): string =>
  steadyLanes(steadyLife(text))
    .replace(/\b\d{4}-\d{2}-\d{2} \d{2}:\d{2} UTC\b/g, "yyyy-mm-dd hh:mm UTC")
    .replace(/\b\d+ (ms|s|min|h|d)( \d+ (ms|s|min|h))?\b/g, "a while")
    // A job that has just been created is told without its time.
    .replace(/ for a while\./g, ".");

it("explains why WEB-8 waits, frees it with the commands that it prints, and names the operator in blame", async () => {
  const path = makeLegacy(join(temporaryFolder(), "legacy.db"));
  const { service } = await startService({ DATABASE_URL: `file:${path}` });
  const cli = cliOf(service.url);
  expect(told(await cli.session(["queue"], ["queue", "--all"], ["explain", "WEB-8"]))).toMatchInlineSnapshot(`
    "$ serial-gate queue
    REPO  STATE  ACTIVE  STAGE  JOB  WAITING  PAUSED
    orchestrator  stuck  ORCH-116  development  failed 2/2 AGE  1  0
    api  frozen  API-2  analysis  held (freeze) AGE  1  0
    web-shop  open  WEB-7  analysis  unclaimed AGE  1  0
    ORCH-116 in orchestrator is stuck: its job 2 (developer) failed: agent exited 1

    $ serial-gate queue --all
    REPO  STATE  WORK ITEM  STAGE  ROLE  POSITION  STATUS
    orchestrator  stuck  ORCH-116  development  active  -  failed 2/2 AGE
    orchestrator  stuck  ORCH-123  analysis  waiting  1  active-task
    api  frozen  API-2  analysis  active  1  freeze
    api  frozen  -  -  waiting  2  freeze
    web-shop  open  WEB-7  analysis  active  1  can start
    web-shop  open  WEB-8  analysis  waiting  2  dependency
    ORCH-116 in orchestrator is stuck: its job 2 (developer) failed: agent exited 1

    $ serial-gate explain WEB-8
    WEB-8 in web-shop waits for API-2 in api (dependency) and WEB-7 (active-task).
    Root cause: api has been frozen since yyyy-mm-dd hh:mm UTC: "post-deploy DEGRADED: error rate 4.1%" (after API-1).
    To end it: serial-gate unfreeze --id 2 api
      Then workers can claim job 6 of API-2 in api and job 8 in api; WEB-8 still waits for API-2 in api (dependency) and WEB-7 (active-task).
    Also: WEB-7 in web-shop can start; no worker has claimed its job 4 (analyst).

    1. dependency: API-2 in api is unfinished (analysis)
       since yyyy-mm-ddThh:mm:ssZ (a while)
       job 6 (analyst) is queued
       to free it:  serial-gate unfreeze --id 2 api
                    could start then: API-2 in api, job 8 in api
       to free it:  serial-gate task cancel --repo api API-2
                    This alone would start nothing.

    2. active-task: WEB-7 is ahead in the lane (analysis)
       since yyyy-mm-ddThh:mm:ssZ (a while)
       job 4 (analyst) is queued
       to free it:  serial-gate pause --repo web-shop WEB-7
                    This alone would start nothing.

    Cause chain:
       WEB-8 in web-shop: dependency, on API-2
       API-2 in api: freeze, on api frozen since yyyy-mm-dd hh:mm UTC: "post-deploy DEGRADED: error rate 4.1%" (after API-1)

    job 5 (analyst) is queued, position 2, no estimate: API-2 in api is unfinished (analysis)
    "
  `);
  const commands: string[][] = [];
  for (;;) {
    const { jobs } = JSON.parse((await cli("explain", "WEB-8", "-o", "json")).stdout) as Explanation;
    const [fix] = jobs.flatMap(({ reasons }) => reasons.flatMap((each) => each.fix));
    if (!fix) break;
    expect(commands.length).toBeLessThan(5);
    commands.push(fix.command.split(" ").slice(1));
    await cli(...(commands.at(-1) ?? []), "--reason", "three in the morning");
  }
  expect(commands).toMatchInlineSnapshot(`
      [
        [
          "unfreeze",
          "--id",
          "2",
          "api",
        ],
        [
          "task",
          "cancel",
          "--repo",
          "api",
          "API-2",
        ],
        [
          "pause",
          "--repo",
          "web-shop",
          "WEB-7",
        ],
      ]
    `);
  expect(told(await cli.session(["explain", "WEB-8"], ["blame", "WEB-8"]))).toMatchInlineSnapshot(`
    "$ serial-gate explain WEB-8
    WEB-8 in web-shop can start; no worker has claimed its job 5 (analyst).

    $ serial-gate blame WEB-8
    AT  AFTER  WORK ITEM  WHAT  WHO  WHY
    yyyy-mm-ddThh:mm:ssZ  a while  WEB-8  created  (from the orchestrator)  -
    yyyy-mm-ddThh:mm:ssZ  a while  WEB-8  job 5 (analyst) queued  (from the orchestrator)  -
    yyyy-mm-ddThh:mm:ssZ  a while  API-2  created  (from the orchestrator)  -
    yyyy-mm-ddThh:mm:ssZ  a while  API-1  api frozen (freeze 2)  (from the orchestrator)  post-deploy DEGRADED: error rate 4.1%
    yyyy-mm-ddThh:mm:ssZ  a while  API-1  api unfrozen (freeze 2)  ann?  three in the morning
    yyyy-mm-ddThh:mm:ssZ  a while  API-2  cancelled (was in analysis)  ann?  three in the morning
    yyyy-mm-ddThh:mm:ssZ  a while  WEB-7  paused  ann?  three in the morning
    "
  `);
  expect(using(path, (db) => db.prepare("SELECT COUNT(*) AS n FROM tasks").get())).toEqual({ n: 9 });
});

it("doctor reports the stuck task", async () => {
  const path = makeLegacy(join(temporaryFolder(), "legacy.db"));
  const env = { DATABASE_URL: `file:${path}` };
  expect((await startProgram(["migrate"], env).ended).code).toBe(0);
  const { code, stdout } = await startProgram(["doctor"], env).ended;
  expect(stdout).toMatch(
    /^No service has started on this database yet: its first start builds the ready index\nORCH-116 in orchestrator is stuck: .*\n$/m,
  );
  expect(code).toBe(0);
});

it("explains running, failed, finished and unknown work items", async () => {
  const { post, service } = shared();
  const cli = cliOf(service.url);
  await post("/tasks", { repo: "acme/web", work_item_id: "WEB-1" });
  const ready = ["explain", "WEB-1"];
  const first = await cli.session(ready);
  const { jobs } = (await post<Claim>("/jobs/claim", { worker: "w-1" })).body;
  const second = await cli.session(ready);
  const lease_token = jobs[0]?.lease.token;
  await post(`/jobs/1/fail`, { lease_token, error: "tests are red", retry: false });
  const third = await cli.session(ready, ["queue"], ["job", "retry", "1", "--dry-run"]);
  await cli("task", "stage", "WEB-1", "done");
  expect(told([first, second, third, await cli.session(ready, ["explain", "WEB-2"])].join("\n")))
    .toMatchInlineSnapshot(`
      "$ serial-gate explain WEB-1
      WEB-1 in acme/web can start; no worker has claimed its job 1 (analyst).

      $ serial-gate explain WEB-1
      WEB-1 in acme/web has started: job 1 (analyst) has been running on w-1 since yyyy-mm-dd hh:mm UTC.

      $ serial-gate explain WEB-1
      WEB-1 in acme/web is stuck: job 1 (analyst) failed and will not be retried automatically: tests are red.
      To end it: serial-gate job retry 1
        Then workers can claim job 1 of WEB-1 in acme/web.

      $ serial-gate queue
      REPO  STATE  ACTIVE  STAGE  JOB  WAITING  PAUSED
      acme/web  stuck  WEB-1  analysis  failed 1/2 AGE  0  0
      WEB-1 in acme/web is stuck: its job 1 (analyst) failed: tests are red

      $ serial-gate job retry 1 --dry-run
      (dry run) Job 1 (analyst) of WEB-1 would be queued: attempt 2 of 2 comes next.
        could start then: WEB-1 in acme/web
      Dry run: nothing was changed.

      $ serial-gate explain WEB-1
      WEB-1 in acme/web is done.
      To end it: serial-gate job retry 1

      $ serial-gate explain WEB-2
      No task has the work item WEB-2.
      Did you mean WEB-1?
      [5]
      "
    `);
});
