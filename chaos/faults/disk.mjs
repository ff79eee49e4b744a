/** A disk that fails as it is told, for the service alone: a library between the service and the system (disk.c), which the
 *  machine's own compiler builds. */

import { spawnSync } from "node:child_process";
import { closeSync, ftruncateSync, openSync, readFileSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const SOURCE = fileURLToPath(new URL("disk.c", import.meta.url));
/** The numbers of the shared page, in the order of disk.c. */
const CONTROL = ["syncErrno", "writeErrno", "killAtDatabase", "killAtLog", "syncs"];
const HEADER = 32;

/** Builds the library.
 *  @returns its path, or `{ reason }` where it cannot be built */
export const buildDisk = (folder) => {
  if (process.platform !== "linux") return { reason: "the failing disk is made for Linux" };
  const path = join(folder, "disk.so");
  const { status, error, stderr } = spawnSync("cc", ["-shared", "-fPIC", "-O1", "-o", path, SOURCE, "-ldl"], {
    encoding: "utf8",
  });
  if (error) return { reason: "this machine has no C compiler (cc)" };
  return status === 0 ? { path } : { reason: `cc does not build disk.c: ${stderr.slice(0, 300)}` };
};

/** A disk for one file. */
export const diskFor = ({ path }, file, folder) => {
  const control = join(folder, "control");
  const undo = join(folder, "undo");
  const page = Buffer.alloc(4_096);
  writeFileSync(control, page);
  const set = (name, value) => {
    const fd = openSync(control, "r+");
    const number = Buffer.alloc(4);
    number.writeInt32LE(value);
    writeSync(fd, number, 0, 4, CONTROL.indexOf(name) * 4);
    closeSync(fd);
  };
  return {
    env: { LD_PRELOAD: path, CHAOS_DISK_CONTROL: control, CHAOS_DISK_FILE: file, CHAOS_DISK_UNDO: undo },
    set,
    get: (name) => readFileSync(control).readInt32LE(CONTROL.indexOf(name) * 4),
    /** Takes back what the system was not told to keep, as a power cut does; some of it may have been kept all the same, in
     *  the order of the writes. The service is dead.
     *  @returns how many writes were lost */
    cutPower: (random) => powerCut(undo, file, random),
  };
};

const powerCut = (undo, file, random) => {
  const log = readFileSync(undo);
  const pending = { 1: [], 2: [] };
  for (let at = 0; at + HEADER <= log.length;) {
    const [kind, offset, length, size] = [0, 8, 16, 24].map((member) =>
      Number(log.readBigInt64LE(at + member)),
    );
    at += HEADER;
    if (kind < 0) pending[-kind] = [];
    else pending[kind].push({ offset, size, bytes: log.subarray(at, at + length) });
    at += length;
  }
  let lost = 0;
  for (const [kind, name] of [
    [1, file],
    [2, `${file}-wal`],
  ]) {
    const kept = random.chance(50) ? 0 : random.between(0, pending[kind].length);
    const gone = pending[kind].slice(kept);
    if (gone.length === 0) continue;
    const fd = openSync(name, "r+");
    for (const { offset, size, bytes } of gone.reverse()) {
      writeSync(fd, bytes, 0, bytes.length, offset);
      ftruncateSync(fd, size);
    }
    closeSync(fd);
    lost += gone.length;
  }
  return lost;
};
