/** Tells the nodes over one database of each other's commits, and finds what no one told.
 *  It has one connection of its own, and nothing depends on it: where the connection is lost or does not hear
 *  (behind a transaction-mode pooler), a look once a second finds every change. */

import { randomUUID } from "node:crypto";
import pg from "pg";

const CHANNEL = "serial_gate";
/** Commits of this long share one notification: a commit that notifies waits for every other that does. */
const GATHER_MS = 25;
const LOOK_EVERY_MS = 1_000;
const RECONNECT_MS = { least: 250, most: 5_000 };

interface BellParts {
  readonly connection: pg.ClientConfig;
  /** Something that every commit of interest moves. */
  readonly fingerprint: () => Promise<string>;
}

export class Notifier {
  readonly #parts: BellParts;
  readonly #self = randomUUID();
  readonly #listeners = new Set<() => void>();
  #client: pg.Client | undefined;
  #opening: Promise<void> | undefined;
  #failures = 0;
  #reconnect: NodeJS.Timeout | undefined;
  #gathering: NodeJS.Timeout | undefined;
  /** Commits that no one was told of yet. */
  #pending = false;
  #notifying = false;
  #polling: NodeJS.Timeout | undefined;
  #seen: string | undefined;
  #closed = false;

  constructor(parts: BellParts) {
    this.#parts = parts;
  }

  /** This node has committed. */
  notify(): void {
    if (this.#closed) return;
    this.#pending = true;
    this.#connect();
    this.#gathering ??= setTimeout(() => {
      this.#gathering = undefined;
      void this.#notify();
    }, GATHER_MS);
  }

  /** @returns what to call to hear no more */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    this.#connect();
    // It looks on when no one listens, so that who listens next misses nothing.
    this.#polling ??= setInterval(() => void this.#poll(), LOOK_EVERY_MS);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#reconnect);
    clearTimeout(this.#gathering);
    clearInterval(this.#polling);
    await this.#opening;
    await this.#client?.end();
  }

  #wake(): void {
    for (const listener of this.#listeners) listener();
  }

  async #notify(): Promise<void> {
    if (this.#notifying) return;
    this.#notifying = true;
    try {
      while (this.#pending && this.#client) {
        this.#pending = false;
        await this.#client.query("SELECT pg_notify($1, $2)", [CHANNEL, this.#self]);
      }
    } catch {
      // What no one was told of is found by the look.
    } finally {
      this.#notifying = false;
    }
  }

  async #poll(): Promise<void> {
    try {
      const current = await this.#parts.fingerprint();
      if (current === this.#seen || this.#closed) return;
      this.#seen = current;
      this.#wake();
    } catch {
      // The operation that needs the database reports its fault; a look has no one to tell.
    }
  }

  #connect(): void {
    if (this.#client || this.#opening || this.#reconnect || this.#closed) return;
    this.#opening = this.#open().finally(() => (this.#opening = undefined));
  }

  async #open(): Promise<void> {
    const client = new pg.Client(this.#parts.connection);
    client.on("error", () => undefined); // The end follows.
    client.on("notification", ({ payload }) => {
      if (payload !== this.#self) this.#wake();
    });
    try {
      await client.connect();
      await client.query(`LISTEN ${CHANNEL}`);
    } catch {
      await client.end();
      this.#connectLater();
      return;
    }
    client.once("end", () => {
      this.#client = undefined;
      this.#connectLater();
    });
    this.#client = client;
    this.#failures = 0;
    void this.#notify();
  }

  #connectLater(): void {
    if (this.#closed) return;
    const most = Math.min(RECONNECT_MS.most, RECONNECT_MS.least * 2 ** this.#failures++);
    this.#reconnect = setTimeout(
      () => {
        this.#reconnect = undefined;
        this.#connect();
      },
      most * (0.5 + Math.random() / 2),
    );
  }
}
