/** Where the service has its tokens from: SERIAL_GATE_TOKENS, whose tokens are operators of all repositories, and the token
 *  file, which is read again when it changes. A file that has become invalid changes nothing. */

import { readFileSync, unwatchFile, watchFile } from "node:fs";
import { EVERYWHERE } from "../contract/names/repo-pattern.ts";
import { Keyring } from "./keyring.ts";
import { digestOf } from "./secret.ts";
import { parseTokenFile, TokenFileError, tokenOf, weakEntries, type Token } from "./token-file.ts";

/** How often the file is looked at, in milliseconds. A poll finds a replaced file on every kind of volume. */
const LOOK_EVERY_MS = 1_000;

interface Log {
  info(message: string): void;
  warn(message: string): void;
  error(message: string): void;
}

export interface Tokens {
  readonly keyring: Keyring;
  /** Reads the file again. */
  reload(): void;
  /** Stops looking at the file. */
  close(): void;
}

const operator = ({ name, secret }: { readonly name: string; readonly secret: string }): Token => ({
  name,
  role: "operator",
  reach: EVERYWHERE,
  agents: null,
  digest: digestOf(secret),
  expiresAt: null,
});

/** One name is one caller, wherever its secrets are kept.
 *  @throws TokenFileError */
const refuseTwoCallers = (operators: readonly Token[], tokens: readonly Token[]): void => {
  const names = new Set(operators.map(({ name }) => name));
  for (const { name, role, reach, agents } of tokens)
    if (names.has(name) && (role !== "operator" || reach !== EVERYWHERE || agents !== null))
      throw new TokenFileError(`${name} is an operator of all repositories in SERIAL_GATE_TOKENS already`);
};

/** @throws TokenFileError */
const readFile = (path: string): string => {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new TokenFileError(`cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
};

/** Reads the tokens, and the file again whenever it changes.
 *  @throws TokenFileError for a file that is invalid at the start */
export const openTokens = (
  secrets: readonly { readonly name: string; readonly secret: string }[],
  path: string | undefined,
  log: Log,
): Tokens => {
  const operators = secrets.map(operator);
  const read = (): readonly Token[] => {
    if (path === undefined) return operators;
    const file = parseTokenFile(readFile(path));
    const tokens = file.tokens.map(tokenOf);
    refuseTwoCallers(operators, tokens);
    for (const warning of weakEntries(file)) log.warn(warning);
    return [...operators, ...tokens];
  };
  const keyring = new Keyring(read());
  const reload = (): void => {
    if (path === undefined) return;
    try {
      const tokens = read();
      keyring.replace(tokens);
      log.info(`SERIAL_GATE_TOKENS_FILE is read again: ${tokens.length} tokens.`);
    } catch (error) {
      if (!(error instanceof TokenFileError)) throw error;
      log.error(`SERIAL_GATE_TOKENS_FILE ${error.message}. The tokens stay as they were.`);
    }
  };
  if (path !== undefined) watchFile(path, { interval: LOOK_EVERY_MS, persistent: false }, reload);
  return {
    keyring,
    reload,
    close: () => {
      if (path !== undefined) unwatchFile(path, reload);
    },
  };
};
