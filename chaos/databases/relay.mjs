/** A door in front of a PostgreSQL server that can be led to another one, as the address of a cluster is. */

import { once } from "node:events";
import { connect, createServer } from "node:net";

/** @param port that of the server behind it
 *  @returns `{ port, leadTo, close }`; leading it to another server cuts every connection */
export const relayTo = async (port) => {
  let behind = port;
  const sockets = new Set();
  const door = createServer((client) => {
    const server = connect(behind, "127.0.0.1");
    for (const [from, to] of [
      [client, server],
      [server, client],
    ]) {
      sockets.add(from);
      from.on("error", () => undefined);
      from.on("close", () => {
        sockets.delete(from);
        to.destroy();
      });
      from.pipe(to);
    }
  });
  door.listen(0, "127.0.0.1");
  await once(door, "listening");
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    port: door.address().port,
    leadTo: (other) => {
      behind = other;
      cut();
    },
    close: () => {
      door.close();
      cut();
    },
  };
};
