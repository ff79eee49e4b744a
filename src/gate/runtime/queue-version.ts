/** The version of the queue: the sum of the lanes' revisions, which triggers move for every writer. It is added up
 *  again only after a commit (docs/adr/0010). */

import { createHash } from "node:crypto";
import { one, run, StoreFault, type Store, type Tx } from "../../store/port.ts";
import { sql } from "../../store/sql.ts";
import { PROBES } from "../rule/probes.ts";

/** Fails where a part of the queue's tables cannot be read: no lane's revision tells of that. */
function* addUp(): Tx<number> {
  for (const probe of Object.values(PROBES)) yield* run(probe);
  const { revision } = yield* one<{ revision: number }>(
    sql`SELECT COALESCE(SUM(revision), 0) AS revision FROM gate_lanes`,
  );
  return revision;
}

/** 16 hexadecimal digits for a value that JSON can write. */
const digest = (value: unknown): string =>
  createHash("sha256").update(JSON.stringify(value)).digest("hex").slice(0, 16);

export class QueueVersion {
  readonly #store: Store;
  readonly #settings: string;
  #version: string | undefined;
  #sum: Promise<number> | undefined;

  /** @param settings shape the queue beside the rows; JSON can write them */
  constructor(store: Store, settings: unknown) {
    this.#store = store;
    this.#settings = digest(settings);
  }

  /** The same text while the queue of these repositories is the same; undefined while it cannot be told.
   *  @throws StoreFault when the database does not answer */
  async tag(repos: readonly string[]): Promise<string | undefined> {
    try {
      const revision = await this.#revision();
      return [revision, this.#settings, ...(repos.length > 0 ? [digest(repos)] : [])].join("-");
    } catch (error) {
      if (error instanceof StoreFault && error.kind === "unreadable") return undefined;
      throw error;
    }
  }

  async #revision(): Promise<number> {
    // Asked before the sum is read: a commit in between makes it be read once more, not once less.
    const version = await this.#store.version();
    if (this.#sum && version !== undefined && version === this.#version) return this.#sum;
    const sum = this.#store.read(addUp);
    this.#version = version;
    this.#sum = sum;
    sum.catch(() => {
      if (this.#sum === sum) this.#sum = undefined;
    });
    return sum;
  }
}
