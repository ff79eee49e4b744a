/** MCP over stdin and stdout, for a client that starts the program. */

import type { Readable, Writable } from "node:stream";
import { serveStdio, StdioServerTransport } from "@modelcontextprotocol/server/stdio";
import { mcpServer, type McpParts } from "./server.ts";

interface Streams {
  readonly stdin: Readable;
  readonly stdout: Writable;
}

/** Serves one client until it closes stdin, or until `stopped`. */
export const serveMcp = async (
  parts: McpParts,
  { stdin, stdout }: Streams,
  stopped: Promise<void>,
): Promise<void> => {
  const closed = new Promise<void>((close) => {
    stdin.once("end", close);
    stdin.once("close", close);
  });
  const connection = serveStdio(() => mcpServer(parts), {
    transport: new StdioServerTransport(stdin, stdout),
    maxSubscriptions: 0,
  });
  await Promise.race([closed, stopped]);
  await connection.close();
};
