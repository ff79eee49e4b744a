/** The question before a change of more than one task. */

import { createInterface } from "node:readline/promises";
import { Option } from "commander";
import type { CliContext } from "./context.ts";
import { EXIT, ExitError } from "./output/exit-codes.ts";
import { plain } from "./output/text.ts";

export const yesOption = (): Option =>
  new Option("-y, --yes", "do not ask before changing more than one task");

/** 128 + SIGINT */
const INTERRUPTED = 130;

/** The answer to a question; empty when the terminal ended it.
 *  @throws ExitError on Ctrl-C */
const ask = ({ stdin, stderr }: CliContext, question: string): Promise<string> =>
  new Promise((answered, fail) => {
    const line = createInterface({ input: stdin, output: stderr });
    line.once("SIGINT", () => {
      fail(new ExitError(INTERRUPTED, ""));
      line.close();
    });
    line.once("close", () => {
      answered("");
    });
    void line.question(`${question} [y/N] `).then((answer) => {
      answered(answer);
      line.close();
    });
  });

/** @param text such as `Pause 2 tasks: WEB-7, WEB-8?`
 *  @throws ExitError unless the answer is yes, or when there is no terminal to answer at */
export const confirm = async (context: CliContext, text: string): Promise<void> => {
  const question = plain(text);
  if (!context.stdin.isTTY || !context.stderr.isTTY)
    throw new ExitError(
      EXIT.usage,
      question,
      "There is no terminal to ask at: add --yes to do it, or --dry-run to see the effect.",
    );
  if (!/^y(es)?$/i.test((await ask(context, question)).trim()))
    throw new ExitError(EXIT.failed, "Nothing was changed.");
};
