/** A PostgreSQL server behind a relay, and a standby that can take its place: what was acknowledged is on both, because a
 *  commit waits for the standby. */

import { spawnSync } from "node:child_process";
import { appendFileSync, chownSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { askOnce, killServer, openServer } from "./postgres.mjs";
import { relayTo } from "./relay.mjs";

const SYNC_MS = 30_000;

/** Writes a file that belongs to the user of the server. */
const writeData = (folder, name, text) => {
  const { uid, gid } = statSync(folder);
  writeFileSync(join(folder, name), text);
  chownSync(join(folder, name), uid, gid);
};

/** Copies the data of a server that runs, as `pg_basebackup` does. */
const backUp = async (server, into) => {
  const client = new pg.Client(server.url("postgres"));
  await client.connect();
  try {
    await client.query("SELECT pg_backup_start('standby', true)");
    for (const name of readdirSync(into)) rmSync(join(into, name), { recursive: true, force: true });
    // With owners and modes, which PostgreSQL checks; files that go away meanwhile are in the log.
    spawnSync("cp", ["-a", `${server.data}/.`, into]);
    for (const name of ["postmaster.pid", "postmaster.opts"]) rmSync(join(into, name), { force: true });
    const { rows } = await client.query("SELECT labelfile FROM pg_backup_stop(false)");
    writeData(into, "backup_label", rows[0].labelfile);
  } finally {
    await client.end();
  }
};

export class Cluster {
  /** The server that is the primary now. */
  server;
  #relay;

  static async open() {
    const cluster = new Cluster();
    cluster.server = await openServer();
    cluster.#relay = await relayTo(new URL(cluster.server.url("postgres")).port);
    return cluster;
  }

  /** The address that a service is given. */
  url(database) {
    const url = new URL(this.server.url(database));
    url.port = this.#relay.port;
    return url.href;
  }

  /** Makes a standby whose copy every commit waits for.
   *  @returns a function that kills the primary, promotes the standby and leads everybody there */
  async standby() {
    const primary = this.server;
    const standby = await openServer();
    await standby.stop();
    await backUp(primary, standby.data);
    const { port, username, password } = new URL(primary.url("postgres"));
    writeData(standby.data, "standby.signal", "");
    appendFileSync(
      join(standby.data, "postgresql.auto.conf"),
      `primary_conninfo = 'host=127.0.0.1 port=${port} user=${username} password=${password}'\n`,
    );
    await standby.start();
    const admin = (text) => askOnce(primary.url("postgres"), text);
    await admin("ALTER SYSTEM SET synchronous_standby_names = '*'");
    await admin("SELECT pg_reload_conf()");
    for (const until = Date.now() + SYNC_MS; ; await sleep(50)) {
      const [state] = await admin("SELECT sync_state FROM pg_stat_replication");
      if (state?.sync_state === "sync") break;
      if (Date.now() > until) throw new Error("The standby does not follow its primary.");
    }
    return async () => {
      await killServer(primary);
      await askOnce(standby.url("postgres"), "SELECT pg_promote()");
      this.server = standby;
      this.#relay.leadTo(new URL(standby.url("postgres")).port);
      await primary.remove();
    };
  }

  async close() {
    this.#relay.close();
    await this.server.remove();
  }
}
