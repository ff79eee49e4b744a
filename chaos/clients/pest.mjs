/** A flood in small: callers that hang up, long polls that nobody waits for, readers that read nothing, half requests. The
 *  others must be served all the same. */

import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "./client.mjs";

const HELD = 20;

export class Pest extends Client {
  pauseMs = 80;
  #sockets = new Set();
  #claims = 0;

  async act() {
    const { random, town } = this;
    if (town.over) return;
    switch (random.pick({ hangUp: 40, idle: 20, deaf: 25, half: 15 })) {
      case "hangUp": {
        const worker = `${this.name}.${(this.#claims += 1)}`;
        const body = { worker, wait_ms: random.between(0, 400), lease_ms: 1_000 };
        return this.call("claim", "POST", "/jobs/claim", {
          body,
          worker,
          hangUpMs: random.between(1, 120),
          mayRepeat: true,
        });
      }
      case "idle":
        return this.#open(
          `POST /jobs/claim HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 39\r\n\r\n{"agents":["nobody"], "wait_ms": 60000}`,
        );
      case "deaf":
        return this.#open("GET /queue HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".repeat(random.between(1, 10)));
      default:
        return this.#open("POST /tasks HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Le");
    }
  }

  /** Sends bytes and reads nothing. */
  async #open(bytes) {
    if (this.#sockets.size >= HELD) for (const socket of [...this.#sockets].slice(0, 5)) socket.destroy();
    const socket = connect(this.town.port, "127.0.0.1", () => socket.write(bytes));
    this.#sockets.add(socket);
    socket.pause();
    socket.on("error", () => undefined).on("close", () => this.#sockets.delete(socket));
    await sleep(5);
  }

  async live() {
    await super.live();
    for (const socket of this.#sockets) socket.destroy();
  }
}
