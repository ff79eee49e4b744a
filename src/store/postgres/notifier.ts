/** LISTEN/NOTIFY between the nodes of one database, on a connection of its own.
 *  A notification only saves latency: a poll once a second finds every commit, also while the connection is lost or a
 *  transaction-mode pooler swallows notifications. */

import { randomUUID } from "node:crypto";
import pg from "pg";

const CHANNEL = "serial_gate";
/** Commits within this time share one notification: PostgreSQL serialises the commits of transactions that notify. */
const BATCH_MS = 25;
const POLL_EVERY_MS = 1_000;
const RECONNECT_MS = { least: 250, most: 5_000 };

interface NotifierParts {
  readonly connection: pg.ClientConfig;
  /** Reads a text that every relevant commit changes. */
  readonly fingerprint: () => Promise<string>;
}

export class Notifier {
  readonly #parts: NotifierParts;
  readonly #self = randomUUID();
  readonly #listeners = new Set<() => void>();
  #client: pg.Client | undefined;
  #opening: Promise<void> | undefined;
  #failures = 0;
  #reconnect: NodeJS.Timeout | undefined;
  #batch: NodeJS.Timeout | undefined;
  /** Commits that were not notified yet. */
  #pending = false;
  #notifying = false;
  #polling: NodeJS.Timeout | undefined;
  #seen: string | undefined;
  #closed = false;

  constructor(parts: NotifierParts) {
    this.#parts = parts;
  }

  /** Announces a commit of this node to the others. */
  notify(): void {
    if (this.#closed) return;
    this.#pending = true;
    this.#connect();
    this.#batch ??= setTimeout(() => {
      this.#batch = undefined;
      void this.#notify();
    }, BATCH_MS);
  }

  /** Runs the listener after a commit of another node or program, until the returned function is called. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    this.#connect();
    // The poll goes on without listeners, so that the next one misses no commit.
    this.#polling ??= setInterval(() => void this.#poll(), POLL_EVERY_MS);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#reconnect);
    clearTimeout(this.#batch);
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
        await this.#client.query("SELECT pg_catalog.pg_notify($1, $2)", [CHANNEL, this.#self]);
      }
    } catch {
      // The other nodes' polls find the commits.
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
      // A poll has no caller to report to; the next operation reports the fault.
    }
  }

  #connect(): void {
    if (this.#client || this.#opening || this.#reconnect || this.#closed) return;
    this.#opening = this.#open().finally(() => (this.#opening = undefined));
  }

  async #open(): Promise<void> {
    const client = new pg.Client(this.#parts.connection);
    client.on("error", () => undefined); // An "end" event follows.
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
