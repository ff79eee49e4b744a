/** The version of the queue: the count of the changes of all lanes, which triggers draw for every writer. It is looked at
 *  again only after a commit, and costs the same for any number of lanes (docs/adr/0010). */

import { createHash } from "node:crypto";
import { run, StoreFault, type Store } from "../../store/port.ts";
import { LANE_CHANGES, probeAll } from "../rule/probes.ts";

/** 16 hexadecimal digits for a value that JSON can write. */
const digest = (value: unknown): string =>
  createHash("sha256").update(JSON.stringify(value)).digest("hex").slice(0, 16);

export class QueueVersion {
  readonly #store: Store;
  readonly #settings: string;
  #version: string | undefined;
  #changes: Promise<string> | undefined;

  /** @param settings shape the queue beside the rows; JSON can write them */
  constructor(store: Store, settings: unknown) {
    this.#store = store;
    this.#settings = digest([settings, store.dialect.name]);
  }

  /** The same text while the queue of these repositories is the same; undefined while it cannot be told.
   *  @throws StoreFault when the database does not answer */
  async tag(repos: readonly string[]): Promise<string | undefined> {
    try {
      const changes = await this.#latest();
      return [changes, this.#settings, ...(repos.length > 0 ? [digest(repos)] : [])].join("-");
    } catch (error) {
      if (error instanceof StoreFault && error.kind === "unreadable") return undefined;
      throw error;
    }
  }

  async #latest(): Promise<string> {
    // Asked before the changes are read: a commit in between makes them be read once more, not once less.
    const version = await this.#store.version();
    if (this.#changes && version !== undefined && version === this.#version) return this.#changes;
    const changes = this.#read();
    this.#version = version;
    this.#changes = changes;
    changes.catch(() => {
      if (this.#changes === changes) this.#changes = undefined;
    });
    return changes;
  }

  async #read(): Promise<string> {
    const changes = await this.#store.changes(LANE_CHANGES);
    // Fails where a part of the queue's tables cannot be read: no lane's revision tells of that.
    await this.#store.read(() => run(probeAll()));
    return changes;
  }
}
