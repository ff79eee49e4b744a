/** Keeps the page current. The event stream says which lanes changed, and these are read again; beside it the whole queue
 *  is asked for with its ETag, often while there is no stream and rarely while there is one, because a lane may also change
 *  by an event of another. `connection` is about this page and the service only: whether work moves is another fact. */

import { computed, effect, signal, untracked } from "@preact/signals";
import { now } from "./clock.ts";
import { Refusal, pathOf, send } from "./http.ts";
import { addToLog, forgetLog, readLog } from "./log.ts";
import { answeredAt, forgetQueue, refreshAll, refreshLanes } from "./queue.ts";
import { caller, may } from "./session.ts";
import { messages } from "./stream.ts";
import type { LogEvent } from "./types.ts";

/** The service says something every 15 s. */
const SILENT_MS = 35_000;
const POLL_MS = { streaming: 15_000, polling: 2_000 };
const RECONNECT_MS = { first: 1_000, longest: 15_000 };
/** Events of this long are answered by one read. */
const GATHER_MS = 400;
/** Without an answer for this long, what the page shows is called stale. */
const STALE_MS = 20_000;

type Stream = "connecting" | "open" | "closed" | "forbidden";

const stream = signal<Stream>("connecting");
/** When the service last said anything, by this browser's clock. */
const heardAt = signal(0);

/** Makes a computation run with the clock's ticks. Its time is this browser's own, which counts here. */
const everySecond = (): number => now.value;

export type Connection = "connecting" | "live" | "polling" | "stale";

export const connection = computed<Connection>(() => {
  if (answeredAt.value === 0) return "connecting";
  everySecond();
  const last = Math.max(answeredAt.value, stream.value === "open" ? heardAt.value : 0);
  if (Date.now() - last > STALE_MS) return "stale";
  return stream.value === "open" ? "live" : "polling";
});

/** Milliseconds since the service last answered. */
export const silence = computed(() => {
  everySecond();
  return Date.now() - Math.max(answeredAt.value, heardAt.value);
});

const pause = (ms: number, signalled: AbortSignal): Promise<void> =>
  new Promise((wake) => {
    const timer = setTimeout(wake, ms);
    signalled.addEventListener("abort", () => {
      clearTimeout(timer);
      wake();
    });
  });

/** Gathers the lanes of events, and reads them together. */
const gatherer = (): ((events: readonly LogEvent[]) => void) => {
  let events: LogEvent[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;
  const flush = async (): Promise<void> => {
    const taken = events;
    events = [];
    timer = undefined;
    addToLog(taken);
    const repos = [...new Set(taken.flatMap(({ repo }) => repo ?? []))];
    // A refusal shows in `connection`; the next full read repeats it.
    await refreshLanes(repos).catch(() => undefined);
    // A finished task may free dependents in any lane.
    if (taken.some(({ kind }) => kind === "task.stage" || kind.startsWith("dependency.")))
      await refreshAll().catch(() => undefined);
  };
  return (more) => {
    events.push(...more);
    timer ??= setTimeout(() => void flush(), GATHER_MS);
  };
};

type Tell = (event: LogEvent) => void;

/** Follows the stream until it ends or is silent.
 *  @returns false when the place is not in the log any more */
const follow = async (after: number, ended: AbortSignal, tell: Tell): Promise<boolean> => {
  const silent = new AbortController();
  const listen = (): ReturnType<typeof setTimeout> =>
    setTimeout(() => {
      silent.abort();
    }, SILENT_MS);
  let watchdog = listen();
  try {
    const either = AbortSignal.any([ended, silent.signal]);
    const { body } = await send(pathOf("/events/stream", { after }), { signal: either });
    if (!body) return true;
    stream.value = "open";
    for await (const { kind, data } of messages(body)) {
      heardAt.value = Date.now();
      clearTimeout(watchdog);
      watchdog = listen();
      if (kind === "reset") return false;
      if (data !== undefined) tell(JSON.parse(data) as LogEvent);
    }
    return true;
  } finally {
    clearTimeout(watchdog);
  }
};

const keepFollowing = async (ended: AbortSignal): Promise<void> => {
  const gather = gatherer();
  let failures = 0;
  /** The last event that was seen; undefined where the log must be read first. */
  let last: number | undefined;
  while (!ended.aborted) {
    try {
      last ??= await readLog();
      await refreshAll();
      const isKnown = await follow(last, ended, (event) => {
        last = event.id;
        gather([event]);
      });
      if (!isKnown) last = undefined;
    } catch (error) {
      if (error instanceof Refusal && [401, 403].includes(error.status)) {
        stream.value = "forbidden";
        return;
      }
    }
    failures = stream.value === "open" ? 1 : failures + 1;
    stream.value = "closed";
    await pause(Math.min(RECONNECT_MS.longest, RECONNECT_MS.first * 2 ** (failures - 1)), ended);
  }
};

const keepPolling = async (ended: AbortSignal): Promise<void> => {
  while (!ended.aborted) {
    if (!document.hidden) await refreshAll().catch(() => undefined);
    await pause(stream.value === "open" ? POLL_MS.streaming : POLL_MS.polling, ended);
  }
};

/** Reads at once what an action of this page changed. */
export const refreshAfter = async (repos: readonly string[]): Promise<void> => {
  await refreshLanes(repos).catch(() => undefined);
  void refreshAll().catch(() => undefined);
};

/** Starts again for each caller. */
export const startLive = (): void => {
  let ending = new AbortController();
  effect(() => {
    const known = caller.value;
    ending.abort();
    ending = new AbortController();
    untracked(() => {
      forgetQueue();
      forgetLog();
      stream.value = "connecting";
      if (known === null) return;
      void keepPolling(ending.signal);
      if (may("read")) void keepFollowing(ending.signal);
      else stream.value = "forbidden";
    });
  });
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && caller.value) void refreshAll().catch(() => undefined);
  });
};
