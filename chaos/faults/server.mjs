/** Faults of a PostgreSQL server while the service runs. Then the service is killed as well. */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { askOnce, killServer } from "../databases/postgres.mjs";
import { recovered } from "./recovery.mjs";

const RECOVERY_MS = 45_000;

/** Starts a server that was killed, once the system has ended all its processes. */
const restart = async (server) => {
  for (let left = 60; ; left -= 1)
    try {
      return await server.start();
    } catch (error) {
      if (left === 0) throw error;
      await sleep(250);
    }
};

const during = (fault) => async (life) => {
  life.start();
  if (!(await life.ready())) return;
  await sleep(life.random.between(100, 400));
  await fault(life);
  await recovered(life, RECOVERY_MS);
  await sleep(life.random.between(50, 300));
};

const cut = async ({ random, database }) => {
  for (let left = random.between(3, 12); left > 0; left -= 1) {
    await database.cut(random.between(1, 4));
    await sleep(random.between(20, 150));
  }
};

const named = (name, run) => ({ name, run: during(run) });

/** @param cluster the server, and the standby that takes its place */
export const serverFaults = (cluster) => ({
  cut: named("after connections were cut", cut),
  killed: named("after the server was killed", async ({ random }) => {
    await killServer(cluster.server);
    await sleep(random.between(100, 1_500));
    await restart(cluster.server);
  }),
  stopped: named("after the server was restarted", async ({ random }) => {
    await cluster.server.stop();
    await sleep(random.between(100, 1_000));
    await cluster.server.start();
  }),
  readonly: named("after the server came back as a standby and was promoted", async ({ random }) => {
    const { server } = cluster;
    await (random.chance(50) ? server.stop() : killServer(server));
    writeFileSync(join(server.data, "standby.signal"), "");
    await restart(server);
    await sleep(random.between(100, 1_500));
    await askOnce(server.url("postgres"), "SELECT pg_promote()");
  }),
  promoted: named("after the server died and its standby was promoted", async ({ random }) => {
    const promote = await cluster.standby();
    await sleep(random.between(100, 1_000));
    await promote();
  }),
});
export const SERVER_SHARES = { cut: 12, killed: 5, stopped: 3, readonly: 2, promoted: 2 };
