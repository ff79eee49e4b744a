/** MCP over Streamable HTTP, without sessions: each request stands alone and carries its own token, so any node may answer
 *  it. Clients of the protocol before 2026-07-28 are answered too. */

import { createMcpHandler } from "@modelcontextprotocol/server";
import { Client } from "../client/client.ts";
import { mcpServer } from "./server.ts";

/** Names no host: `send` reaches the service that the message came to. */
const SELF = "http://service";

/** Answers one message.
 *  @param message its request
 *  @param body its parsed body
 *  @param send calls the service in the name of the message's sender */
export const answerMcp =
  (version: string) =>
  (message: Request, body: unknown, send: typeof fetch): Promise<Response> =>
    createMcpHandler(() => mcpServer({ client: new Client({ url: SELF, fetch: send }), version }), {
      maxSubscriptions: 0,
    }).fetch(message, { parsedBody: body });
