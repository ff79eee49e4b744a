import { beforeAll, expect, it, vi } from "vitest";
import { cliOf, steadyLanes, steadyLife, type Cli } from "../support/cli.ts";
import { shareService } from "../support/service.ts";

// Each line of a session is a process of its own.
vi.setConfig({ testTimeout: 120_000 });

const shared = shareService();
let cli: Cli;

beforeAll(async () => {
  cli = cliOf(shared().service.url);
  const { post } = shared();
  const add = (repo: string, work_item_id: string, more = {}): Promise<unknown> =>
    post("/tasks", { repo, work_item_id, ...more });
  await add("acme/api", "API-2");
  await add("acme/web", "WEB-7");
  await add("acme/web", "WEB-8", { title: "urgent fix" });
  await add("acme/web", "WEB-9", { depends_on: [{ repo: "acme/api", work_item_id: "API-2" }] });
});

it("pauses the task that holds a lane and prints the effect", async () => {
  const paused = await cli.session(
    ["queue"],
    ["queue", "--all"],
    ["pause", "WEB-7", "--dry-run"],
    ["pause", "WEB-7", "--reason", "waits for a human", "--until", "2h"],
    ["pause", "WEB-7"],
    ["queue", "--repo", "acme/web", "--all", "-o", "wide"],
    ["resume", "WEB-7"],
  );
  expect(steadyLanes(paused)).toMatchInlineSnapshot(`
    "$ serial-gate queue
    REPO  STATE  ACTIVE  STAGE  JOB  WAITING  PAUSED
    acme/api  open  API-2  analysis  unclaimed AGE  0  0
    acme/web  open  WEB-7  analysis  unclaimed AGE  2  0

    $ serial-gate queue --all
    REPO  STATE  WORK ITEM  STAGE  ROLE  POSITION  STATUS
    acme/api  open  API-2  analysis  active  1  can start
    acme/web  open  WEB-7  analysis  active  1  can start
    acme/web  open  WEB-8  analysis  waiting  2  active-task
    acme/web  open  WEB-9  analysis  waiting  3  dependency

    $ serial-gate pause WEB-7 --dry-run
    (dry run) WEB-7 in acme/web (analysis) would be paused.
      could start then: WEB-8 in acme/web
      The entry job of WEB-7 has not started: it can still be claimed.
    Dry run: nothing was changed.

    $ serial-gate pause WEB-7 --reason 'waits for a human' --until 2h
    WEB-7 in acme/web (analysis) is paused since yyyy-mm-ddThh:mm:ssZ.
      can start now: WEB-8 in acme/web
      The entry job of WEB-7 has not started: it can still be claimed.

    $ serial-gate pause WEB-7
    WEB-7 in acme/web (analysis) is paused since yyyy-mm-ddThh:mm:ssZ, as before.
      No waiting job is affected.
      The entry job of WEB-7 has not started: it can still be claimed.

    $ serial-gate queue --repo acme/web --all -o wide
    REPO  STATE  WORK ITEM  STAGE  ROLE  POSITION  STATUS  TASK  JOB  SINCE  WHO  WHY
    acme/web  open  WEB-8  analysis  active  2  can start  3  3  -  -  -
    acme/web  open  WEB-9  analysis  waiting  3  dependency  4  4  -  -  -
    acme/web  open  WEB-7  analysis  paused  1  can start  2  2  yyyy-mm-ddThh:mm:ssZ  ann  waits for a human

    $ serial-gate resume WEB-7
    WEB-7 in acme/web (analysis) is back in its lane.
      held now: WEB-8 in acme/web (active-task)
    "
  `);
});

it("freezes and unfreezes a repository and prints the effect", async () => {
  expect(
    await cli.session(
      ["freeze", "acme/api", "--reason", "error rate 4.1%", "--work-item", "API-1", "--dry-run"],
      ["freeze", "acme/api", "--reason", "error rate 4.1%", "--work-item", "API-1"],
      ["freeze", "acme/api"],
      ["queue", "--repo", "acme/api", "--all", "-o", "wide"],
      ["unfreeze", "acme/api", "--id", "1"],
      ["unfreeze", "acme/api", "--dry-run"],
      ["unfreeze", "acme/api"],
      ["unfreeze", "acme/api"],
    ),
  ).toMatchInlineSnapshot(`
    "$ serial-gate freeze acme/api --reason 'error rate 4.1%' --work-item API-1 --dry-run
    (dry run) acme/api would be frozen: error rate 4.1%.
      would be held: API-2 in acme/api (freeze)
    Dry run: nothing was changed.

    $ serial-gate freeze acme/api --reason 'error rate 4.1%' --work-item API-1
    acme/api is frozen since yyyy-mm-ddThh:mm:ssZ (freeze 1): error rate 4.1%.
      held now: API-2 in acme/api (freeze)

    $ serial-gate freeze acme/api
    acme/api is frozen since yyyy-mm-ddThh:mm:ssZ (freeze 2).
      No waiting job is affected.

    $ serial-gate queue --repo acme/api --all -o wide
    REPO      STATE   WORK ITEM  STAGE     ROLE    POSITION  STATUS  TASK  JOB  SINCE                 WHO  WHY
    acme/api  frozen  API-2      analysis  active  1         freeze  1     1    yyyy-mm-ddThh:mm:ssZ  ann  -

    $ serial-gate unfreeze acme/api --id 1
    acme/api is still frozen: 1 freeze cleared.
      No waiting job is affected.
      freeze 1 of yyyy-mm-ddThh:mm:ssZ by ann (error rate 4.1%)

    $ serial-gate unfreeze acme/api --dry-run
    (dry run) acme/api would be open: 1 freeze would be cleared.
      could start then: API-2 in acme/api
      freeze 2 of yyyy-mm-ddThh:mm:ssZ by ann
    Dry run: nothing was changed.

    $ serial-gate unfreeze acme/api
    acme/api is open: 1 freeze cleared.
      can start now: API-2 in acme/api
      freeze 2 of yyyy-mm-ddThh:mm:ssZ by ann

    $ serial-gate unfreeze acme/api
    acme/api is open: no freeze was cleared.
      No waiting job is affected.
    "
  `);
});

it("refuses to change several tasks without --yes when there is no terminal to ask at", async () => {
  expect(
    await cli.session(
      ["pause", "WEB-7", "WEB-8"],
      ["pause", "--repo", "acme/web", "--all"],
      ["pause", "--repo", "acme/web", "--all", "--dry-run"],
      ["pause", "--repo", "acme/web", "--all", "--yes"],
      ["resume", "WEB-8", "WEB-77", "--yes"],
      ["resume", "--repo", "acme/web", "--all", "--yes", "-o", "name"],
      ["resume", "--repo", "acme/web", "--all"],
      ["pause"],
      ["pause", "WEB-7", "--all"],
    ),
  ).toMatchInlineSnapshot(`
    "$ serial-gate pause WEB-7 WEB-8
    Pause 2 tasks: WEB-7, WEB-8?
    There is no terminal to ask at: add --yes to do it, or --dry-run to see the effect.
    [2]

    $ serial-gate pause --repo acme/web --all
    This lets 1 task of acme/web start. To keep the repository still instead: serial-gate freeze acme/web.
    Pause 3 tasks of acme/web: WEB-7, WEB-8, WEB-9?
    There is no terminal to ask at: add --yes to do it, or --dry-run to see the effect.
    [2]

    $ serial-gate pause --repo acme/web --all --dry-run
    (dry run) 3 tasks of acme/web would be paused: WEB-7, WEB-8, WEB-9.
      could start then: WEB-8 in acme/web
    Dry run: nothing was changed.

    $ serial-gate pause --repo acme/web --all --yes
    3 tasks of acme/web paused: WEB-7, WEB-8, WEB-9.
      can start now: WEB-8 in acme/web

    $ serial-gate resume WEB-8 WEB-77 --yes
    WEB-8 in acme/web (analysis) is back in its lane.
      No waiting job is affected.
    No task has the work item WEB-77.
    Did you mean WEB-7 or WEB-8 or WEB-9?
    [5]

    $ serial-gate resume --repo acme/web --all --yes -o name
    task/2
    task/4

    $ serial-gate resume --repo acme/web --all
    No task of acme/web was paused together with others.
      No waiting job is affected.

    $ serial-gate pause
    Name work items (\`serial-gate pause WORK_ITEM\`), a task id (\`serial-gate pause --id TASK\`) or a repository (\`serial-gate pause --repo REPO --all\`).
    [2]

    $ serial-gate pause WEB-7 --all
    Name work items (\`serial-gate pause WORK_ITEM\`), a task id (\`serial-gate pause --id TASK\`) or a repository (\`serial-gate pause --repo REPO --all\`).
    [2]
    "
  `);
});

it("shows the operator and the reason in events and blame", async () => {
  const told = await cli.session(["events", "--repo", "acme/api"], ["blame", "WEB-9"]);
  expect(steadyLife(told)).toMatchInlineSnapshot(`
    "$ serial-gate events --repo acme/api
    AT                    REPO      WORK ITEM  WHAT                          WHO   WHY
    yyyy-mm-ddThh:mm:ssZ  acme/api  API-2      created in analysis           -     -
    yyyy-mm-ddThh:mm:ssZ  acme/api  API-2      job 1 (analyst) queued        -     -
    yyyy-mm-ddThh:mm:ssZ  acme/api  API-1      acme/api frozen (freeze 1)    ann?  error rate 4.1%
    yyyy-mm-ddThh:mm:ssZ  acme/api  -          acme/api frozen (freeze 2)    ann?  -
    yyyy-mm-ddThh:mm:ssZ  acme/api  API-1      acme/api unfrozen (freeze 1)  ann?  -
    yyyy-mm-ddThh:mm:ssZ  acme/api  -          acme/api unfrozen (freeze 2)  ann?  -

    $ serial-gate blame WEB-9
    AT                    AFTER    WORK ITEM  WHAT                               WHO   WHY
    yyyy-mm-ddThh:mm:ssZ  a while  WEB-9      created in analysis                -     -
    yyyy-mm-ddThh:mm:ssZ  a while  WEB-9      job 4 (analyst) queued             -     -
    yyyy-mm-ddThh:mm:ssZ  a while  WEB-7      paused until yyyy-mm-ddThh:mm:ssZ  ann?  waits for a human
    yyyy-mm-ddThh:mm:ssZ  a while  WEB-7      resumed                            ann?  -
    yyyy-mm-ddThh:mm:ssZ  a while  API-1      acme/api frozen (freeze 1)         ann?  error rate 4.1%
    yyyy-mm-ddThh:mm:ssZ  a while  -          acme/api frozen (freeze 2)         ann?  -
    yyyy-mm-ddThh:mm:ssZ  a while  API-1      acme/api unfrozen (freeze 1)       ann?  -
    yyyy-mm-ddThh:mm:ssZ  a while  -          acme/api unfrozen (freeze 2)       ann?  -
    yyyy-mm-ddThh:mm:ssZ  a while  WEB-7      paused                             ann?  -
    yyyy-mm-ddThh:mm:ssZ  a while  WEB-8      paused                             ann?  -
    yyyy-mm-ddThh:mm:ssZ  a while  WEB-9      paused                             ann?  -
    yyyy-mm-ddThh:mm:ssZ  a while  WEB-8      resumed                            ann?  -
    yyyy-mm-ddThh:mm:ssZ  a while  WEB-7      resumed                            ann?  -
    yyyy-mm-ddThh:mm:ssZ  a while  WEB-9      resumed                            ann?  -
    "
  `);
});

it("hands an answer on, and says what a finished task ends and leaves", async () => {
  const { post } = shared();
  for (const work_item_id of ["OPS-1", "OPS-2"]) await post("/tasks", { repo: "acme/ops", work_item_id });
  await post("/jobs", { repo: "acme/ops", work_item_id: "OPS-1", agent: "deployer" });
  expect(
    await cli.session(
      ["pause", "OPS-1", "--reason", "blue or green?"],
      ["resume", "OPS-1", "--answer", "green"],
      ["task", "stage", "OPS-1", "done", "--dry-run"],
      ["task", "stage", "OPS-1", "done"],
      ["task", "stage", "OPS-1", "review"],
      ["pause", "OPS-1"],
      ["task", "stage", "OPS-2", "done", "--cancel-jobs"],
    ),
  ).toMatchInlineSnapshot(`
    "$ serial-gate pause OPS-1 --reason 'blue or green?'
    OPS-1 in acme/ops (analysis) is paused since yyyy-mm-ddThh:mm:ssZ.
      can start now: OPS-2 in acme/ops
      The entry job of OPS-1 has not started: it can still be claimed.

    $ serial-gate resume OPS-1 --answer green
    OPS-1 in acme/ops (analysis) is back in its lane.
      held now: OPS-2 in acme/ops (active-task)
      The task's next claimed job gets the answer.

    $ serial-gate task stage OPS-1 done --dry-run
    (dry run) OPS-1 in acme/ops would be done.
      would be cancelled: job 5 (analyst)
      would still wait: job 7 (deployer)
      could start then: OPS-2 in acme/ops
    Dry run: nothing was changed.

    $ serial-gate task stage OPS-1 done
    OPS-1 in acme/ops is done.
      cancelled: job 5 (analyst)
      still waiting: job 7 (deployer)
      can start now: OPS-2 in acme/ops

    $ serial-gate task stage OPS-1 review
    The task OPS-1 is done, and that is final.
    [3]

    $ serial-gate pause OPS-1
    The task OPS-1 is done: it holds nothing.
    [3]

    $ serial-gate task stage OPS-2 done --cancel-jobs
    OPS-2 in acme/ops is done.
      cancelled: job 6 (analyst)
    "
  `);
});
