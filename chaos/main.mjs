/** npm run chaos: crashes, faults and floods on a service that is in use, and a judge that shares nothing with it. */

import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Cluster } from "./databases/cluster.mjs";
import { postgresDatabase } from "./databases/postgres.mjs";
import { sqliteFile } from "./databases/sqlite.mjs";
import { buildDisk, diskFor } from "./faults/disk.mjs";
import { KILL_SHARES, KILLS } from "./faults/kills.mjs";
import { SERVER_SHARES, serverFaults } from "./faults/server.mjs";
import { mountFor, STORAGE, STORAGE_SHARES } from "./faults/storage.mjs";
import { Life } from "./life.mjs";
import { randomFrom } from "./random.mjs";
import { Report } from "./report.mjs";

const USAGE = `npm run chaos -- [--database sqlite|postgres] [--kills N] [--minutes M] [--seed SEED] [--only FAULT,…] [--moment NAME] [--keep]

  --database  one database alone; both otherwise
  --kills     how often the service dies, on each database (12)
  --minutes   the longest time, on each database
  --seed      the plan of a run: its calls and its faults. What the system's scheduling makes of it differs
  --only      the faults to take, by name
  --moment    the failpoint to take, by name (faults/failpoints.mjs)
  --keep      leaves the files of a life in which a promise was broken`;

const KILLS_A_LIFE = 25;

const { values } = parseArgs({
  options: {
    database: { type: "string" },
    kills: { type: "string", default: "12" },
    minutes: { type: "string", default: "1000" },
    seed: { type: "string" },
    only: { type: "string" },
    moment: { type: "string" },
    keep: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  console.log(USAGE);
  process.exit(0);
}

const seed = values.seed ?? String(Date.now() % 1_000_000);
const folder = mkdtempSync(join(tmpdir(), "serial-gate-chaos-"));
const report = new Report(seed);

const library = buildDisk(folder);

/** The databases of a kind, and the faults that it knows. */
const KINDS = {
  sqlite: async () => ({
    faults: { ...KILLS, ...STORAGE, shares: { ...KILL_SHARES, ...STORAGE_SHARES } },
    open: async (own) => {
      const disk = join(own, "disk");
      mkdirSync(disk, { recursive: true });
      const mount = mountFor(disk);
      const database = sqliteFile(disk, own);
      return {
        database,
        disk: library.path === undefined ? library : diskFor(library, database.file, own),
        mounted: mount.unmount !== undefined,
        notMounted: mount.reason,
        close: async () => mount.unmount?.(),
      };
    },
    close: async () => undefined,
  }),
  postgres: async () => {
    const cluster = await Cluster.open();
    return {
      faults: { ...KILLS, ...serverFaults(cluster), shares: { ...KILL_SHARES, ...SERVER_SHARES } },
      open: async (own, n) => {
        const database = await postgresDatabase(cluster, `life_${n}`);
        return { database, close: () => database.remove() };
      },
      close: () => cluster.close(),
    };
  },
};

const chosen = (faults) => {
  if (values.only === undefined) return faults;
  const names = values.only.split(",");
  const shares = Object.fromEntries(Object.entries(faults.shares).filter(([name]) => names.includes(name)));
  if (Object.keys(shares).length === 0)
    throw new Error(`--only: choose of ${Object.keys(faults.shares).join(", ")}`);
  return { ...faults, shares };
};

const runOn = async (name) => {
  const random = randomFrom(`${seed}/${name}`);
  const until = Date.now() + Number(values.minutes) * 60_000;
  const kind = await KINDS[name]();
  try {
    const faults = chosen(kind.faults);
    for (let left = Number(values.kills), n = 1; left > 0 && Date.now() < until; n += 1) {
      const own = join(folder, `${name}-${n}`);
      mkdirSync(own);
      const ground = await kind.open(own, n);
      const kills = Math.min(left, KILLS_A_LIFE);
      const life = new Life({
        name: `${name}, life ${n}`,
        random: random.fork(n),
        faults,
        kills,
        until,
        moment: values.moment,
        ...ground,
      });
      await life.run();
      report.add(name, life);
      left -= KILLS_A_LIFE;
      const isBroken = life.violations.length > 0;
      await ground.close();
      if (isBroken && values.keep) console.log(`What the last crash left is in ${own}.`);
      else rmSync(own, { recursive: true, force: true });
      if (isBroken) return;
    }
  } finally {
    await kind.close();
  }
};

console.log(`seed ${seed}`);
for (const kind of values.database === undefined ? ["sqlite", "postgres"] : [values.database])
  await runOn(kind);
if (!values.keep) rmSync(folder, { recursive: true, force: true });
report.print();
process.exit(report.violations.length > 0 ? 1 : 0);
