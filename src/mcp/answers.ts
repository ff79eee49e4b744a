/** Answers of tools: data as structured content and as JSON, refusals as tool errors with the problem's own sentence and its
 *  next action. A stack or a cause never leaves here. */

import type { CallToolResult } from "@modelcontextprotocol/server";
import { ProblemError } from "../client/client.ts";

/** An answer whose text is a short form of its data. */
export const shortAnswer = (text: string, data: object): CallToolResult => ({
  content: [{ type: "text", text }],
  structuredContent: { ...data },
});

/** An answer of a tool. Text that other people wrote stands in JSON strings only, never in the sentence.
 *  @param sentence is ours alone */
export const answer = (sentence: string, data: object): CallToolResult =>
  shortAnswer(`${sentence}\n${JSON.stringify(data)}`, data);

export interface Refusal {
  readonly code: string;
  readonly detail: string;
  readonly hint?: string | undefined;
  readonly next_action: string;
}

/** A tool error, by which the model sees that nothing was done and how to go on. */
export const refusal = ({ code, detail, hint, next_action, ...more }: Refusal): CallToolResult => {
  const shown = Object.entries(more).filter(([, value]) => value !== undefined);
  return {
    content: [
      {
        type: "text",
        text: [
          hint === undefined ? detail : `${detail} ${hint}`,
          `code: ${code}`,
          `next_action: ${next_action}`,
          ...shown.map(([name, value]) => `${name}: ${JSON.stringify(value)}`),
        ].join("\n"),
      },
    ],
    structuredContent: { error: { code, detail, hint, next_action, ...Object.fromEntries(shown) } },
    isError: true,
  };
};

const NO_ANSWER: Refusal = {
  code: "no_answer",
  detail: "The service does not answer. The call may or may not have been carried out.",
  hint: "Read the state before you repeat a change.",
  next_action: "retry_after",
};

/** Any error of a call as a tool error. */
const refusalOf = (error: unknown): CallToolResult => {
  if (!(error instanceof ProblemError)) return refusal(NO_ANSWER);
  const { type: _, title: __, status: ___, next_action = "none", ...problem } = error.problem;
  return refusal({ ...problem, next_action });
};

/** A tool's handler whose errors are tool errors. */
export const answering =
  <Input extends readonly unknown[], Result>(handle: (...input: Input) => Promise<Result>) =>
  (...input: Input): Promise<Result | CallToolResult> =>
    handle(...input).catch(refusalOf);
