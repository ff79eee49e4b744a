/** One replay: starts the nodes, each a process of its own, drives them over HTTP, stops them, then verifies the
 *  database. */

import { Client } from "../client/client.ts";
import { verify } from "./verify.ts";
import { openStore } from "../store/open.ts";
import { startNode, type ServiceNode } from "./node.ts";
import { showProgress } from "./progress.ts";
import type { Report } from "./report.ts";
import { ENTRY_AGENT, simulate, type Simulation } from "./simulation.ts";
import type { WorkItem } from "./work-items.ts";

interface Run {
  readonly items: readonly WorkItem[];
  readonly workers: number;
  /** Number of service processes. */
  readonly nodes: number;
  /** An empty database, or a file that does not exist yet. */
  readonly databaseUrl: string;
  /** Working folder of the nodes. */
  readonly folder: string;
  /** Receives the progress, the failures and the logs of the nodes. */
  readonly stderr: NodeJS.WriteStream;
  /** Registers a callback for a request to stop the process. */
  readonly onStop: (stop: () => void) => void;
}

/** Without any progress for this long, the run counts as stuck. */
const STUCK_AFTER_MS = 60_000;
const SHOWN_FAILURES = 20;

/** Calls `onStuck` when the simulation makes no progress, until the returned function is called. */
const watchProgress = ({ tally }: Simulation, onStuck: (error: Error) => void): (() => void) => {
  let seen = "";
  const timer = setInterval(() => {
    const now = JSON.stringify(tally);
    if (now === seen) onStuck(new Error(`No progress for ${STUCK_AFTER_MS / 1_000} s.`));
    seen = now;
  }, STUCK_AFTER_MS);
  return () => {
    clearInterval(timer);
  };
};

type NodeParts = Parameters<typeof startNode>[0];

/** Starts all nodes or none.
 *  @throws Error of the first node that does not start */
const startNodes = async (count: number, parts: NodeParts): Promise<ServiceNode[]> => {
  const starting = await Promise.allSettled(Array.from({ length: count }, () => startNode(parts)));
  const nodes = starting.flatMap((start) => (start.status === "fulfilled" ? [start.value] : []));
  const fault = starting.find((start) => start.status === "rejected");
  if (!fault) return nodes;
  await Promise.allSettled(nodes.map((node) => node.stop()));
  throw fault.reason;
};

/** The nodes that are still running. When the last one ends, `lastEnded` is called. */
const running = (nodes: readonly ServiceNode[], lastEnded: (why: Error) => void): Set<ServiceNode> => {
  const alive = new Set(nodes);
  for (const node of nodes)
    void node.died.then((why) => {
      alive.delete(node);
      if (alive.size === 0) lastEnded(why);
    });
  return alive;
};

/** @throws Error when the service does not start or the database cannot be read; any other failure is in the report */
export const replay = async ({
  items,
  workers,
  nodes,
  databaseUrl,
  folder,
  stderr,
  onStop,
}: Run): Promise<Report> => {
  const stopping = new AbortController();
  const stop = (why: Error): void => {
    stopping.abort(why);
  };
  onStop(() => {
    stop(new Error("The replay was stopped."));
  });
  const started = await startNodes(nodes, { databaseUrl, folder, stderr });
  const alive = running(started, stop);

  const urls = started.map(({ url }) => url);
  /** Each worker prefers a node of its own and falls back to the others. */
  const clientOf = (n: number): Client => {
    const own = n % urls.length;
    return new Client({ url: [...urls.slice(own), ...urls.slice(0, own)] });
  };
  let failures = 0;
  const simulation = simulate({
    items,
    workers,
    clientOf,
    onTrouble: (error, job) => {
      const where = job ? `${job.agent} of ${job.work_item_id ?? "no work item"}` : "a claim";
      if (++failures <= SHOWN_FAILURES) stderr.write(`${where}: ${String(error)}\n`);
    },
    signal: stopping.signal,
  });

  const from = performance.now();
  const elapsed = (): number => performance.now() - from;
  const endProgress = showProgress(stderr, () => {
    const { created, claims, paused, resumed, done } = simulation.tally;
    const seconds = Math.round(elapsed() / 1_000);
    const text = `done, ${created} created, ${claims} claims, ${paused - resumed} paused, ${seconds} s`;
    return { done, of: simulation.tasks, text };
  });
  const unwatch = watchProgress(simulation, stop);
  let fault: Error | undefined;
  const failed = (error: unknown): void => {
    fault = error instanceof Error ? error : new Error(String(error));
  };
  await simulation.work().catch(failed);
  const wallMs = elapsed();
  unwatch();
  endProgress();
  // A node that ended badly explains the failures before: its error replaces theirs.
  await Promise.all([...alive].map((node) => node.stop())).catch(failed);

  const store = await openStore(databaseUrl);
  try {
    const tasks = items.map(({ repo, work_item: work_item_id }) => ({ repo, work_item_id }));
    const verdict = await store.read(() => verify({ entryAgent: ENTRY_AGENT, tasks }));
    return { lines: items.length, nodes, wallMs, verdict, fault };
  } finally {
    await store.close();
  }
};
