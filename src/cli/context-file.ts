/** The file of the contexts, in the user's own configuration folder and readable by the user alone. */

import { mkdirSync, chmodSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { randomUUID } from "node:crypto";
import { homedir } from "node:os";
import { dirname, isAbsolute, join, sep } from "node:path";
import { ConnectionError } from "../config/client.ts";
import { contextsText, NO_CONTEXTS, parseContexts, type Contexts } from "../config/contexts.ts";
import type { Env } from "../config/env.ts";

/** A relative XDG_CONFIG_HOME is ignored, as its specification says: it would lead into the working folder. */
export const contextFileOf = ({ XDG_CONFIG_HOME = "" }: Env): string =>
  join(
    isAbsolute(XDG_CONFIG_HOME) ? XDG_CONFIG_HOME : join(homedir(), ".config"),
    "serial-gate",
    "contexts.json",
  );

/** Windows has no such bits. */
const hasModes = sep === "/";

const modeOf = (path: string): number => (hasModes ? statSync(path).mode & 0o777 : 0);

/** Others who may write to it could send the token to an address of theirs. */
const refuseShared = (file: string): void => {
  for (const [path, mode, open] of [
    [dirname(file), "700", 0o022],
    [file, "600", 0o077],
  ] as const)
    if ((modeOf(path) & open) !== 0)
      throw new ConnectionError(`${path} is open to other users of this machine: chmod ${mode} ${path}`);
};

/** @throws ConnectionError for a file that others may read or that is malformed */
export const readContexts = (env: Env): Contexts => {
  const file = contextFileOf(env);
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && ["ENOENT", "ENOTDIR"].includes(String(error.code)))
      return NO_CONTEXTS;
    throw new ConnectionError(
      `${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
  refuseShared(file);
  const contexts = parseContexts(text);
  if (contexts === undefined)
    throw new ConnectionError(
      `${file} is not the file of \`serial-gate login\`: remove it, and log in again.`,
    );
  return contexts;
};

/** Writes the whole file and then puts it in the place of the old one: a reader sees one or the other. */
export const writeContexts = (env: Env, contexts: Contexts): void => {
  const file = contextFileOf(env);
  const folder = dirname(file);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (hasModes) chmodSync(folder, 0o700);
  const fresh = join(folder, `.${randomUUID()}`);
  try {
    writeFileSync(fresh, contextsText(contexts), { mode: 0o600, flag: "wx" });
    renameSync(fresh, file);
  } catch (error) {
    rmSync(fresh, { force: true });
    throw error;
  }
};
