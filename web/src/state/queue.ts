/** The lanes as the service last told them. A full read carries the ETag, so that an unchanged queue costs a 304; after an
 *  event only the lanes that it concerns are read. Nothing here is guessed: every value is from an answer. */

import { batch, computed, signal } from "@preact/signals";
import { setServiceTime } from "./clock.ts";
import { pathOf, read, send, sentenceOf } from "./http.ts";
import type { Lane, Queue } from "./types.ts";

export const lanes = signal<ReadonlyMap<string, Lane>>(new Map());

type Summary = Omit<Queue, "serial_gate"> & { readonly gate: Omit<Queue["serial_gate"], "per_repo"> };

/** The answer but for its lanes; null before the first one. */
export const summary = signal<Summary | null>(null);

/** When the last answer came, by this browser's clock. */
export const answeredAt = signal(0);

/** Why the last full read failed, in words; null when it succeeded. */
export const queueFault = signal<string | null>(null);

export const isLoaded = computed(() => summary.value !== null);

let etag: string | undefined;
let reading: Promise<void> | undefined;

const summaryOf = ({ serial_gate: { per_repo: _, ...gate }, ...rest }: Queue): Summary => ({ ...rest, gate });

const readAll = async (): Promise<void> => {
  const response = await send("/queue", etag === undefined ? {} : { headers: { "if-none-match": etag } });
  if (response.status !== 304) {
    const queue = (await response.json()) as Queue;
    etag = response.headers.get("etag") ?? undefined;
    setServiceTime(queue.generated_at);
    batch(() => {
      lanes.value = new Map(Object.entries(queue.serial_gate.per_repo));
      summary.value = summaryOf(queue);
    });
  }
  answeredAt.value = Date.now();
};

/** Reads the whole queue, once at a time.
 *  @throws as `send` */
export const refreshAll = (): Promise<void> => {
  reading ??= readAll()
    .then(
      () => {
        queueFault.value = null;
      },
      (error: unknown) => {
        queueFault.value = sentenceOf(error);
        throw error;
      },
    )
    .finally(() => {
      reading = undefined;
    });
  return reading;
};

/** As many names as an address line holds comfortably. */
const MOST_AT_ONCE = 40;

/** Reads some lanes. One that the answer leaves out has nothing any more.
 *  @throws as `send` */
export const refreshLanes = async (repos: readonly string[]): Promise<void> => {
  if (repos.length === 0) return;
  if (repos.length > MOST_AT_ONCE) return refreshAll();
  const queue = await read<Queue>(pathOf("/queue", { repo: repos }));
  const next = new Map(lanes.value);
  for (const repo of repos) {
    const lane = queue.serial_gate.per_repo[repo];
    if (lane === undefined) next.delete(repo);
    else next.set(repo, lane);
  }
  batch(() => {
    lanes.value = next;
    // The other members count the lanes that were asked for only.
    if (summary.value) summary.value = { ...summary.value, degraded: queue.degraded };
    answeredAt.value = Date.now();
  });
};

/** Forgets everything, for another caller. */
export const forgetQueue = (): void => {
  etag = undefined;
  batch(() => {
    lanes.value = new Map();
    summary.value = null;
    answeredAt.value = 0;
  });
};
