/** serial-gate token: makes, lists and checks the tokens of a token file. A secret is shown once, when it is made. */

import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { InvalidArgumentError, Option, type Command } from "commander";
import { ROLES, type Role } from "../../../access/role.ts";
import type { TokenEntry, TokenFile } from "../../../access/token-file.ts";
import { example, repeated } from "../../arguments.ts";
import type { CliContext } from "../../context.ts";
import { EXIT, ExitError } from "../../output/exit-codes.ts";
import { outputOption, print, type OutputOptions } from "../../output/format.ts";
import { tableOf, type Column } from "../../output/table.ts";

const loadAccess = () =>
  Promise.all([import("../../../access/token-file.ts"), import("../../../access/secret.ts")]);

const UNITS: Readonly<Record<string, number>> = { h: 3_600_000, d: 86_400_000, w: 604_800_000 };

/** Milliseconds in a span such as `90d`. */
const span = (text: string): number => {
  const [, count = "", unit = ""] = /^([1-9]\d{0,4})([hdw])$/.exec(text) ?? [];
  const ms = UNITS[unit];
  if (ms === undefined)
    throw new InvalidArgumentError("Expected a number of hours, days or weeks, such as 90d.");
  return Number(count) * ms;
};

const fileOption = (): Option =>
  new Option("--file <file>", "the token file (default: SERIAL_GATE_TOKENS_FILE)");

const inputFault = (path: string, error: unknown): ExitError =>
  new ExitError(
    EXIT.config,
    `The token file ${path} ${error instanceof Error ? error.message : String(error)}`,
  );

interface FileOptions {
  readonly file?: string;
}

const pathOf = ({ file }: FileOptions, { env }: CliContext): string | undefined => {
  const configured = env.SERIAL_GATE_TOKENS_FILE?.trim() ?? "";
  return file ?? (configured === "" ? undefined : configured);
};

/** @throws ExitError for a file that is missing or invalid */
const readTokens = async (path: string): Promise<TokenFile> => {
  const [{ parseTokenFile }] = await loadAccess();
  try {
    return parseTokenFile(readFileSync(path, "utf8"));
  } catch (error) {
    throw inputFault(path, error);
  }
};

const requiredPath = (options: FileOptions, context: CliContext): string => {
  const path = pathOf(options, context);
  if (path === undefined)
    throw new ExitError(EXIT.usage, "Name the token file: --file, or SERIAL_GATE_TOKENS_FILE.");
  return path;
};

/** Replaces the file as a whole, readable by its owner only. */
const writeTokens = async (path: string, file: TokenFile): Promise<void> => {
  const [{ parseTokenFile }] = await loadAccess();
  const text = `${JSON.stringify(file, null, 2)}\n`;
  try {
    parseTokenFile(text);
    const part = `${path}.${process.pid}.part`;
    writeFileSync(part, text, { mode: 0o600, flag: "wx" });
    renameSync(part, path);
  } catch (error) {
    throw inputFault(path, error);
  }
};

interface NewOptions extends FileOptions {
  readonly role: Role;
  readonly repo?: readonly string[];
  readonly agent?: readonly string[];
  readonly expires?: number;
}

const COLUMNS: readonly Column<TokenEntry>[] = [
  { head: "NAME", cell: ({ name }) => name },
  { head: "ROLE", cell: ({ role }) => role },
  { head: "REPOSITORIES", cell: ({ repos }) => repos?.join(", ") ?? "all" },
  { head: "AGENTS", cell: ({ agents }) => agents?.join(", ") ?? "all" },
  { head: "EXPIRES", cell: ({ expires_at }) => expires_at ?? "never" },
  { head: "SHA256", cell: ({ sha256 }) => sha256.slice(0, 12) },
];

const newToken = (token: Command, context: CliContext): void => {
  token
    .command("new")
    .description("make a token: print its secret once, and add its entry to the token file or print it")
    .argument("<name>", "the caller's name; a name that is there already gets a further secret")
    .addOption(new Option("--role <role>", "what the caller may do").choices(ROLES).makeOptionMandatory())
    .option("--repo <pattern>", "a repository, or a prefix and *; may be repeated (default: all)", repeated)
    .option("--agent <agent>", "an agent whose jobs it may claim; may be repeated (default: all)", repeated)
    .option("--expires <span>", "how long it is valid, such as 90d (default: for ever)", span)
    .addOption(fileOption())
    .addHelpText(
      "after",
      example("serial-gate token new ci-web --role worker --repo 'acme/web*' --expires 90d"),
    )
    .action(async (name: string, options: NewOptions) => {
      const [{ parseTokenFile }, { newSecret, digestOf }] = await loadAccess();
      const secret = newSecret();
      const entry: TokenEntry = {
        name,
        role: options.role,
        ...(options.repo ? { repos: [...options.repo] } : {}),
        ...(options.agent ? { agents: [...options.agent] } : {}),
        sha256: digestOf(secret).toString("hex"),
        ...(options.expires === undefined
          ? {}
          : { expires_at: new Date(Date.now() + options.expires).toISOString() }),
      };
      try {
        parseTokenFile(JSON.stringify({ tokens: [entry] }));
      } catch (error) {
        throw new ExitError(
          EXIT.usage,
          (error instanceof Error ? error.message : "").replace(/^tokens\[0\][^:]*: /, ""),
        );
      }
      const path = pathOf(options, context);
      if (path === undefined) context.stderr.write(`${JSON.stringify(entry)}\n`);
      else {
        const { tokens } = existsSync(path) ? await readTokens(path) : { tokens: [] };
        await writeTokens(path, { tokens: [...tokens, entry] });
        context.stderr.write(`${name} is added to ${path}. This is its secret, shown once:\n`);
      }
      context.stdout.write(`${secret}\n`);
    });
};

const listTokens = (token: Command, context: CliContext): void => {
  token
    .command("list")
    .description("list the tokens of a token file; it holds no secret")
    .addOption(fileOption())
    .addOption(outputOption())
    .addHelpText("after", example("serial-gate token list --file tokens.json"))
    .action(async ({ output, ...options }: FileOptions & OutputOptions) => {
      const { tokens } = await readTokens(requiredPath(options, context));
      await print(context, output, {
        response: { tokens },
        items: tokens,
        name: ({ name }) => name,
        lines: (screen, wide) => tableOf(COLUMNS, tokens, screen, wide),
      });
    });
};

const readSecret = async ({ stdin }: CliContext): Promise<string> => {
  let text = "";
  for await (const part of stdin.setEncoding("utf8")) text += String(part);
  return text.trim();
};

const checkToken = (token: Command, context: CliContext): void => {
  token
    .command("check")
    .description("tell whose secret it is, by the token file")
    .argument(
      "[secret]",
      "the secret (default: read from standard input, which leaves it out of the shell's history)",
    )
    .addOption(fileOption())
    .addHelpText("after", example("serial-gate token check --file tokens.json < secret.txt"))
    .action(async (given: string | undefined, options: FileOptions) => {
      const [, { digestOf, isOwnSecret }] = await loadAccess();
      const { tokens } = await readTokens(requiredPath(options, context));
      const secret = given ?? (await readSecret(context));
      const digest = digestOf(secret).toString("hex");
      const entry = tokens.find(({ sha256 }) => sha256 === digest);
      if (!entry)
        throw new ExitError(
          EXIT.notFound,
          secret.startsWith("sg_") && !isOwnSecret(secret)
            ? "The secret is mistyped: its checksum is wrong."
            : "No token of the file has this secret.",
        );
      const { name, role, expires_at } = entry;
      if (expires_at !== undefined && Date.parse(expires_at) <= Date.now())
        throw new ExitError(
          EXIT.refused,
          `The secret is that of ${name} (${role}), and expired at ${expires_at}.`,
        );
      context.stdout.write(
        `The secret is that of ${name} (${role}), valid ${expires_at === undefined ? "for ever" : `until ${expires_at}`}.\n`,
      );
    });
};

export const tokenCommands = (program: Command, context: CliContext): void => {
  const token = program.command("token").description("make, list and check the tokens of a token file");
  newToken(token, context);
  listTokens(token, context);
  checkToken(token, context);
};
