/** The service that the command line calls: its address and the token for it, from one source. A token goes only to the
 *  address that it was given with.
 *  Kept apart from the service's configuration, which takes longer to load than a verb to run. */

import type { Context, Contexts } from "./contexts.ts";
import type { Env } from "./env.ts";
import { isLoopback } from "./loopback.ts";

/** The variables of the verbs that call the service. */
export const CONNECTION_VARIABLES = ["SERIAL_GATE_URL", "SERIAL_GATE_TOKEN"] as const;

const DEFAULT_URL = "http://127.0.0.1:8080";

export interface Connection {
  /** One for each node. */
  readonly urls: readonly string[];
  readonly token: string | undefined;
  /** The person to record in the event log; a service with tokens records the token's name. */
  readonly by: string | undefined;
  /** The source of the address and of the token. */
  readonly source: "environment" | "default" | { readonly context: string };
}

/** An address or a token that is malformed, or two that do not belong together. The message has no part of either. */
export class ConnectionError extends Error {
  override readonly name = "ConnectionError";
}

const SENDABLE = /^[\x21-\x7e]+$/;

/** An address without a user, a query or a fragment: each would carry a secret to where addresses are shown. */
const isAddress = (text: string): boolean => {
  if (!/^https?:\/\/[^\s/@]/i.test(text) || /[?#\s]/.test(text) || !URL.canParse(text)) return false;
  const { username, password } = new URL(text);
  return username === "" && password === "";
};

/** The addresses of the service's nodes.
 *  @param named names the text in the message, such as `SERIAL_GATE_URL`
 *  @throws ConnectionError */
export const parseAddresses = (text: string, named: string): string[] => {
  const urls = text.split(",").map((url) => url.trim());
  if (urls.every(isAddress)) return urls;
  throw new ConnectionError(
    urls.some((url) => url.includes("@"))
      ? `${named}: an address has no user and no password. Give the token by \`serial-gate login\`, or in SERIAL_GATE_TOKEN.`
      : `${named}: expected http://HOST:PORT or https://HOST:PORT, or several separated by commas.`,
  );
};

/** @throws ConnectionError for a text that cannot be a token */
export const parseToken = (text: string, named: string): string => {
  if (SENDABLE.test(text)) return text;
  throw new ConnectionError(`${named}: expected the secret of one of the service's tokens.`);
};

/** Refuses to send a token in clear text over a network.
 *  @throws ConnectionError */
export const refuseClearText = (urls: readonly string[]): void => {
  const clear = urls.find((url) => {
    const { protocol, hostname } = new URL(url);
    return protocol === "http:" && !isLoopback(hostname);
  });
  if (clear !== undefined)
    throw new ConnectionError(
      `The token would cross the network to ${clear} in clear text. Use an https:// address, or add --insecure on a network that you trust.`,
    );
};

interface Choice {
  readonly env: Env;
  /** The context that `--context` names. */
  readonly contextName?: string | undefined;
  /** Reads the stored contexts; not called when the environment names the service. */
  readonly contexts: () => Contexts;
  /** Allows a token over plain HTTP beyond loopback. */
  readonly insecure?: boolean;
}

type Found = Pick<Connection, "source"> & Partial<Context>;

const contextNamed = (name: string, { contexts }: Contexts): Found => {
  const found = contexts.get(name);
  if (found) return { ...found, source: { context: name } };
  const names = [...contexts.keys()].join(", ");
  throw new ConnectionError(
    `No context ${name}. ${names === "" ? "`serial-gate login URL` makes one." : `Known contexts: ${names}.`}`,
  );
};

/** A blank value is not set. */
const setIn = (env: Env, name: string): string | undefined => {
  const value = env[name]?.trim() ?? "";
  return value === "" ? undefined : value;
};

const find = ({ env, contextName, contexts }: Choice): Found => {
  if (contextName !== undefined) return contextNamed(contextName, contexts());
  const [url, token] = CONNECTION_VARIABLES.map((name) => setIn(env, name));
  if (url !== undefined) return { url, token, source: "environment" };
  if (token !== undefined)
    throw new ConnectionError(
      "SERIAL_GATE_TOKEN is set without SERIAL_GATE_URL, and a token is sent only to the address that it was given with. Set both, or unset it and use `serial-gate login URL`.",
    );
  const known = contexts();
  return known.current === undefined ? { source: "default" } : contextNamed(known.current, known);
};

/** The service to call: the context of `--context`, else the environment, else the current context, else this machine
 *  without a token.
 *  @throws ConnectionError */
export const chooseConnection = (choice: Choice): Connection => {
  const { url = DEFAULT_URL, token, insecure, source } = find(choice);
  const isContext = typeof source === "object";
  const urls = parseAddresses(url, isContext ? `The context ${source.context}` : "SERIAL_GATE_URL");
  const connection = {
    urls,
    token:
      token === undefined
        ? undefined
        : parseToken(token, isContext ? `The context ${source.context}` : "SERIAL_GATE_TOKEN"),
    by: setIn(choice.env, "USER") ?? setIn(choice.env, "LOGNAME"),
    source,
  };
  if (token !== undefined && insecure !== true && choice.insecure !== true) refuseClearText(urls);
  return connection;
};
