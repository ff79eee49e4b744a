// @ts-check
/** A process that runs one PostgreSQL server for the process that forked it. Stops the server and removes its files
 *  when that process is gone, also after SIGKILL. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { installedBinaries, isOpenToAll, Obstacle, reachableBinaries, serverUser } from "./binaries.mjs";

/** @typedef {import("./binaries.mjs").User} User */
/** @typedef {import("./server.mjs").Order} Order */

const READY = /database system is ready to accept (read-only )?connections/;
/** A server that does not stop within this time (milliseconds) is killed. */
const STOP_MS = 20_000;
const KEPT_LINES = 20;

/** Holds the data, and the copied programs if there are any; empty until a server is opened. */
let folder = "";
/** @type {import("node:child_process").ChildProcess | undefined} initdb, then the server */
let child;
/** @type {() => Promise<void>} */
let start = () => Promise.reject(new Error("No server is open."));

const isRunning = () => child?.pid !== undefined && child.exitCode === null && child.signalCode === null;

const freePort = async () => {
  const listener = createServer().listen(0, "127.0.0.1");
  await once(listener, "listening");
  const address = listener.address();
  listener.close();
  await once(listener, "close");
  return typeof address === "object" ? address?.port : undefined;
};

/** Picks the line that tells most about why a program ended.
 *  @param {readonly string[]} lines */
const lastWords = (lines) =>
  lines.findLast((line) => /FATAL|PANIC|error/i.test(line)) ?? lines.at(-1) ?? "it gave no reason";

/** Runs a program to its end.
 *  @param {{ program: string, args: readonly string[], user: User | undefined, onLine?: (line: string) => void }} run
 *  @returns its exit code or signal, and its last words
 *  @throws Obstacle when the system does not run it */
const run = async ({ program, args, user, onLine }) => {
  child = spawn(program, args, {
    cwd: folder, // The user may not be allowed into this process's own.
    stdio: ["ignore", "ignore", "pipe"],
    ...(user && { uid: user.uid, gid: user.gid }),
  });
  /** @type {string[]} */
  const lines = [];
  if (child.stderr)
    createInterface(child.stderr).on("line", (line) => {
      lines.push(line);
      if (lines.length > KEPT_LINES) lines.shift();
      onLine?.(line);
    });
  try {
    const [code, signal] = await once(child, "close");
    return { code: code ?? signal, words: lastWords(lines) };
  } catch (cause) {
    throw new Obstacle(
      `PostgreSQL cannot be run (${String(cause)}): the clone and TMPDIR must be on file systems from which programs may be run.`,
      { cause },
    );
  }
};

/** Makes a server's data and starts it.
 *  @param {import("./server.mjs").Opening} opening */
const open = async ({ settings, initdbFlags = [], superuser, password }) => {
  const user = serverUser();
  folder = mkdtempSync(join(tmpdir(), "serial-gate-postgres-"));
  chmodSync(folder, 0o755);
  if (user && !isOpenToAll(folder))
    throw new Obstacle(
      `PostgreSQL refuses to run as root, and ${user.name} may not enter ${tmpdir()}: set TMPDIR to a folder that every user may enter, such as /tmp.`,
    );
  const { initdb, postgres } = reachableBinaries(await installedBinaries(), user, join(folder, "program"));
  const data = join(folder, "data");
  mkdirSync(data, { mode: 0o700 });
  if (user) chownSync(data, user.uid, user.gid);
  const passwordFile = join(folder, "password");
  writeFileSync(passwordFile, `${password}\n`, { mode: 0o644 });
  const made = await run({
    program: initdb,
    args: [
      `--pgdata=${data}`,
      `--username=${superuser}`,
      `--pwfile=${passwordFile}`,
      "--auth=password",
      "--encoding=UTF8",
      "--lc-messages=C", // READY is in English.
      ...initdbFlags,
    ],
    user,
  });
  if (made.code !== 0) throw new Obstacle(`PostgreSQL cannot make its files (${made.code}): ${made.words}`);

  const port = await freePort();
  const flags = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  start = async () => {
    if (child && isRunning()) await once(child, "close"); // A test killed it a moment ago.
    await new Promise((ready, fail) => {
      const onLine = (/** @type {string} */ line) => {
        if (READY.test(line)) ready(undefined);
      };
      run({ program: postgres, args: ["-D", data, "-p", `${port}`, ...flags], user, onLine }).then(
        ({ words }) => fail(new Obstacle(`PostgreSQL does not start: ${words}`)),
        fail,
      );
    });
  };
  await start();
  return { port, data };
};

/** @param {NodeJS.Signals} signal SIGINT cuts off every client and saves; SIGQUIT does not save */
const stop = async (signal) => {
  if (!child || !isRunning()) return;
  const closed = once(child, "close");
  child.kill(signal);
  const late = setTimeout(() => child?.kill("SIGKILL"), STOP_MS);
  await closed;
  clearTimeout(late);
};

const remove = async () => {
  await stop("SIGQUIT");
  if (folder !== "") rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
};

/** @param {Order} order */
const carryOut = async (order) => {
  switch (order.call) {
    case "open":
      return open(order.opening);
    case "start":
      return start();
    case "stop":
      return stop("SIGINT");
    case "remove":
      return remove();
  }
};

/** Turns an error into a sentence for people; keeps the stack of an error in this program.
 *  @param {unknown} error */
const sentenceOf = (error) => {
  if (error instanceof Obstacle) return error.message;
  if (!(error instanceof Error)) return String(error);
  if (!("syscall" in error)) return error.stack;
  return `PostgreSQL's files cannot be put into ${tmpdir()} (${error.message}): set TMPDIR to a folder that has room and may be written to.`;
};

process.on("message", (/** @type {Order} */ order) => {
  const tell = (/** @type {object} */ told) => {
    if (process.connected) process.send?.(told);
  };
  carryOut(order).then(
    (answer) => tell({ answer }),
    (error) => tell({ fault: sentenceOf(error) }),
  );
});

process.on("disconnect", () => {
  void remove().finally(() => process.exit());
});
