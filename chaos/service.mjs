/** The service as a process of its own: `dist/main.js serve`, started, heard and ended by any means. It is the built program
 *  as it is; what a run does to it comes in by the command line of Node or of the system. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath, pathToFileURL } from "node:url";

const PRELOAD = pathToFileURL(fileURLToPath(new URL("faults/failpoints.mjs", import.meta.url))).href;
const KEPT_LINES = 60;

/** The built program. The tool for planted bugs sets another. */
export const PROGRAM =
  process.env.CHAOS_PROGRAM ?? fileURLToPath(new URL("../dist/main.js", import.meta.url));

export const freePort = async () => {
  const listener = createServer().listen(0, "127.0.0.1");
  await once(listener, "listening");
  const { port } = listener.address();
  listener.close();
  await once(listener, "close");
  return port;
};

/** Nothing is left behind, whatever ends this process. */
const running = new Set();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => process.exit(1));

/** True once it answers. */
const isReady = (port) =>
  new Promise((resolve) => {
    const asking = request({ host: "127.0.0.1", port, path: "/readyz", timeout: 5_000 }, (answer) => {
      answer.resume().on("end", () => resolve(answer.statusCode === 200));
    });
    asking.on("error", () => resolve(false)).on("timeout", () => asking.destroy());
    asking.end();
  });

/** Starts the service.
 *  @param failpoint `NAME@N`: the process kills itself there (faults/failpoints.mjs)
 *  @param as the user and group that it runs as */
export const startService = ({ port, env, failpoint, as = {} }) => {
  const child = spawn(
    process.execPath,
    [...(failpoint === undefined ? [] : ["--import", PRELOAD]), PROGRAM, "serve"],
    {
      cwd: "/",
      env: {
        PATH: process.env.PATH,
        HOST: "127.0.0.1",
        PORT: String(port),
        LOG_LEVEL: "warn",
        NODE_ENV: "production",
        ...(failpoint === undefined ? {} : { CHAOS_FAILPOINT: failpoint }),
        ...env,
      },
      stdio: ["ignore", "pipe", "pipe"],
      ...as,
    },
  );
  const lines = [];
  const hear = (text) => {
    lines.push(...text.split("\n").filter(Boolean));
    lines.splice(0, lines.length - KEPT_LINES);
  };
  child.stdout.setEncoding("utf8").on("data", hear);
  child.stderr.setEncoding("utf8").on("data", hear);
  running.add(child);
  let end;
  const ended = once(child, "close").then(([code, signal]) => {
    running.delete(child);
    return (end = { code, signal });
  });
  return {
    pid: child.pid,
    ended,
    lines,
    /** How it ended; undefined while it runs. */
    get end() {
      return end;
    },
    /** Resolves with true once it is ready, with false when it has ended before or is not in time. */
    ready: async (ms = 60_000) => {
      for (const until = Date.now() + ms; !end && Date.now() < until; await sleep(20))
        if (await isReady(port)) return true;
      return false;
    },
    kill: async (signal = "SIGKILL") => {
      child.kill(signal);
      return ended;
    },
  };
};
