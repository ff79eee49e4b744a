/** serial-gate login, logout and context: the addresses and tokens that this user keeps. */

import { text as readAll } from "node:stream/consumers";
import type { Command } from "commander";
import { Client, ProblemError } from "../../client/client.ts";
import { ConnectionError, parseAddresses, parseToken, refuseClearText } from "../../config/client.ts";
import { isContextName, withContext, withoutContext, type Context } from "../../config/contexts.ts";
import { example } from "../arguments.ts";
import { askHidden } from "../confirm.ts";
import { contextFileOf, readContexts, writeContexts } from "../context-file.ts";
import type { CliContext } from "../context.ts";
import { EXIT, ExitError } from "../output/exit-codes.ts";
import { outputOption, print, printLines, say, type OutputOptions } from "../output/format.ts";
import { tableOf, type Column } from "../output/table.ts";

/** The token from the terminal, where it is not shown, or else from stdin; undefined for a service without tokens. */
const readToken = async (context: CliContext, url: string): Promise<string | undefined> => {
  const given = context.stdin.isTTY
    ? await askHidden(context, `Token for ${url} (not shown; empty for none): `)
    : await readAll(context.stdin);
  const token = given.trim();
  return token === "" ? undefined : parseToken(token, "The token");
};

/** Asks the service whether it knows the token. A token that may not read the queue is known.
 *  @throws ProblemError, or what fetch throws when no service answers */
const tryOut = async (urls: readonly string[], token: string | undefined): Promise<void> => {
  try {
    await new Client({ url: urls, token }).queue([]);
  } catch (error) {
    if (error instanceof ProblemError && error.code === "unauthorized")
      throw new ExitError(
        EXIT.notAllowed,
        token === undefined
          ? "The service requires a token. Nothing was kept."
          : "The service does not know this token. Nothing was kept.",
      );
    if (!(error instanceof ProblemError) || error.problem.status !== 403) throw error;
  }
};

/** Warns where the environment names another service than the context in force. */
const sayOverridden = (context: CliContext): void => {
  if (context.env.SERIAL_GATE_URL?.trim() || context.env.SERIAL_GATE_TOKEN?.trim())
    say(context, "SERIAL_GATE_URL or SERIAL_GATE_TOKEN is set and goes before it: unset both to use it.");
};

const knownName = (name: string, context: CliContext): string => {
  const { contexts } = readContexts(context.env);
  if (contexts.has(name)) return name;
  throw new ExitError(
    EXIT.notFound,
    `No context ${name}. \`serial-gate context list\` shows those there are.`,
  );
};

interface LoginOptions {
  readonly name?: string;
}

const logIn = async (context: CliContext, url: string, { name }: LoginOptions): Promise<void> => {
  const urls = parseAddresses(url, "The address");
  const as = name ?? new URL(urls[0] ?? "").host.replace(/[[\]]/g, "");
  if (!isContextName(as))
    throw new ConnectionError(
      "--name: expected at most 100 letters, digits, dots, colons, dashes and underscores.",
    );
  const known = readContexts(context.env);
  const token = await readToken(context, url);
  const { insecure } = context.globalOptions();
  if (token !== undefined && insecure !== true) refuseClearText(urls);
  await tryOut(urls, token);
  writeContexts(context.env, withContext(known, as, { url: urls.join(","), token, insecure }));
  printLines(context, `The context ${as} is in force: ${urls.join(", ")}.`);
  sayOverridden(context);
};

interface Listed {
  readonly name: string;
  readonly url: string;
  readonly token: boolean;
  readonly current: boolean;
}

const COLUMNS: readonly Column<Listed>[] = [
  { head: "CONTEXT", cell: ({ name }) => name },
  { head: "ADDRESS", cell: ({ url }) => url },
  { head: "TOKEN", cell: ({ token }) => (token ? "(set)" : null) },
  { head: "IN FORCE", cell: ({ current }) => (current ? "yes" : null) },
];

/** An address for display. The file may have been edited: one that is malformed could have a secret in it. */
const shownAddress = ({ url }: Context): string => {
  try {
    return parseAddresses(url, "").join(",");
  } catch {
    return "(malformed)";
  }
};

const listedContexts = (context: CliContext): Listed[] => {
  const { current, contexts } = readContexts(context.env);
  return [...contexts]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, each]) => ({
      name,
      url: shownAddress(each),
      token: each.token !== undefined,
      current: name === current,
    }));
};

const contextCommand = (program: Command, context: CliContext): void => {
  const command = program.command("context").description("list the kept contexts, or use another one");
  command
    .command("list")
    .description("list the kept contexts; no secrets")
    .addOption(outputOption())
    .addHelpText("after", example("serial-gate context list"))
    .action(async ({ output }: OutputOptions) => {
      const contexts = listedContexts(context);
      await print(context, output, {
        response: { contexts },
        items: contexts,
        name: ({ name }) => name,
        lines: (screen, wide) => (contexts.length === 0 ? [] : tableOf(COLUMNS, contexts, screen, wide)),
      });
      if (contexts.length === 0) say(context, "No contexts. `serial-gate login URL` makes one.");
    });
  command
    .command("use")
    .description("use another context from now on")
    .argument("<context>")
    .addHelpText("after", example("serial-gate context use staging"))
    .action((name: string) => {
      const current = knownName(name, context);
      writeContexts(context.env, { ...readContexts(context.env), current });
      printLines(context, `The context ${current} is in force.`);
      sayOverridden(context);
    });
};

export const loginCommands = (program: Command, context: CliContext): void => {
  program
    .command("login")
    .description("keep the address of a service and a token for it, asked hidden or read from stdin")
    .argument("<url>", "address of the service; several nodes separated by commas")
    .option("--name <context>", "name of the context (default: the host of the address)")
    .addHelpText("after", example("serial-gate login https://gate.example --name production"))
    .action((url: string, options: LoginOptions) => logIn(context, url, options));
  program
    .command("logout")
    .description("forget a context and its token")
    .argument("[context]", "name of the context (default: the one in force)")
    .addHelpText("after", example("serial-gate logout production"))
    .action((name: string | undefined) => {
      const known = readContexts(context.env);
      const which = name ?? context.globalOptions().context ?? known.current;
      if (which === undefined)
        throw new ExitError(
          EXIT.notFound,
          `No context is in force in ${contextFileOf(context.env)}: name the one to forget.`,
        );
      writeContexts(context.env, withoutContext(known, knownName(which, context)));
      printLines(context, `The context ${which} is forgotten. The service still takes its token.`);
    });
  contextCommand(program, context);
};
