/** Asks before more than one task is touched. */

import { createInterface } from "node:readline/promises";
import { Option } from "commander";
import { EXIT, Ending } from "./output/exit-codes.ts";
import type { Surroundings } from "./program.ts";
import { plain } from "./output/terminal.ts";

export const yesOption = (): Option =>
  new Option("-y, --yes", "do not ask before more than one task is touched");

const INTERRUPTED = 130;

/** The answer to a question; nothing when the terminal ended it.
 *  @throws Ending on ctrl-C */
const ask = ({ stdin, stderr }: Surroundings, question: string): Promise<string> =>
  new Promise((give, fail) => {
    const line = createInterface({ input: stdin, output: stderr });
    line.once("SIGINT", () => {
      fail(new Ending(INTERRUPTED, ""));
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
export const askFirst = async (around: Surroundings, what: string): Promise<void> => {
  const question = plain(what);
  if (!around.stdin.isTTY || !around.stderr.isTTY)
    throw new Ending(
      EXIT.usage,
      `${question} Without a terminal nobody can be asked.`,
      "Add --yes to do it, or --dry-run to see what would come of it.",
    );
  if (!/^y(es)?$/i.test((await ask(around, question)).trim()))
    throw new Ending(EXIT.failed, "Nothing was changed.");
};
