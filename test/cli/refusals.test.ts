import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { beforeAll, expect, it, onTestFinished, vi } from "vitest";
import type { ProcessContext } from "../../src/cli/context.ts";
import { run } from "../../src/cli/program.ts";
import { cliOf, steady, type Cli } from "../support/cli.ts";
import { temporaryFolder } from "../support/folder.ts";
import { startProgram } from "../support/process.ts";
import { shareService, startService } from "../support/service.ts";

// Each line of a session is a process of its own.
vi.setConfig({ testTimeout: 120_000 });

const shared = shareService();
const NOWHERE = "http://127.0.0.1:1";
let cli: Cli;

beforeAll(async () => {
  cli = cliOf(shared().service.url);
  for (const [repo, work_item_id] of [
    ["acme/web", "WEB-7"],
    ["acme/api", "AMB-1"],
    ["acme/web", "AMB-1"],
  ])
    await shared().post("/tasks", { repo, work_item_id });
});

it("suggests a correction for an unknown verb, option or word", async () => {
  expect(
    await cli.session(
      ["queeu"],
      ["queue", "--rep", "acme/web"],
      ["task", "lst"],
      ["queue", "-o", "xml"],
      ["wait", "WEB-7"],
      ["pause", "WEB-7", "--until", "yesterday"],
      ["task", "add", "acme/web"],
    ),
  ).toMatchInlineSnapshot(`
      "$ serial-gate queeu
      error: unknown command 'queeu'
      (Did you mean queue?)
      [2]

      $ serial-gate queue --rep acme/web
      error: unknown option '--rep'
      (Did you mean --repo?)
      [2]

      $ serial-gate task lst
      error: unknown command 'lst'
      (Did you mean list?)
      [2]

      $ serial-gate queue -o xml
      error: option '-o, --output <format>' argument 'xml' is invalid. Allowed choices are table, wide, json, ndjson, yaml, name.
      [2]

      $ serial-gate wait WEB-7
      error: required option '--for <state>' not specified
      [2]

      $ serial-gate pause WEB-7 --until yesterday
      error: option '--until <time>' argument 'yesterday' is invalid. Expected a duration such as 30m, or a time such as 2026-06-15T18:00Z.
      [2]

      $ serial-gate task add acme/web
      error: missing required argument 'work-item'
      [2]
      "
    `);
});

it("suggests a correction for an unknown work item, repository or id", async () => {
  expect(
    await cli.session(
      ["pause", "web-7"],
      ["task", "show", "WEB7"],
      ["task", "show", "99"],
      ["task", "show", "1", "-o", "name"],
      ["resume", "WEB-7", "--repo", "acme/wbe"],
      ["queue", "--repo", "acme/wbe"],
      ["task", "list", "--repo", "acme/wbe"],
      ["events", "--repo", "acme/wbe"],
      ["unfreeze", "acme/wbe"],
      ["freeze", "acme/wbe", "--dry-run"],
      ["job", "show", "99"],
      ["job", "add", "acme/web", "NOTHING-LIKE-IT", "reviewer"],
    ),
  ).toMatchInlineSnapshot(`
    "$ serial-gate pause web-7
    No task has the work item web-7.
    Did you mean WEB-7?
    [5]

    $ serial-gate task show WEB7
    No task has the work item WEB7.
    Did you mean WEB-7?
    [5]

    $ serial-gate task show 99
    No task has the work item 99.
    If 99 is a task id, give it as --id 99.
    [5]

    $ serial-gate task show 1 -o name
    No task has the work item 1.
    If 1 is a task id, give it as --id 1.
    [5]

    $ serial-gate resume WEB-7 --repo acme/wbe
    No task has the work item WEB-7 in acme/wbe.
    Did you mean acme/web?
    [5]

    $ serial-gate queue --repo acme/wbe
    No tasks, jobs or freezes in acme/wbe.
    Did you mean acme/web?
    [5]

    $ serial-gate task list --repo acme/wbe
    No tasks, jobs or freezes in acme/wbe.
    Did you mean acme/web?
    [5]

    $ serial-gate events --repo acme/wbe
    No tasks, jobs or freezes in acme/wbe.
    Did you mean acme/web?
    [5]

    $ serial-gate unfreeze acme/wbe
    No tasks, jobs or freezes in acme/wbe.
    Did you mean acme/web?
    [5]

    $ serial-gate freeze acme/wbe --dry-run
    (dry run) acme/wbe would be frozen.
      No waiting job would be affected.
    No tasks in acme/wbe.
    Did you mean acme/web?
    Dry run: nothing was changed.

    $ serial-gate job show 99
    There is no job 99.
    [5]

    $ serial-gate job add acme/web NOTHING-LIKE-IT reviewer
    No task has the work item NOTHING-LIKE-IT in acme/web.
    [5]
    "
  `);
});

it("asks for --repo when several repositories have the work item", async () => {
  expect(
    await cli.session(["pause", "AMB-1", "--reason", "who's there?"], ["task", "stage", "AMB-1", "done"]),
  ).toMatchInlineSnapshot(`
      "$ serial-gate pause AMB-1 --reason 'who'\\''s there?'
      The work item AMB-1 exists in 2 repositories: acme/api, acme/web.
      Add --repo:
        serial-gate pause AMB-1 --repo acme/api --reason 'who'\\''s there?'
        serial-gate pause AMB-1 --repo acme/web --reason 'who'\\''s there?'
      [3]

      $ serial-gate task stage AMB-1 done
      The work item AMB-1 exists in 2 repositories: acme/api, acme/web.
      Add --repo:
        serial-gate task stage AMB-1 done --repo acme/api
        serial-gate task stage AMB-1 done --repo acme/web
      [3]
      "
    `);
});

it("explains a request that the gate refuses", async () => {
  await cli("task", "cancel", "WEB-7");
  expect(
    await cli.session(
      ["pause", "WEB-7"],
      ["task", "stage", "WEB-7", "analysis"],
      ["wait", "WEB-7", "--for=claimable"],
      ["wait", "WEB-7", "--for=done"],
      ["task", "add", "acme/web", "not a stage", "--stage", "Not A Stage"],
    ),
  ).toMatchInlineSnapshot(`
      "$ serial-gate pause WEB-7
      The task WEB-7 is cancelled: it holds nothing.
      [3]

      $ serial-gate task stage WEB-7 analysis
      The task WEB-7 is cancelled, and that is final.
      [3]

      $ serial-gate wait WEB-7 --for=claimable
      WEB-7 in acme/web is cancelled: it has no job to start.
      [1]

      $ serial-gate wait WEB-7 --for=done
      WEB-7 in acme/web was cancelled.
      [1]

      $ serial-gate task add acme/web 'not a stage' --stage 'Not A Stage'
      Invalid --stage: expected lower-case letters, digits, dots, dashes and underscores, such as code-review.
      [2]
      "
    `);
});

it("explains an unreachable service and an answer of another program", async () => {
  const away = cliOf(NOWHERE);
  expect(await away.session(["queue"])).toMatch(/^No service answers at http:\/\/HOST:PORT \(.+\)\.$/m);
  let status = 404;
  const other = createServer((_, response) => response.writeHead(status).end("a web site")).listen(
    0,
    "127.0.0.1",
  );
  onTestFinished(() => void other.close());
  await once(other, "listening");
  const another = cliOf(`http://127.0.0.1:${(other.address() as AddressInfo).port}`);
  const notFound = await another.session(["queue"]);
  status = 200;
  expect(notFound + (await another.session(["queue"]))).toMatchInlineSnapshot(`
      "$ serial-gate queue
      There is no serial-gate at http://HOST:PORT: http://HOST:PORT/queue answered 404: a web site
      Set SERIAL_GATE_URL to the address of the service.
      [1]
      $ serial-gate queue
      There is no serial-gate at http://HOST:PORT: http://HOST:PORT/queue answered 200: a web site
      Set SERIAL_GATE_URL to the address of the service.
      [1]
      "
    `);
  expect(await cliOf("localhost:8080").session(["queue"])).toMatchInlineSnapshot(`
    "$ serial-gate queue
    SERIAL_GATE_URL: expected http://HOST:PORT or https://HOST:PORT, or several separated by commas.
    [2]
    "
  `);
});

it("exits with 4 for a missing or wrong token and records a pause under the token's name", async () => {
  const { service } = await startService({ SERIAL_GATE_TOKENS: "night:0123456789abcdef" });
  const nobody = cliOf(service.url);
  const stranger = cliOf(service.url, { SERIAL_GATE_TOKEN: "fedcba9876543210" });
  expect((await nobody.session(["queue"])) + (await stranger.session(["queue"]))).toMatchInlineSnapshot(`
    "$ serial-gate queue
    A valid token is required.
    Log in with \`serial-gate login http://HOST:PORT\`, or set SERIAL_GATE_URL and SERIAL_GATE_TOKEN.
    [4]
    $ serial-gate queue
    A valid token is required.
    The service does not know the secret in SERIAL_GATE_TOKEN.
    [4]
    "
  `);
  const night = cliOf(service.url, { SERIAL_GATE_TOKEN: "0123456789abcdef" });
  expect(
    await night.session(["task", "add", "acme/web", "WEB-1", "-o", "name"], ["pause", "WEB-1"]),
  ).toContain("is paused");
  expect((await night("events", "-o", "ndjson")).stdout).toMatch(/"task\.paused".*"actor":"night"/);
});

it("config prints the source of every value and no secret", async () => {
  const folder = temporaryFolder();
  const lines = [
    "PORT=8081",
    "ORCH_SERIAL_GATE_REPOS=acme/web",
    "DATABASE_URL=postgres://gate:hush@127.0.0.1:1/gate",
  ];
  writeFileSync(join(folder, ".env"), lines.join("\n"));
  const env = {
    SERIAL_GATE_URL: "http://127.0.0.1:1",
    SERIAL_GATE_TOKEN: "0123456789abcdef",
    SERIAL_GATE_PAUSE: "off",
    PORT: "8082",
  };
  const { stdout, stderr, code } = await startProgram(["config"], env, folder).ended;
  const isSet = (line: string): boolean => !line.endsWith("  default");
  expect((stdout + stderr).split("\n").filter(isSet).join("\n")).toMatchInlineSnapshot(`
    "FOR                     VARIABLE                     VALUE                        FROM
    command line            SERIAL_GATE_URL              http://127.0.0.1:1           environment
    command line            SERIAL_GATE_TOKEN            (set)                        environment
    a service started here  PORT                         8082                         environment
    a service started here  DATABASE_URL                 postgres://127.0.0.1:1/gate  .env
    a service started here  SERIAL_GATE_REPOS            acme/web                     .env, as ORCH_SERIAL_GATE_REPOS
    SERIAL_GATE_PAUSE is not a variable of serial-gate and is ignored.
    Strict lanes: on for a database that serial-gate makes, off for one that it adopts. The database cannot be reached: connect ECONNREFUSED 127.0.0.1:1
    "
  `);
  expect(code).toBe(0);
});

it("--help groups the verbs by their users", async () => {
  expect((await cli("--help")).stdout).toMatchInlineSnapshot(`
    "Usage: serial-gate [options] [command]

    Decides which job may start next: one task at a time per repository, oldest
    first.

    Options:
      -V, --version                    output the version number
      --context <context>              call the service of this context
      --insecure                       send a token over plain HTTP to another
                                       machine
      -h, --help                       display help for command

    For operators:
      queue [options]                  show every lane in a line: its active task,
                                       that task's job, and how many wait; trouble
                                       first
      explain [options] [work-item]    explain why a work item does not start, what
                                       holds it and which command frees it
      pause [options] [work-item...]   pause tasks, so that later tasks of their
                                       repository can overtake them
      resume [options] [work-item...]  resume paused tasks: they return to their
                                       lanes
      freeze [options] <repo>          close a repository: none of its tasks starts
                                       until somebody unfreezes it
      unfreeze [options] <repo>        clear every freeze of a repository, or one of
                                       them
      events [options]                 show the event log: every change of a task, a
                                       job or a freeze
      blame [options] [work-item]      show the life of a work item: every change,
                                       who made it and why
      wait [options] [work-item]       wait until a work item exists, can start, or
                                       is done

    For the orchestrator:
      task                             add, list, show, move and cancel tasks
      job                              add, list, show, retry, cancel and report on
                                       jobs

    For workers:
      work [options] <command...>      claim jobs, and run a command for each
      claim [options]                  claim the oldest jobs that can start, and
                                       print their lease tokens
      mcp                              serve the tools for agents (Model Context
                                       Protocol) on stdin and stdout

    To run the service:
      serve                            migrate the database and serve until stopped
      migrate [options]                create or upgrade the database (safe to
                                       repeat)
      doctor                           check and repair the ready index; list
                                       damaged pages, unreadable times, stuck tasks,
                                       jobs without a lease and rights that others
                                       should not have (reads DATABASE_URL)
      backup <file>                    copy the SQLite database while the service
                                       runs, and check the copy (reads DATABASE_URL)
      replay [options] [file]          run real work items through a fresh service,
                                       then verify its database
      openapi                          print the OpenAPI 3.1 document of the HTTP
                                       API
      token                            make, list and check the tokens of a token
                                       file

    For the shell:
      login [options] <url>            keep the address of a service and a token for
                                       it, asked hidden or read from stdin
      logout [context]                 forget a context and its token
      context                          list the kept contexts, or use another one
      config [options]                 show the settings of the command line and of
                                       a service started here, with their source; no
                                       secrets
      completion <shell>               print the completion script of a shell
      help [verb...]                   show the help of a verb

    Which service the verbs call: the context of --context, else SERIAL_GATE_URL and SERIAL_GATE_TOKEN, else the context
    that \`serial-gate login\` or \`context use\` put in force; \`serial-gate config\` shows it.
    Exit codes: 0 done, 1 failed, 2 usage, 3 refused by the gate, 4 not allowed, 5 not found, 6 timed out, 78 configuration.
    "
  `);
});

it.each([
  ["queue"],
  ["explain"],
  ["pause"],
  ["resume"],
  ["freeze"],
  ["unfreeze"],
  ["events"],
  ["blame"],
  ["wait"],
  ["task", "add"],
  ["task", "list"],
  ["task", "show"],
  ["task", "stage"],
  ["task", "cancel"],
  ["job", "add"],
  ["job", "show"],
  ["job", "retry"],
  ["claim"],
  ["serve"],
  ["migrate"],
  ["doctor"],
  ["backup"],
  ["replay"],
  ["openapi"],
  ["config"],
  ["completion"],
  ["login"],
  ["logout"],
  ["context", "list"],
  ["context", "use"],
  ["help"],
])("--help of %s %s has an example", async (...verb) => {
  // In this process, or the whole would take as long as all the other tests.
  let said = "";
  const stream = { write: (text: string) => (said += text) } as unknown as NodeJS.WriteStream;
  const context: ProcessContext = {
    env: {},
    serviceEnvironment: () => ({ env: {}, isFromFile: () => false }),
    userName: () => undefined,
    stdin: process.stdin,
    stdout: stream,
    stderr: stream,
    onStop: () => undefined,
    onReload: () => undefined,
    onExit: () => undefined,
  };
  expect(await run([...verb, "--help"], context)).toBe(0);
  expect(said).toContain(`serial-gate ${verb.join(" ")}`);
  expect(said).toMatch(/\n\nExample:\n {2}\$ .*serial-gate /);
});

it("prints the help when no verb is given, and the package's version with --version", async () => {
  expect(await cli()).toMatchObject({ exit: 2, stdout: "" });
  expect(steady((await cli("--version")).stdout)).toMatch(/^\d+\.\d+\.\d+\n$/);
});
