/** The answer of `GET /whoami`: who the service takes the caller for, and what it may do. */

import * as z from "zod";
import { model } from "./scalars.ts";

export const Caller = model(
  "Caller",
  "The caller: the name of its token, its role, and its limits.",
  z.strictObject({
    name: z.string().nullable().meta({ description: "The token's name; null without tokens." }),
    role: z.string().meta({ examples: ["operator"] }),
    rights: z.array(z.string()).meta({
      description:
        "What the role may do: `watch` (queue, explanations), `read` (tasks, jobs, events), `monitor` (metrics), `work` (claims), `produce` (tasks, jobs, cancel, retry, freeze), `operate` (pause, resume, unfreeze, release by force).",
    }),
    repos: z.array(z.string()).nullable().meta({
      description: "The repositories that it may know, as names or `prefix*`; null for all.",
    }),
    agents: z.array(z.string()).nullable().meta({
      description: "The agents whose jobs it may claim; null for all.",
    }),
    version: z.string().meta({ description: "The service's version." }),
  }),
);
export type Caller = z.output<typeof Caller>;
