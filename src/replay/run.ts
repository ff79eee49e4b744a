/** One replay from its start to its proof. Every node of the service is a process of its own; this one creates the
 *  tasks, works on them over HTTP, and judges from the database's rows once the nodes have stopped. */

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
  /** How many processes the service is. */
  readonly nodes: number;
  /** Fresh, or not there yet. */
  readonly databaseUrl: string;
  /** The nodes' working folder. */
  readonly folder: string;
  /** Receives the progress, troubles and the nodes' logs. */
  readonly stderr: NodeJS.WriteStream;
  /** Registers a callback for the moment when the process is asked to stop. */
  readonly onStop: (stop: () => void) => void;
}

/** Nothing at all happens for this long only when something is stuck. */
const STUCK_AFTER_MS = 60_000;
const SHOWN_TROUBLES = 20;

/** Calls when nothing moves any more, until the returned function is called. */
const watchCrew = ({ tally }: Simulation, stuck: (error: Error) => void): (() => void) => {
  let seen = "";
  const timer = setInterval(() => {
    const now = JSON.stringify(tally);
    if (now === seen) stuck(new Error(`Nothing has moved for ${STUCK_AFTER_MS / 1_000} s.`));
    seen = now;
  }, STUCK_AFTER_MS);
  return () => {
    clearInterval(timer);
  };
};

type NodeParts = Parameters<typeof startNode>[0];

/** Starts all of them or none.
 *  @throws Error of the first that does not start */
const startNodes = async (count: number, parts: NodeParts): Promise<ServiceNode[]> => {
  const starting = await Promise.allSettled(Array.from({ length: count }, () => startNode(parts)));
  const nodes = starting.flatMap((start) => (start.status === "fulfilled" ? [start.value] : []));
  const fault = starting.find((start) => start.status === "rejected");
  if (!fault) return nodes;
  await Promise.allSettled(nodes.map((node) => node.stop()));
  throw fault.reason;
};

/** Follows who of the nodes is still there; the last one that ends is the end of the replay. */
const follow = (nodes: readonly ServiceNode[], lastEnded: (why: Error) => void): Set<ServiceNode> => {
  const alive = new Set(nodes);
  for (const node of nodes)
    void node.died.then((why) => {
      alive.delete(node);
      if (alive.size === 0) lastEnded(why);
    });
  return alive;
};

/** @throws Error when the service does not start or the database cannot be read; whatever else goes wrong is in
 *    the report */
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
    stop(new Error("It was stopped."));
  });
  const started = await startNodes(nodes, { databaseUrl, folder, stderr });
  const alive = follow(started, stop);

  const urls = started.map(({ url }) => url);
  /** Each has a node of its own, and the others for when that one is gone. */
  const clientOf = (n: number): Client => {
    const own = n % urls.length;
    return new Client({ url: [...urls.slice(own), ...urls.slice(0, own)] });
  };
  let troubles = 0;
  const crew = simulate({
    items,
    workers,
    clientOf,
    onTrouble: (error, job) => {
      const where = job ? `${job.agent} of ${job.work_item_id ?? "no work item"}` : "a claim";
      if (++troubles <= SHOWN_TROUBLES) stderr.write(`${where}: ${String(error)}\n`);
    },
    signal: stopping.signal,
  });

  const from = performance.now();
  const elapsed = (): number => performance.now() - from;
  const endProgress = showProgress(stderr, () => {
    const { created, claims, parked, resumed, done } = crew.tally;
    const seconds = Math.round(elapsed() / 1_000);
    const text = `done, ${created} created, ${claims} claims, ${parked - resumed} parked, ${seconds} s`;
    return { done, of: crew.tasks, text };
  });
  const unwatch = watchCrew(crew, stop);
  let fault: Error | undefined;
  const failed = (error: unknown): void => {
    fault = error instanceof Error ? error : new Error(String(error));
  };
  await crew.work().catch(failed);
  const wallMs = elapsed();
  unwatch();
  endProgress();
  // How the service itself ended explains whatever went wrong before.
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
