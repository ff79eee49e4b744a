/** Processes of their own beside the bench: what they serve is measured over a real socket. */

import { fork } from "node:child_process";
import { once } from "node:events";
import { openSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const lastWords = (logs) => readFileSync(logs, "utf8").slice(-2_000);

const inFolder = (name) => fileURLToPath(new URL(`./processes/${name}.mjs`, import.meta.url));

/** Starts a script of the folder `processes` and waits for its first message.
 *  @param logs the file that its words go to */
export const start = async (
  name,
  { logs, env = {}, execPath = process.execPath, execArgv = [], args = [] },
) => {
  const log = openSync(logs, "a");
  const child = fork(inFolder(name), args, {
    env: { PATH: process.env.PATH, NODE_ENV: "production", ...env },
    execPath,
    execArgv,
    stdio: ["ignore", log, log, "ipc"],
  });
  const ended = once(child, "exit");
  const failed = ended.then(([code]) => {
    throw new Error(`The process ${name} ended with ${code}:\n${lastWords(logs)}`);
  });
  failed.catch(() => undefined); // Nothing, unless something is asked for.
  const [hello] = await Promise.race([once(child, "message"), failed]);
  return {
    ...hello,
    pid: child.pid,
    /** Asks the process for what it offers. */
    ask: async (what) => {
      child.send(what);
      const [{ answer }] = await Promise.race([once(child, "message"), failed]);
      return answer;
    },
    stop: async () => {
      child.disconnect();
      await ended;
    },
  };
};
