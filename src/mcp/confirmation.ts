/** A person's yes in the client, by elicitation. It guards against a mistake of the model; the right to make the change is
 *  the token's, and the service has the last word on it. */

import {
  acceptedContent,
  CLIENT_CAPABILITIES_META_KEY,
  inputRequired,
  inputResponse,
  type CallToolResult,
  type ClientCapabilities,
  type InputRequiredResult,
  type McpServer,
  type ServerContext,
} from "@modelcontextprotocol/server";
import * as z from "zod";
import { refusal } from "./answers.ts";

const KEY = "confirmation";

const Confirmation = z.object({
  confirm: z.boolean().meta({ title: "Do it", description: "Yes carries it out; no changes nothing." }),
});

/** True where the client shows forms to its person. An older client over HTTP has told of no capabilities. */
const canAsk = (server: McpServer, { mcpReq }: ServerContext): boolean => {
  const envelope: Readonly<Record<string, unknown>> = mcpReq.envelope ?? {};
  const declared = envelope[CLIENT_CAPABILITIES_META_KEY] as ClientCapabilities | undefined;
  // Of a client of the older protocol over stdio, the server remembers them from the handshake.
  // eslint-disable-next-line @typescript-eslint/no-deprecated -- the one place that has them
  const elicitation = (declared ?? server.server.getClientCapabilities())?.elicitation;
  return elicitation !== undefined && (elicitation.form !== undefined || elicitation.url === undefined);
};

interface Question {
  /** The change and its effect. */
  readonly message: string;
  /** The same by hand. */
  readonly command: string;
}

/** Asks the person, or reads the answer of the round before.
 *  @returns undefined once the person has said yes; otherwise the result of the tool */
export const confirmation = (
  server: McpServer,
  context: ServerContext,
  { message, command }: Question,
): CallToolResult | InputRequiredResult | undefined => {
  if (!canAsk(server, context))
    return refusal({
      code: "needs_confirmation",
      detail: `A person must confirm this, and this client cannot ask one. Nothing was changed. A person can type: ${command}`,
      next_action: "ask_operator",
    });
  const { inputResponses } = context.mcpReq;
  if (inputResponse(inputResponses, KEY).kind === "missing")
    return inputRequired({
      inputRequests: { [KEY]: inputRequired.elicit({ message, requestedSchema: Confirmation }) },
    });
  if (acceptedContent(inputResponses, KEY, Confirmation)?.confirm === true) return undefined;
  return refusal({
    code: "declined",
    detail: "The person did not confirm. Nothing was changed.",
    hint: "Do not ask again for the same.",
    next_action: "none",
  });
};
