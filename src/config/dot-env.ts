/** Reads a .env file by the rules of python-dotenv, which is the orchestrator's reader. Unlike both it and Node's
 *  util.parseEnv, it refuses a line that it cannot read instead of skipping it: the line may be the kill switch. */

import type { Env } from "./env.ts";

/** Names the first line that is neither blank, a comment nor NAME=VALUE. The line itself may contain a secret. */
export class DotEnvError extends Error {
  override readonly name = "DotEnvError";
}

/** White space and comments before a binding. A byte order mark is white space too. */
const GAP = /(?:\s|#[^\r\n]*)*/y;

/** `export NAME = 'VALUE' # comment`; a quoted value may have several lines. The `#` of an unquoted value begins a
 *  comment only behind white space, so that a secret or a path may contain one. */
const BINDING =
  /(?:export[^\S\r\n]+)?(\w[\w.-]*)[^\S\r\n]*=(?:[^\S\r\n]*(?:'((?:\\'|[^'])*)'|"((?:\\"|[^"])*)")[^\S\r\n]*(?:#[^\r\n]*)?|(?![^\S\r\n]*['"])([^\r\n]*))(?=[\r\n]|$)/y;

/** A line of one of our switches inside a quoted value: most likely an apostrophe that was meant as one. */
const SWALLOWED =
  /[\r\n][^\S\r\n]*(?:export[^\S\r\n]+)?(?:ORCH_)?(?:SERIAL_GATE_\w+|TASK_DEPS_ENABLED)[^\S\r\n]*=/;

const ESCAPES: Readonly<Record<string, string>> = {
  a: "\u0007",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
};

const unescape = (text: string, escaped: RegExp): string =>
  text.replace(escaped, (_, letter: string) => ESCAPES[letter] ?? letter);

/** The variables of a .env file; of two with one name, the last.
 *  @throws DotEnvError */
export const parseDotEnv = (text: string): Env => {
  const variables: Record<string, string> = {};
  for (let at = 0; ;) {
    GAP.lastIndex = at;
    GAP.exec(text);
    at = GAP.lastIndex;
    if (at === text.length) return variables;
    BINDING.lastIndex = at;
    const [binding, name, single, double, plain = ""] = BINDING.exec(text) ?? [];
    const quoted = single ?? double;
    if (binding === undefined || name === undefined || SWALLOWED.test(quoted ?? ""))
      throw new DotEnvError(
        `.env, line ${text.slice(0, at).split(/\r\n|[\r\n]/).length}: expected NAME=VALUE, a comment or a blank line; a quote must be closed.`,
      );
    if (single !== undefined) variables[name] = unescape(single, /\\([\\'])/g);
    else if (double !== undefined) variables[name] = unescape(double, /\\([\\'"abfnrtv])/g);
    else variables[name] = plain.replace(/\s+#.*/s, "").trim();
    at = BINDING.lastIndex;
  }
};
