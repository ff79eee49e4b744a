/** A brake on wrong tokens, by address: beyond a number of them in a minute, each further one is told to wait for the rest
 *  of it. A right token always passes, so that nobody behind a shared proxy is locked out by another caller. */

const WINDOW_MS = 60_000;
/** Wrong tokens that one address may send in a minute. */
export const MOST_WRONG_TOKENS = 100;
/** Addresses that are remembered; the one that came first is forgotten for a new one. */
const MOST_ADDRESSES = 10_000;

interface Attempts {
  wrong: number;
  /** Milliseconds since 1970 UTC. */
  ends: number;
}

const GROUPS = 8;
/** Groups of 16 bits in the prefix of a network. */
const PREFIX_GROUPS = 4;

/** The network of an address. One caller has all of the 64 bits behind an IPv6 prefix; the zeros in it may be left out (`::`). */
const networkOf = (address: string): string => {
  if (!address.includes(":") || address.includes(".")) return address;
  const [before = [], after = []] = address.split("::").map((part) => part.split(":").filter(Boolean));
  const zeros = new Array<string>(Math.max(0, GROUPS - before.length - after.length)).fill("0");
  return [...before, ...zeros, ...after].slice(0, PREFIX_GROUPS).join(":");
};

export class Brake {
  readonly #attempts = new Map<string, Attempts>();

  /** Counts a wrong token.
   *  @returns the seconds until the address is listened to again; 0 while it is */
  count(address: string, now: number): number {
    const network = networkOf(address);
    let attempts = this.#attempts.get(network);
    if (!attempts || attempts.ends <= now) {
      this.#attempts.delete(network);
      const [oldest] = this.#attempts.keys();
      if (oldest !== undefined && this.#attempts.size >= MOST_ADDRESSES) this.#attempts.delete(oldest);
      attempts = { wrong: 0, ends: now + WINDOW_MS };
      this.#attempts.set(network, attempts);
    }
    attempts.wrong += 1;
    return attempts.wrong > MOST_WRONG_TOKENS ? Math.ceil((attempts.ends - now) / 1_000) : 0;
  }
}
