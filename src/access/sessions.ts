/** Long calls under a token: they end when the token expires, is taken away, or may do other things than before. */

import type { Keyring } from "./keyring.ts";
import type { Token } from "./token-file.ts";

/** How often expiry is looked at, in milliseconds. */
const LOOK_EVERY_MS = 1_000;

interface Session {
  readonly token: Token;
  readonly end: () => void;
}

export class Sessions {
  readonly #keyring: Keyring;
  readonly #open = new Set<Session>();
  #timer: NodeJS.Timeout | undefined;

  constructor(keyring: Keyring) {
    this.#keyring = keyring;
    keyring.onReplace(() => {
      this.#look();
    });
  }

  /** @param end called once the token no longer holds
   *  @returns stops watching */
  watch(token: Token, end: () => void): () => void {
    const session = { token, end };
    this.#open.add(session);
    this.#timer ??= setInterval(() => {
      this.#look();
    }, LOOK_EVERY_MS).unref();
    return () => {
      this.#open.delete(session);
      if (this.#open.size > 0) return;
      clearInterval(this.#timer);
      this.#timer = undefined;
    };
  }

  #look(): void {
    const now = Date.now();
    for (const { token, end } of [...this.#open]) if (!this.#keyring.holds(token, now)) end();
  }
}
