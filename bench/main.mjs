/** The benchmarks: every figure that the program must reach, measured side by side in one run.
 *    node scripts/bench.mjs [--only PATTERN] [--rounds N] [--quick] [--json] [--document]
 *  The table goes to stdout, and with --document into docs/performance.md in the place of the one that is there; what
 *  is going on goes to stderr. The exit code says whether all could be measured, not whether
 *  all was reached: that depends on the machine. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { makeBacklog, makeLanes } from "./backlog.mjs";
import { makeDatabase, openKind } from "./databases.mjs";
import { count, table } from "./figures.mjs";
import { summary } from "./rounds.mjs";
import * as gate from "./rows/gate.mjs";
import * as growth from "./rows/growth.mjs";
import * as http from "./rows/http.mjs";
import * as peers from "./rows/peers.mjs";
import * as queue from "./rows/queue.mjs";
import * as steady from "./rows/steady.mjs";

const GROUPS = [gate, http, steady, queue, growth, peers];
const KINDS = ["sqlite", "postgres"];

/** Where the document has the table. */
const MEASURED = /(<!-- measured -->\n)[\s\S]*?\n(<!-- \/measured -->)/;

const FULL = {
  rounds: 5,
  deep: { jobs: 1_000_000, lanes: 10_000 },
  shallow: { jobs: 1_000, lanes: 10 },
  free: { jobs: 200_000, lanes: 2_000 },
  steady: { jobs: 100_000, lanes: 1_000 },
  queue: { jobs: 100_000, lanes: 10_000 },
  crowd: { jobs: 20_000, lanes: 200 },
  keys: { jobs: 100_000, lanes: 1_000 },
  finished: { tasks: 2_000 },
  slices: 3,
  warmGateMs: 300,
  warmMs: 500,
  sampleMs: 300,
  peerMs: 500,
  idle: { polls: 1_000, waitMs: 60_000, settleMs: 2_000, windowMs: 2_000, windows: 5 },
};

/** Sizes that show that all of it works, and nothing else. */
const QUICK = {
  rounds: 1,
  deep: { jobs: 1_000, lanes: 100 },
  shallow: { jobs: 100, lanes: 10 },
  free: { jobs: 6_000, lanes: 60 },
  steady: { jobs: 10_000, lanes: 100 },
  queue: { jobs: 1_000, lanes: 100 },
  crowd: { jobs: 1_000, lanes: 10 },
  keys: { jobs: 10_000, lanes: 100 },
  finished: { tasks: 500 },
  slices: 1,
  warmGateMs: 20,
  warmMs: 50,
  sampleMs: 50,
  peerMs: 100,
  idle: { polls: 20, waitMs: 1_000, settleMs: 200, windowMs: 400, windows: 2 },
};

const { values: options } = parseArgs({
  options: {
    only: { type: "string", default: "" },
    rounds: { type: "string" },
    quick: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    document: { type: "boolean", default: false },
  },
});
const sizes = options.quick ? QUICK : FULL;
const rounds = Number(options.rounds ?? sizes.rounds);
const pattern = new RegExp(options.only, "i");

/** Logs the current step after the seconds since the start. */
const say = (text) =>
  process.stderr.write(`${(performance.now() / 1_000).toFixed(0).padStart(4)} s  ${text}\n`);
const folder = mkdtempSync(join(tmpdir(), "serial-gate-bench-"));
const ends = [() => rmSync(folder, { recursive: true, force: true })];

/** Memoizes a function by key. */
const once = (make) => {
  const made = new Map();
  return (key) => {
    if (!made.has(key)) made.set(key, make(key));
    return made.get(key);
  };
};

const FILL = {
  deep: (databases) => makeBacklog(databases, "deep", { held: sizes.deep, free: sizes.free }),
  shallow: (databases) => makeBacklog(databases, "shallow", { held: sizes.shallow, free: sizes.free }),
  off: (databases) => makeBacklog(databases, "off", { held: sizes.shallow, free: sizes.free, marked: "all" }),
  queue: (databases) => makeLanes(databases, "queue", sizes.queue),
  lane: (databases) => makeLanes(databases, "lane", { ...sizes.queue, lanes: 1 }),
  crowd: (databases) => makeLanes(databases, "crowd", sizes.crowd),
  steady: (databases) => makeLanes(databases, "steady", sizes.steady),
  finished: (databases) => makeDatabase(databases, "finished", async () => undefined),
  pages: (databases) => makeLanes(databases, "pages", sizes.steady),
  keys: (databases) => makeLanes(databases, "keys", sizes.keys),
};

/** The databases of a kind, with those that are filled: each once, when it is first asked for. */
const databasesOf = once(async (kind) => {
  const databases = await openKind(kind, folder);
  ends.unshift(databases.close);
  const filled = once((name) => {
    say(`${databases.kind}: making the database ${name} …`);
    return FILL[name](databases);
  });
  return { ...databases, filled };
});

let peerDatabases = 0;
/** The server of the queues that are compared with: PostgreSQL's, whatever our own kind is. */
const peerDatabase = {
  empty: async () => {
    const databases = await databasesOf("postgres");
    peerDatabases += 1;
    await databases.create(`peer_${peerDatabases}`);
    return databases.url(`peer_${peerDatabases}`);
  },
};

const reachOf = ({ reach }, kind) => reach[kind] ?? (reach.text === undefined ? undefined : reach);

const rowOf = ({ id, figure }, kind, reach, { samples, spread, ...result }) => {
  const { median, least, most } = samples
    ? { ...summary(spread ?? samples), median: summary(samples).median }
    : {};
  return {
    id,
    figure,
    on: kind === "sqlite" ? "SQLite" : "PostgreSQL",
    ...result,
    ...(samples ? { median, least, most, samples: spread ?? samples } : {}),
    reach: reach.text,
    reached: samples && reach.isReached ? (reach.isReached(median) ? "yes" : "no") : undefined,
  };
};

const measured = [];
let failed = false;
for (const kind of KINDS)
  for (const { rows, measure } of GROUPS) {
    const wanted = rows(sizes)
      .map((row) => ({ ...row, reach: reachOf(row, kind) }))
      .filter(({ id, figure, reach }) => reach !== undefined && pattern.test(`${kind} ${id} ${figure}`));
    if (wanted.length === 0) continue;
    const missing = new Map(wanted.map((row) => [row.id, row]));
    const take = (id, result) => {
      const row = missing.get(id);
      missing.delete(id);
      measured.push(rowOf(row, kind, row.reach, result));
      const { on, figure, median, unit = "", skipped } = measured.at(-1);
      say(`${on}: ${figure}: ${skipped ? `skipped: ${skipped}` : `${median.toPrecision(3)}${unit}`}`);
    };
    try {
      const context = {
        databases: await databasesOf(kind),
        sizes,
        rounds,
        wants: (id) => missing.has(id),
        folder,
        logs: join(folder, "processes.log"),
        peerDatabase,
      };
      for await (const { id, ...result } of measure(context)) take(id, result);
    } catch (error) {
      failed = true;
      say(error.stack);
      for (const id of [...missing.keys()])
        take(id, { skipped: `it failed: ${error.message.split("\n")[0]}` });
    }
  }

if (measured.length === 0) {
  failed = true;
  say(`No figure matches --only ${options.only}.`);
}

const machine = {
  at: new Date().toISOString(),
  node: process.version,
  // A server that did not start has no version; its rows say why.
  databases: (
    await Promise.allSettled(
      KINDS.filter((kind) => measured.some(({ on }) => on.toLowerCase().startsWith(kind))).map(databasesOf),
    )
  ).flatMap(({ value }) => (value ? [value.version] : [])),
  cpu: cpus()[0]?.model.trim() ?? "unknown",
  cores: cpus().length,
  memory_gb: Math.round(totalmem() / 1e9),
  rounds,
  quick: options.quick,
};
for (const end of ends) await end();

const shown = `${table(measured)}

${machine.databases.join(", ")}, Node ${machine.node}, ${machine.cores} × ${machine.cpu}, ${count(machine.memory_gb)} GB; ${rounds} rounds, ${machine.at}
`;
process.stdout.write(options.json ? `${JSON.stringify({ machine, rows: measured }, undefined, 2)}\n` : shown);
if (options.document) {
  const document = fileURLToPath(new URL("../docs/performance.md", import.meta.url));
  writeFileSync(document, readFileSync(document, "utf8").replace(MEASURED, `$1\n${shown}\n$2`));
}
// A failed row may have left connections open.
if (failed) process.exit(1);
