/** The tokens of the service. Which token a secret belongs to is found in constant time; files and headers are not known
 *  here. */

import { timingSafeEqual } from "node:crypto";
import { digestOf } from "./secret.ts";
import type { Token } from "./token-file.ts";

export class Keyring {
  #tokens: readonly Token[];
  readonly #listeners: (() => void)[] = [];

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  /** Takes other tokens from the next call on. */
  replace(tokens: readonly Token[]): void {
    this.#tokens = tokens;
    for (const listener of this.#listeners) listener();
  }

  /** Runs the listener whenever the tokens are replaced. */
  onReplace(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** True while there is a token of this secret that may do the same, and that has not expired. */
  holds(token: Token, now: number): boolean {
    return this.#tokens.some(
      (each) =>
        each.digest.equals(token.digest) && !isExpired(each, now) && rightsOf(each) === rightsOf(token),
    );
  }

  /** Finds the token of a secret, whether it has expired or not. Every digest is compared. */
  find(secret: string): Token | undefined {
    const sent = digestOf(secret);
    // No find(): it would end at the token, and so take a time that tells its place.
    const [token] = this.#tokens.filter(({ digest }) => timingSafeEqual(digest, sent));
    return token;
  }
}

const rightsOf = ({ name, role, reach, agents }: Token): string =>
  JSON.stringify([name, role, reach, agents]);

export const isExpired = ({ expiresAt }: Pick<Token, "expiresAt">, now: number): boolean =>
  expiresAt !== null && expiresAt <= now;
