/** The question before a change that is hard to take back. */

import { createInterface } from "node:readline/promises";
import { Option } from "commander";
import type { CliContext } from "./context.ts";
import { EXIT, ExitError } from "./output/exit-codes.ts";
import { plain } from "./output/text.ts";

export const yesOption = (): Option => new Option("-y, --yes", "do not ask");

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

/** True where somebody can answer a question. */
export const hasTerminal = ({ stdin, stderr }: CliContext): boolean => stdin.isTTY && stderr.isTTY;

/** Asks only where somebody can answer: a script goes on without a question.
 *  @throws ExitError unless the answer is yes */
export const confirmAtTerminal = async (context: CliContext, text: string): Promise<void> => {
  if (hasTerminal(context)) await confirm(context, text);
};

/** @param text such as `Pause 2 tasks: WEB-7, WEB-8?`
 *  @throws ExitError unless the answer is yes, or when there is no terminal to answer at */
export const confirm = async (context: CliContext, text: string): Promise<void> => {
  const question = plain(text);
  if (!hasTerminal(context))
    throw new ExitError(
      EXIT.usage,
      question,
      "There is no terminal to ask at: add --yes to do it, or --dry-run to see the effect.",
    );
  if (!/^y(es)?$/i.test((await ask(context, question)).trim()))
    throw new ExitError(EXIT.failed, "Nothing was changed.");
};
