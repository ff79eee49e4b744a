/** The package as a stranger installs it: packed, into an empty folder, with nothing of this clone but what is in it. */

import { execFileSync, spawn, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { checkPackage, createPackageFromTarballData } from "@arethetypeswrong/core";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { beforeAll, expect, it, onTestFinished, vi } from "vitest";
import manifest from "../package.json" with { type: "json" };
import { Client } from "../src/client/client.ts";
import { verify } from "../src/replay/verify.ts";
import { parseWorkItems } from "../src/replay/work-items.ts";
import { openStore } from "../src/store/open.ts";
import { POLICY } from "./support/fixtures.ts";
import { temporaryFolder } from "./support/folder.ts";
import { callTool, connectMcp } from "./support/mcp.ts";

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const SAMPLE = join(ROOT, "samples/work-items.jsonl");

interface Packed {
  readonly filename: string;
  readonly files: readonly { readonly path: string }[];
}

let folder: string;
let packed: Packed;

const npm = (args: readonly string[], cwd: string): string =>
  execFileSync("npm", [...args, "--no-audit", "--no-fund", "--prefer-offline"], { cwd, encoding: "utf8" });

beforeAll(() => {
  const ends: (() => unknown)[] = [];
  folder = temporaryFolder((end) => void ends.unshift(end));
  // `dist` is built already: npm test builds it first.
  const [first] = JSON.parse(
    npm(["pack", "--json", "--ignore-scripts", "--pack-destination", folder], ROOT),
  ) as Packed[];
  if (!first) throw new Error("Nothing was packed.");
  packed = first;
  writeFileSync(join(folder, "package.json"), '{"type": "module"}');
  npm(["install", "--ignore-scripts", join(folder, packed.filename)], folder);
  // Compiling SQLite's driver takes a minute, and is not what is tested here.
  cpSync(join(ROOT, "node_modules/better-sqlite3/build"), join(folder, "node_modules/better-sqlite3/build"), {
    recursive: true,
  });
  return async () => {
    for (const end of ends) await end();
  };
});

it("holds only what a user needs", () => {
  const folders = new Set(packed.files.map(({ path }) => path.split("/")[0]));
  expect([...folders].sort()).toEqual(
    [
      ".env.example",
      "CHANGELOG.md",
      "LICENSE",
      "README.md",
      "SECURITY.md",
      "clients",
      "dist",
      "docs",
      "llms.txt",
      "migrations",
      "openapi.yaml",
      "package.json",
    ].sort(),
  );
  expect(
    packed.files.map(({ path }) => path).filter((path) => /\.(map|tsbuildinfo)$|test/.test(path)),
  ).toEqual([]);
});

it("has exports that a linter of packages finds no fault with", async () => {
  const { messages } = await publint({ pkgDir: ROOT, strict: true });
  expect(messages.map((message) => formatMessage(message, manifest as never))).toEqual([]);
});

/** Starts a program in the folder, and ends it with the test, with all that it started. */
const start = (
  [command, ...args]: readonly [string, ...string[]],
  env: NodeJS.ProcessEnv = {},
): ReturnType<typeof spawn> => {
  const child = spawn(command, args, {
    cwd: folder,
    env: { PATH: process.env.PATH, PYTHONDONTWRITEBYTECODE: "1", ...env },
    stdio: ["ignore", "pipe", "ignore"],
    detached: true,
  });
  onTestFinished(() => {
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, "SIGKILL");
  });
  return child;
};

const serialGate = (): string => join(folder, "node_modules/.bin/serial-gate");

/** Starts the service on a database of its own in the folder.
 *  @returns its address */
const serve = (database: string): Promise<string> => {
  const service = start([serialGate(), "serve"], {
    PORT: "0",
    DATABASE_URL: `file:${database}`,
    // The address is a line for people; the log is not read here.
    LOG_LEVEL: "silent",
  });
  return new Promise((found, fail) => {
    let text = "";
    service.stdout?.on("data", (part: Buffer) => {
      text += part.toString();
      const address = /serial-gate (http:\S+) on /.exec(text)?.[1];
      if (address !== undefined) found(address);
    });
    service.once("exit", () => {
      fail(new Error(`The service ended: ${text}`));
    });
  });
};

it("has types that an import resolves to in every way but those for require()", async () => {
  const analysis = await checkPackage(
    createPackageFromTarballData(readFileSync(join(folder, packed.filename))),
  );
  if (analysis.types === false) throw new Error("The package has no types.");
  const faults = analysis.problems.filter(
    (problem) => !("resolutionKind" in problem && ["node10", "node16-cjs"].includes(problem.resolutionKind)),
  );
  expect(faults).toEqual([]);
});

it("runs the service, the worker of a command and the client, from the package alone", async () => {
  const url = await serve("alone.db");
  start(
    [
      serialGate(),
      "work",
      "--agent",
      "analyst",
      "--",
      "sh",
      "-c",
      `echo '{"next": [{"agent": "developer"}]}' > "$SERIAL_GATE_OUTCOME"`,
    ],
    { SERIAL_GATE_URL: url },
  );
  writeFileSync(
    join(folder, "script.js"),
    `import { createClient } from "serial-gate/client";
     import { startWorker } from "serial-gate/worker";
     const gate = createClient({ url: process.argv[2] });
     for (const work_item_id of ["A", "B"]) await gate.createTask({ repo: "acme/web", work_item_id });
     for await (const job of gate.jobs({ agents: ["developer"] })) {
       const { task } = await job.complete({ stage: "done" });
       console.log(task.work_item_id, task.stage);
       break;
     }
     const worker = startWorker({
       client: gate,
       agents: ["developer"],
       handle: async () => ({ stage: "done" }),
       onCompleted: ({ task }) => { console.log(task.work_item_id, task.stage); void worker.stop(); },
     });`,
  );
  const said = execFileSync(process.execPath, ["script.js", url], { cwd: folder, encoding: "utf8" });
  expect(said).toBe("A done\nB done\n");
});

/** The steps of a work item after a review, by its size. */
const afterReview = ({ files, lines }: { files: number; lines: number }): object => {
  const payload = { files, lines };
  if (lines >= 50) return { stage: "testing", next: [{ agent: "tester", payload }] };
  if (files >= 5) return { stage: "deploy", next: [{ agent: "deployer", payload }] };
  return { stage: "done" };
};

/** Takes the reviews by the tools of an MCP client, until it is stopped. */
const review = async (url: string, isOver: () => boolean): Promise<number> => {
  const client = await connectMcp("stdio", url, undefined, {
    program: join(folder, "node_modules/serial-gate/dist/main.js"),
  });
  let reviews = 0;
  while (!isOver()) {
    const { data } = await callTool(client, "claim", { agents: ["reviewer"], wait_ms: 1_000 });
    for (const { id, lease, payload } of data.jobs) {
      const { isError, text } = await callTool(client, "complete", {
        job_id: id,
        lease_token: lease.token,
        ...afterReview(payload as { files: number; lines: number }),
      });
      if (isError) throw new Error(text);
      reviews += 1;
    }
  }
  return reviews;
};

const lacks = (program: string): boolean => spawnSync(program, ["--version"]).error !== undefined;

it.skipIf(["python3", "curl", "jq"].some(lacks))(
  "takes the 200 work items of the sample to their end with a runner, a Python worker, a curl worker and an MCP client",
  async () => {
    const url = await serve("together.db");
    const client = new Client({ url });
    expect(await (await fetch(url)).text()).toContain("<title>serial-gate</title>");

    const items = parseWorkItems(readFileSync(SAMPLE, "utf8"), SAMPLE);
    for (const { repo, work_item, files, lines } of items)
      await client.createTask({ repo, work_item_id: work_item, entry_job: { payload: { files, lines } } });

    const env = { SERIAL_GATE_URL: url };
    const clients = join(folder, "node_modules/serial-gate/clients");
    const analyse = `jq -c '{stage: "development", next: [{agent: "developer", payload}]}' > "$SERIAL_GATE_OUTCOME"`;
    const agents = ["work", "--agent", "analyst", "--concurrency", "3", "--", "sh", "-c", analyse] as const;
    start([serialGate(), ...agents], env).stdout?.resume();
    const steps = join(ROOT, "test/clients/steps.py");
    start(["python3", steps, join(clients, "python"), "developer,tester"], env).stdout?.resume();
    const deploy = join(ROOT, "test/clients/deploy.sh");
    start(["bash", join(clients, "shell/worker.sh"), "deployer", deploy], env).stdout?.resume();
    let isOver = false;
    const reviews = review(url, () => isOver);

    await expect
      .poll(async () => Object.keys((await client.queue()).serial_gate.per_repo), {
        timeout: 170_000,
        interval: 500,
      })
      .toEqual([]);
    isOver = true;
    expect(await reviews).toBeGreaterThan(10);

    const store = await openStore(`file:${join(folder, "together.db")}`);
    onTestFinished(() => store.close());
    const tasks = items.map(({ repo, work_item }) => ({ repo, work_item_id: work_item }));
    const { violations, ...verdict } = await store.read(() =>
      verify({ entryAgent: POLICY.entryAgent, tasks }),
    );
    expect(violations).toEqual([]);
    expect(verdict.tasks).toBe(new Set(tasks.map((task) => JSON.stringify(task))).size);
  },
);

it("has types that need neither zod nor the server", () => {
  mkdirSync(join(folder, "types"));
  writeFileSync(
    join(folder, "types/script.ts"),
    `import { createClient, ProblemError, type ClaimedJob, type Queue } from "serial-gate/client";
     import { startWorker, type Outcome } from "serial-gate/worker";
     const gate = createClient({ url: "http://127.0.0.1:8080", token: "t" });
     const queue: Queue = await gate.queue();
     const { jobs } = await gate.claim({ agents: ["developer"] });
     const ids: number[] = jobs.map((job: ClaimedJob) => job.id);
     for await (const job of gate.jobs({ agents: ["a"] })) await job.complete({ stage: "done", result: ids });
     startWorker({ client: gate, handle: async (job): Promise<Outcome> => ({ result: job.payload }) });
     // @ts-expect-error: a claim has no such member
     await gate.claim({ agent: "developer" });
     export { queue, ProblemError };`,
  );
  for (const moduleOptions of [{ module: "nodenext" }, { module: "esnext", moduleResolution: "bundler" }]) {
    const compilerOptions = {
      ...moduleOptions,
      noEmit: true,
      strict: true,
      target: "es2022",
      lib: ["es2023", "dom", "dom.asynciterable"],
      types: [],
    };
    writeFileSync(
      join(folder, "types/tsconfig.json"),
      JSON.stringify({ compilerOptions, files: ["script.ts"] }),
    );
    const { stdout } = spawnSync(
      process.execPath,
      [join(ROOT, "node_modules/typescript/bin/tsc"), "--listFiles", "-p", join(folder, "types")],
      { encoding: "utf8" },
    );
    expect(stdout.split("\n").filter((line) => line.includes("error TS"))).toEqual([]);
    const packages = stdout
      .split("\n")
      .filter((file) => file.includes("node_modules") && !file.includes("typescript/lib"))
      .map((file) => /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(file)?.[1]);
    expect([...new Set(packages)]).toEqual(["serial-gate"]);
  }
});
