/** The permissions of a database file. It has payloads, results and lease tokens in it, so it is made for its owner alone; one that
 *  exists keeps its permissions, because another program may need them. */

import { randomUUID } from "node:crypto";
import { closeSync, existsSync, linkSync, mkdirSync, openSync, renameSync, rmSync, statSync } from "node:fs";
import { dirname, resolve, sep } from "node:path";

const PRIVATE_FOLDER = 0o700;
const PRIVATE_FILE = 0o600;

const hasCode = (error: unknown, ...codes: readonly string[]): boolean =>
  error instanceof Error && "code" in error && codes.includes(String(error.code));

/** Gives a file its name, unless something has it.
 *  @throws the system's error */
export const nameUnlessTaken = (made: string, name: string): boolean => {
  try {
    linkSync(made, name);
    return true;
  } catch (error) {
    if (hasCode(error, "EEXIST")) return false;
    // Some file systems have no hard links.
    if (!hasCode(error, "EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS")) throw error;
    if (existsSync(name)) return false;
    renameSync(made, name);
    return true;
  }
};

/** Creates the file and its folder, unless they are there. It has its name only once `make` has filled it, so that no crash
 *  leaves an empty one. SQLite gives the -wal and -shm beside it the same permissions.
 *  @throws the error of the system, or of `make` */
export const createPrivately = (file: string, make: (unnamed: string) => void): void => {
  mkdirSync(dirname(file), { recursive: true, mode: PRIVATE_FOLDER });
  if (existsSync(file)) return;
  const unnamed = `${file}.new-${randomUUID()}`;
  try {
    closeSync(openSync(unnamed, "wx", PRIVATE_FILE));
    make(unnamed);
    nameUnlessTaken(unnamed, file);
  } finally {
    rmSync(unnamed, { force: true });
  }
};

/** Makes a file that must not exist, private to its owner. It has its name only once `make` is done with it.
 *  @returns false, and makes nothing, when something has the name
 *  @throws the error of the system, or of `make` */
export const copyPrivately = async (
  file: string,
  make: (unnamed: string) => Promise<void>,
): Promise<boolean> => {
  if (existsSync(file)) return false;
  const unnamed = resolve(`${file}.new-${randomUUID()}`);
  closeSync(openSync(unnamed, "wx", PRIVATE_FILE));
  try {
    await make(unnamed);
    return nameUnlessTaken(unnamed, file);
  } finally {
    for (const beside of ["", "-wal", "-shm", "-journal"]) rmSync(`${unnamed}${beside}`, { force: true });
  }
};

/** The users that have access to a file, besides its owner: bits of the mode, without those that its folder keeps out. */
const openBits = (file: string): number => {
  const mode = statSync(file).mode & 0o077;
  const folder = statSync(dirname(file)).mode;
  const passable = ((folder & 0o010) !== 0 ? 0o070 : 0) | ((folder & 0o001) !== 0 ? 0o007 : 0);
  return mode & passable;
};

/** A sentence when users of this machine other than the owner have access to the file; none otherwise. */
export const filePermissionFaults = (path: string): string[] => {
  // Windows has no such bits.
  if (path === ":memory:" || sep !== "/") return [];
  const file = resolve(path);
  let bits: number;
  try {
    bits = openBits(file);
  } catch {
    return []; // Opening the file reports it.
  }
  if (bits === 0) return [];
  const others = (bits & 0o007) !== 0 ? "every user of this machine" : "its group";
  const mode = (statSync(file).mode & 0o777).toString(8);
  return [
    `The database ${file} is open to ${others} (mode ${mode}), with its payloads and lease tokens. Unless another program needs that: chmod 600 ${file}`,
  ];
};
