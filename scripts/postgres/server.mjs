// @ts-check
/** A PostgreSQL server from npm for tests and benchmarks: nothing to install, also as root, wherever the clone is.
 *  A process of its own runs it (host.mjs) and ends with this one; nothing of a server's is loaded here. */

import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";

/** @typedef {{ settings: Record<string, string>, initdbFlags?: readonly string[] }} Options
 *    settings: those of postgresql.conf */
/** @typedef {Options & { superuser: string, password: string }} Opening */
/** @typedef {{ call: "open", opening: Opening } | { call: "start" | "stop" | "remove" }} Order */

const HOST = fileURLToPath(new URL("host.mjs", import.meta.url));
const SUPERUSER = "postgres";
const PASSWORD = "not-a-secret";

/** Tells in one sentence why there is no server, and the way out. Has no stack: the cause is not in the program. */
export class PostgresUnavailable extends Error {
  /** @param {string} sentence */
  constructor(sentence) {
    super(sentence);
    this.name = "PostgresUnavailable";
    this.stack = sentence;
  }
}

/** Starts a server on a free port of 127.0.0.1. Its files are in the system's temporary folder.
 *  @param {Options} options
 *  @throws PostgresUnavailable when no server starts */
export const startServer = async (options) => {
  // Detached, so that Ctrl-C at the terminal reaches the server's clients only; it ends after them.
  const host = fork(HOST, { execArgv: [], detached: true, stdio: ["ignore", "ignore", "inherit", "ipc"] });
  /** @type {Promise<never>} */
  const ended = new Promise((_, fail) => {
    host.once("error", fail);
    host.once("exit", (code, signal) => {
      fail(new PostgresUnavailable(`The process that runs PostgreSQL ended with ${signal ?? code}.`));
    });
  });
  ended.catch(() => undefined); // Heard by the next order, if there is one.

  /** @type {Promise<unknown>} */
  let earlier = Promise.resolve();
  /** Gives an order after the earlier ones. Keeps this process alive until the answer, and not longer.
   *  @param {Order} order
   *  @returns {Promise<any>} */
  const give = (order) => {
    const answered = earlier.then(async () => {
      host.ref();
      host.channel?.ref();
      const answer = new Promise((hear) => host.once("message", hear));
      host.send(order, () => undefined); // A process that has ended is told of below.
      const told = await Promise.race([answer, ended]);
      host.channel?.unref();
      host.unref();
      if (told.fault !== undefined) throw new PostgresUnavailable(told.fault);
      return told.answer;
    });
    earlier = answered.catch(() => undefined);
    return answered;
  };
  const remove = async () => {
    await give({ call: "remove" });
    host.disconnect();
  };

  /** @type {{ port: number, data: string }} */
  const { port, data } = await give({
    call: "open",
    opening: { ...options, superuser: SUPERUSER, password: PASSWORD },
  }).catch(async (error) => {
    await remove().catch(() => undefined);
    throw error;
  });
  return {
    /** The folder of its data. */
    data,
    url: (/** @type {string} */ database) =>
      `postgres://${SUPERUSER}:${PASSWORD}@127.0.0.1:${port}/${database}`,
    /** Stops it as an operator would: every client is cut off.
     *  @returns {Promise<void>} */
    stop: () => give({ call: "stop" }),
    /** Starts it again on the same port with the same data.
     *  @returns {Promise<void>} */
    start: () => give({ call: "start" }),
    /** Stops it and removes its files. */
    remove,
  };
};
