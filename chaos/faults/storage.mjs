/** Faults of the storage under a SQLite file. While one lasts, calls may be refused with 503; nothing acknowledged is lost, and
 *  the service goes on when it is over. */

import { spawnSync } from "node:child_process";
import { closeSync, existsSync, openSync, rmSync, statSync, writeSync } from "node:fs";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import Database from "better-sqlite3";
import { recovered } from "./recovery.mjs";

const { EIO, ENOSPC, EROFS } = constants.errno;
const RECOVERY_MS = 20_000;

/** With a fault for some time, in the midst of use. */
const during = async (life, begin, end) => {
  if (!(await life.ready())) return;
  await sleep(life.random.between(100, 400));
  begin();
  await sleep(life.random.between(200, 1_500));
  end();
  await recovered(life, RECOVERY_MS);
  await sleep(life.random.between(50, 300));
};

/** A service on a disk that fails as it is told. */
const withDisk = (run) => async (life) => {
  const { disk } = life;
  if (!disk.set) return { skipped: disk.reason };
  for (const name of ["syncErrno", "writeErrno", "killAtDatabase", "killAtLog"]) disk.set(name, 0);
  life.start({ env: disk.env });
  return run(life, disk);
};

const powerCut = withDisk(async (life, disk) => {
  if (!(await life.ready())) return;
  await sleep(life.random.between(100, 900));
  await life.service.kill();
  life.counts.writesLost = (life.counts.writesLost ?? 0) + disk.cutPower(life.random);
});

/** The log of a service that ends is copied into the file: it is killed at one of those writes. */
const checkpoint = withDisk(async (life, disk) => {
  if (!(await life.ready())) return;
  await sleep(life.random.between(100, 600));
  disk.set("killAtDatabase", life.random.between(1, 60));
  life.town.stopping = true;
  await Promise.race([life.service.kill("SIGTERM"), sleep(15_000)]);
  return { isExit: life.service.end?.code === 0 };
});

const tornWrite = withDisk(async (life, disk) => {
  if (!(await life.ready())) return;
  await sleep(life.random.between(100, 600));
  disk.set("killAtLog", life.random.between(1, 30));
  await Promise.race([life.service.ended, sleep(3_000)]);
});

const failing = (name, errno) =>
  withDisk((life, disk) =>
    during(
      life,
      () => disk.set(name, errno),
      () => disk.set(name, 0),
    ),
  );

/** The files of the process may not grow. */
const fileSize = async (life) => {
  life.start();
  const limit = (bytes) =>
    spawnSync("prlimit", ["--pid", String(life.service.pid), `--fsize=${bytes}:unlimited`]);
  if (limit("unlimited").error) return { skipped: "this machine has no prlimit" };
  return during(
    life,
    () => limit(existsSync(`${life.database.file}-wal`) ? statSync(`${life.database.file}-wal`).size : 4_096),
    () => limit("unlimited"),
  );
};

/** Another program's write lock. */
const locked = async (life) => {
  life.start();
  let other;
  await during(
    life,
    () => {
      other = new Database(life.database.file, { timeout: 2_000 });
      try {
        other.exec("BEGIN IMMEDIATE");
      } catch {
        // It is busy all the time: then nobody is kept out.
      }
    },
    () => other.close(),
  );
};

const needsMount = (run) => (life) => (life.mounted ? run(life) : { skipped: life.notMounted });

/** The file system has no room. */
const full = needsMount(async (life) => {
  life.start();
  const ballast = join(dirname(life.database.file), "ballast");
  await during(
    life,
    () => {
      const fd = openSync(ballast, "w");
      try {
        for (const block = Buffer.alloc(65_536); ;) if (writeSync(fd, block) < block.length) break;
      } catch {
        // It is full.
      }
      closeSync(fd);
    },
    () => rmSync(ballast),
  );
});

/** A file system that is read-only at a start. The service says so in a sentence and does not start; or, where a log was left
 *  over that it can read, it serves reads, refuses every change with 503, and takes them once it may write. */
const readOnly = needsMount(async (life) => {
  const remount = (how) => spawnSync("mount", ["-o", `remount,${how}`, dirname(life.database.file)]).status;
  const isReadOnly = existsSync(life.database.file) && remount("ro") === 0;
  life.start();
  await life.service.ready(4_000);
  if (isReadOnly) remount("rw");
  if (!life.service.end) {
    await recovered(life, RECOVERY_MS);
    return {};
  }
  const words = life.service.lines.join("\n");
  if (life.service.end.code !== 1 || !words.includes(life.database.file) || /\n\s+at /.test(words))
    life.wrong([
      `${life.now}: on a read-only file system the service ended with ${JSON.stringify(life.service.end)}: ${words}`,
    ]);
  return { isExit: true };
});

const named = (name, run) => ({ name, run });

export const STORAGE = {
  powercut: named("power cut: unsynced writes are gone", powerCut),
  checkpoint: named("during a checkpoint", checkpoint),
  torn: named("in the midst of a write to the log", tornWrite),
  fsync: named("after fsync failed for a while (EIO)", failing("syncErrno", EIO)),
  write: named("after writes failed for a while (EIO)", failing("writeErrno", EIO)),
  nospace: named("after writes failed for a while (ENOSPC)", failing("writeErrno", ENOSPC)),
  turned: named("after the file system was read-only for a while (EROFS)", failing("writeErrno", EROFS)),
  full: named("after the file system was full", full),
  fsize: named("after the files could not grow", fileSize),
  lock: named("after another program's write lock", locked),
  readonly: named("on a read-only file system", readOnly),
};
export const STORAGE_SHARES = {
  powercut: 12,
  checkpoint: 5,
  torn: 4,
  fsync: 3,
  write: 3,
  nospace: 2,
  turned: 2,
  full: 3,
  fsize: 2,
  lock: 4,
  readonly: 1,
};

/** Mounts a small file system for a life's file, where that is allowed. */
export const mountFor = (folder) => {
  if (process.getuid?.() !== 0 || process.platform !== "linux")
    return { reason: "only root may mount a file system" };
  const { status, error } = spawnSync("mount", ["-t", "tmpfs", "-o", "size=96m", "tmpfs", folder]);
  if (error || status !== 0) return { reason: "this system does not let us mount a file system" };
  const unmount = () => spawnSync("umount", ["-l", folder]);
  process.once("exit", unmount);
  return {
    unmount: () => {
      process.removeListener("exit", unmount);
      unmount();
    },
  };
};
