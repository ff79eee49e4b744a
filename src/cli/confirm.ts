/** Questions at the terminal: the one before a change that is hard to take back, and the one for a secret. */

import { createInterface } from "node:readline/promises";
import { Writable } from "node:stream";
import { Option } from "commander";
import type { CliContext } from "./context.ts";
import { EXIT, ExitError } from "./output/exit-codes.ts";
import { plain } from "./output/text.ts";

export const yesOption = (): Option => new Option("-y, --yes", "do not ask");

/** 128 + SIGINT */
const INTERRUPTED = 130;

const nowhere = (): Writable =>
  new Writable({
    write: (_chunk, _encoding, done) => {
      done();
    },
  });

/** The answer to a question; empty when the terminal ended it.
 *  @param isHidden leaves out the keys that are typed
 *  @throws ExitError on Ctrl-C */
const ask = ({ stdin, stderr }: CliContext, question: string, isHidden = false): Promise<string> =>
  new Promise((answered, fail) => {
    // The terminal stops to echo here, before it shows the question.
    const line = createInterface({ input: stdin, output: isHidden ? nowhere() : stderr, terminal: true });
    if (isHidden) stderr.write(question);
    line.once("SIGINT", () => {
      fail(new ExitError(INTERRUPTED, ""));
      line.close();
    });
    line.once("close", () => {
      answered("");
    });
    void line.question(question).then((answer) => {
      answered(answer);
      line.close();
    });
  });

/** Asks for a secret: the keys that are typed are not shown.
 *  @throws ExitError on Ctrl-C */
export const askHidden = async (context: CliContext, question: string): Promise<string> => {
  try {
    return await ask(context, `${plain(question)} `, true);
  } finally {
    context.stderr.write("\n");
  }
};

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
  if (!/^y(es)?$/i.test((await ask(context, `${question} [y/N] `)).trim()))
    throw new ExitError(EXIT.failed, "Nothing was changed.");
};
