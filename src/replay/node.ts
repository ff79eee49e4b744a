/** A node of the service as a process of its own, as in production. */

import { fork } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

export interface ServiceNode {
  readonly url: string;
  /** Resolves when the process ends, for whatever reason. */
  readonly died: Promise<Error>;
  /** Asks the process to stop; resolves when it has. */
  stop(): Promise<void>;
}

interface NodeParts {
  readonly databaseUrl: string;
  /** The working folder; a .env in it would be read. */
  readonly folder: string;
  readonly stderr: NodeJS.WritableStream;
}

const PROGRAM = fileURLToPath(new URL("../main.js", import.meta.url));

/** Enough that a fault of a node or of the database never uses up the attempts of a job. */
const MAX_ATTEMPTS = "100";

/** Starts a node on a free port, with defaults for everything but its database and the attempts of a job.
 *  @throws Error when the process ends before it listens */
export const startNode = async ({ databaseUrl, folder, stderr }: NodeParts): Promise<ServiceNode> => {
  const child = fork(PROGRAM, ["serve"], {
    cwd: folder,
    env: { PORT: "0", DATABASE_URL: databaseUrl, LOG_LEVEL: "warn", SERIAL_GATE_MAX_ATTEMPTS: MAX_ATTEMPTS },
    execArgv: [],
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  child.stderr?.pipe(stderr, { end: false });
  const ended = once(child, "close").then(([code, signal]) => ({
    code: code as number | null,
    how: `The service ended with ${String(signal ?? code)}.`,
  }));
  const died = ended.then(({ how }) => new Error(how));
  const said = child.stdout ? once(createInterface(child.stdout), "line") : died;
  const first = await Promise.race([said, died]);
  if (first instanceof Error) throw first;
  const url = /^serial-gate (\S+) on /.exec(String(first[0]))?.[1];
  if (url === undefined) throw new Error(`Unexpected first line from the service: ${String(first[0])}`);
  return {
    url,
    died,
    stop: async () => {
      child.kill("SIGTERM");
      const { code, how } = await ended;
      if (code !== 0) throw new Error(how);
    },
  };
};
