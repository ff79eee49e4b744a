/** The tokens of the service. Which token a secret belongs to is found in constant time; files and headers are not known
 *  here. */

import { timingSafeEqual } from "node:crypto";
import { digestOf } from "./secret.ts";
import type { Token } from "./token-file.ts";

export class Keyring {
  #tokens: readonly Token[];

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  /** Takes other tokens from the next call on. */
  replace(tokens: readonly Token[]): void {
    this.#tokens = tokens;
  }

  /** Finds the token of a secret, whether it has expired or not. Every digest is compared. */
  find(secret: string): Token | undefined {
    const sent = digestOf(secret);
    // No find(): it would end at the token, and so take a time that tells its place.
    const [token] = this.#tokens.filter(({ digest }) => timingSafeEqual(digest, sent));
    return token;
  }
}

export const isExpired = ({ expiresAt }: Pick<Token, "expiresAt">, now: number): boolean =>
  expiresAt !== null && expiresAt <= now;
