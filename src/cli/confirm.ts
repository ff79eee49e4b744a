/** Asks before more than one task is touched. */

import { createInterface } from "node:readline/promises";
import { Option } from "commander";
import { EXIT, ExitError } from "./output/exit-codes.ts";
import type { CliContext } from "./context.ts";
import { plain } from "./output/terminal.ts";

export const yesOption = (): Option =>
  new Option("-y, --yes", "do not ask before more than one task is touched");

const INTERRUPTED = 130;

/** The answer to a question; nothing when the terminal ended it.
 *  @throws Ending on ctrl-C */
const ask = ({ stdin, stderr }: CliContext, question: string): Promise<string> =>
  new Promise((give, fail) => {
    const line = createInterface({ input: stdin, output: stderr });
    line.once("SIGINT", () => {
      fail(new ExitError(INTERRUPTED, ""));
      line.close();
    });
    line.once("close", () => {
      give("");
    });
    void line.question(`${question} [y/N] `).then((answer) => {
      give(answer);
      line.close();
    });
  });

/** @param what such as `Pause 2 tasks: WEB-7, WEB-8?`
 *  @throws Ending when the answer is not yes, or nobody can be asked */
export const confirm = async (around: CliContext, what: string): Promise<void> => {
  const question = plain(what);
  if (!around.stdin.isTTY || !around.stderr.isTTY)
    throw new ExitError(
      EXIT.usage,
      `${question} Without a terminal nobody can be asked.`,
      "Add --yes to do it, or --dry-run to see what would come of it.",
    );
  if (!/^y(es)?$/i.test((await ask(around, question)).trim()))
    throw new ExitError(EXIT.failed, "Nothing was changed.");
};
