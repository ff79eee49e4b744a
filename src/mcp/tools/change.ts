/** A change by an operator as a tool. It is tried first, so that a missing right is refused before a person is asked; the
 *  person sees its effect; it is made only after a yes. */

import type { McpServer } from "@modelcontextprotocol/server";
import type * as z from "zod";
import type { Client, Effect } from "../../client/client.ts";
import { answer, answering } from "../answers.ts";
import { confirmation } from "../confirmation.ts";
import { quoted } from "../quoted.ts";
import { toolInput } from "../tool-input.ts";

/** Tasks that a question names. */
const MOST_NAMED = 10;

const ASKS =
  "A worker's token may not do this. The person at the client is asked to confirm it, with its effect; their no is final.";

interface Trial {
  readonly dry_run?: true;
}

/** The actor, where the service has no tokens to know it by. */
interface By {
  readonly by?: string | undefined;
}

interface Change<Input extends z.ZodObject> {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly input: Input;
  /** True where nothing undoes it. */
  readonly isFinal?: boolean;
  /** True where a repeat adds another. */
  readonly addsUp?: boolean;
  /** The change in words for the person; names are quoted. */
  readonly question: (input: z.output<Input>) => string;
  readonly command: (input: z.output<Input>) => string;
  readonly call: (
    client: Client,
    input: z.output<Input>,
    how: Trial & By,
  ) => Promise<{ readonly effect?: Effect }>;
}

const named = (jobs: Effect["now_claimable"]): string => {
  const names = jobs.map(
    ({ work_item_id, job_id, repo }) => `${quoted(work_item_id ?? `job ${job_id}`)} in ${quoted(repo)}`,
  );
  const more = names.length > MOST_NAMED ? ` and ${names.length - MOST_NAMED} more` : "";
  return `${names.slice(0, MOST_NAMED).join(", ")}${more}`;
};

const effectSentence = ({ now_claimable, now_held }: Effect): string =>
  [
    now_claimable.length > 0 ? `Could start then: ${named(now_claimable)}.` : "",
    now_held.length > 0 ? `Would be held: ${named(now_held)}.` : "",
    now_claimable.length + now_held.length === 0 ? "No waiting job would be affected." : "",
  ]
    .filter((part) => part !== "")
    .join(" ");

export interface Steered {
  readonly server: McpServer;
  readonly client: Client;
  readonly by: string | undefined;
}

/** Makes the tool once, to be registered with the server of every message. */
export const changeTool = <Input extends z.ZodObject>({
  name,
  title,
  description,
  input,
  isFinal = false,
  addsUp = false,
  question,
  command,
  call,
}: Change<Input>): ((steered: Steered) => void) => {
  const config = {
    title,
    description: `${description} ${ASKS}`,
    inputSchema: toolInput<z.ZodObject>(input),
    annotations: {
      readOnlyHint: false,
      destructiveHint: isFinal,
      idempotentHint: !addsUp,
      openWorldHint: false,
    },
  };
  return ({ server, client, by }) => {
    server.registerTool(
      name,
      config,
      answering(async (raw, context) => {
        const sent = raw as z.output<Input>;
        const { effect } = await call(client, sent, { dry_run: true, by });
        const open = confirmation(server, context, {
          message: `${question(sent)} ${effect ? effectSentence(effect) : ""}`,
          command: command(sent),
        });
        return open ?? answer("Done, as the person confirmed:", await call(client, sent, { by }));
      }),
    );
  };
};
