/** The service's log on its way out: the lines of one turn of the event loop are one write, because a write costs as much as
 *  a claim's look at the database. */

import type { DestinationStream } from "pino";

/** Levels from here on are written at once, with the lines before them. */
const WARN = 40;

/** Characters that are not kept until the end of the turn. */
const MOST = 65_536;

export class LogLines implements DestinationStream {
  readonly #out: Pick<NodeJS.WritableStream, "write">;
  #lines = "";

  /** Of the line that comes next; set by pino. */
  lastLevel = 0;

  constructor(out: Pick<NodeJS.WritableStream, "write">) {
    this.#out = out;
    // Makes pino tell the level.
    Object.assign(this, { [Symbol.for("pino.metadata")]: true });
  }

  write(line: string): void {
    if (this.#lines === "")
      setImmediate(() => {
        this.flush();
      });
    this.#lines += line;
    if (this.lastLevel >= WARN || this.#lines.length >= MOST) this.flush();
  }

  /** Writes what waits. */
  flush(): void {
    if (this.#lines === "") return;
    const lines = this.#lines;
    this.#lines = "";
    this.#out.write(lines);
  }
}
