/** A relay in front of a PostgreSQL server that cuts a connection at a chosen moment. */

import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { onTestFinished } from "vitest";

/** The server's last message to a client that it cuts off. */
const FATAL = ((): Buffer => {
  const fields = Buffer.from("SFATAL\0VFATAL\0C57P01\0Mterminating connection\0\0");
  const head = Buffer.from("E\0\0\0\0");
  head.writeUInt32BE(fields.length + 4, 1);
  return Buffer.concat([head, fields]);
})();

interface Moment {
  /** Before the server sees the statement, or together with its answer. */
  readonly when: "before" | "after";
  readonly statement: string;
}

export interface Relay {
  /** The database through the relay. */
  readonly url: string;
  /** Cuts the connection that next carries the statement, and no other. */
  cut(moment: Moment): void;
}

export const relayTo = async (url: string): Promise<Relay> => {
  const { hostname, port } = new URL(url);
  const sockets = new Set<Socket>();
  let next: Moment | undefined;
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname);
    const cut = (): void => {
      client.destroySoon();
      upstream.destroy();
    };
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("error", cut);
      socket.on("close", cut);
    }
    let isLast = false;
    client.on("data", (sent) => {
      const when = next && sent.includes(next.statement) ? next.when : undefined;
      if (when) next = undefined;
      isLast ||= when === "after";
      if (when === "before") cut();
      else upstream.write(sent);
    });
    upstream.on("data", (answer) => {
      // In one piece, so that the client learns of both in one turn.
      client.write(isLast ? Buffer.concat([answer, FATAL]) : answer);
      if (isLast) cut();
    });
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  const relayed = new URL(url);
  relayed.port = String((server.address() as AddressInfo).port);
  return {
    url: relayed.href,
    cut: (moment) => {
      next = moment;
    },
  };
};
