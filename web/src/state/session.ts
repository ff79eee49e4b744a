/** The caller: its name, role and rights, asked from the service once a token, or no token, is taken. */

import { computed, effect, signal } from "@preact/signals";
import { Refusal, read, sentenceOf, token, tokenRefused } from "./http.ts";
import type { Caller } from "./types.ts";

export type Right = "watch" | "read" | "produce" | "operate";

export const caller = signal<Caller | null>(null);

/** Why the caller is not known yet; null while it is asked. */
export const callerFault = signal<string | null>(null);

const RETRY_MS = 2_000;

export const may = (right: Right): boolean => caller.value?.rights.includes(right) ?? false;

/** True while the page waits for a token. */
export const needsToken = computed(() => caller.value === null && tokenRefused.value !== null);

const ask = async (): Promise<void> => {
  try {
    caller.value = await read<Caller>("/whoami");
    callerFault.value = null;
    tokenRefused.value = null;
  } catch (error) {
    callerFault.value = sentenceOf(error);
    if (!(error instanceof Refusal && [401, 403, 429].includes(error.status)))
      setTimeout(() => void ask(), RETRY_MS);
  }
};

/** Asks again whenever the token changes. */
export const startSession = (): void => {
  effect(() => {
    const has = token.value !== null;
    caller.value = null;
    if (has || tokenRefused.peek() === null) void ask();
  });
};
