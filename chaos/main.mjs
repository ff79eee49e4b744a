/** npm run chaos: crashes, faults and floods on a service that is in use, and a judge that shares nothing with it. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { openServer, postgresDatabase } from "./databases/postgres.mjs";
import { sqliteFile } from "./databases/sqlite.mjs";
import { KILL_SHARES, KILLS } from "./faults/kills.mjs";
import { Life } from "./life.mjs";
import { randomFrom } from "./random.mjs";
import { Report } from "./report.mjs";

const USAGE = `npm run chaos -- [--database sqlite|postgres] [--kills N] [--minutes M] [--seed SEED] [--only FAULT,…] [--keep]

  --database  one database alone; both otherwise
  --kills     how often the service dies, on each database (12)
  --minutes   the longest time, on each database
  --seed      the plan of a run: its calls and its faults. What the system's scheduling makes of it differs
  --only      the faults to take, by name
  --keep      leaves the files of a life in which a promise was broken`;

const KILLS_A_LIFE = 25;

const { values } = parseArgs({
  options: {
    database: { type: "string" },
    kills: { type: "string", default: "12" },
    minutes: { type: "string", default: "1000" },
    seed: { type: "string" },
    only: { type: "string" },
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

const FAULTS = {
  sqlite: async () => ({ ...KILLS, shares: { ...KILL_SHARES } }),
  postgres: async () => ({ ...KILLS, shares: { ...KILL_SHARES } }),
};

const chosen = (faults) => {
  if (values.only === undefined) return faults;
  const names = values.only.split(",");
  const shares = Object.fromEntries(Object.entries(faults.shares).filter(([name]) => names.includes(name)));
  if (Object.keys(shares).length === 0) throw new Error(`--only: choose of ${Object.keys(faults.shares).join(", ")}`);
  return { ...faults, shares };
};

const runOn = async (kind) => {
  const random = randomFrom(`${seed}/${kind}`);
  const until = Date.now() + Number(values.minutes) * 60_000;
  const server = kind === "postgres" ? await openServer() : undefined;
  try {
    const faults = chosen(await FAULTS[kind]());
    for (let left = Number(values.kills), n = 1; left > 0 && Date.now() < until; n += 1) {
      const own = join(folder, `${kind}-${n}`);
      const database = server ? await postgresDatabase(server, `life_${n}`) : sqliteFile(own);
      const life = new Life({
        name: `${kind}, life ${n}`,
        seed,
        random: random.fork(n),
        database,
        faults,
        kills: Math.min(left, KILLS_A_LIFE),
        folder: own,
        until,
      });
      await life.run();
      report.add(kind, life);
      left -= KILLS_A_LIFE;
      if (life.violations.length > 0) {
        if (values.keep) console.log(`The files are in ${own}.`);
        return;
      }
      await life.remove();
    }
  } finally {
    await server?.remove();
  }
};

console.log(`seed ${seed}`);
for (const kind of values.database === undefined ? ["sqlite", "postgres"] : [values.database]) await runOn(kind);
if (!values.keep) rmSync(folder, { recursive: true, force: true });
report.print();
process.exit(report.violations.length > 0 ? 1 : 0);
