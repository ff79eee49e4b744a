/** The environment of the command line: the address of the service and a token for it.
 *  Kept apart from the service's configuration, which takes longer to load than a verb to run. */

import type { Env } from "./env.ts";

/** The variables of the verbs that call the service, and their defaults. */
export const CONNECTION_VARIABLES = {
  SERIAL_GATE_URL: "http://127.0.0.1:8080",
  SERIAL_GATE_TOKEN: "",
} as const;

export interface Connection {
  /** One for each node. */
  readonly urls: readonly string[];
  readonly token: string | undefined;
  /** The person to record in the event log; a service with tokens records the token's name. */
  readonly by: string | undefined;
}

/** An address or a token that is malformed. */
export class ConnectionError extends Error {
  override readonly name = "ConnectionError";
}

const isUrl = (text: string): boolean => /^https?:\/\/[^\s/]/.test(text) && URL.canParse(text);

/** @throws ConnectionError */
export const parseConnection = (env: Env): Connection => {
  const set = (name: string): string | undefined => {
    const value = env[name]?.trim() ?? "";
    return value === "" ? undefined : value;
  };
  const given = set("SERIAL_GATE_URL") ?? CONNECTION_VARIABLES.SERIAL_GATE_URL;
  const urls = given.split(",").map((url) => url.trim());
  if (!urls.every(isUrl))
    throw new ConnectionError(
      `SERIAL_GATE_URL is ${JSON.stringify(given)}: expected http://HOST:PORT, or several separated by commas.`,
    );
  const token = set("SERIAL_GATE_TOKEN");
  if (token !== undefined && !/^[\x21-\x7e]+$/.test(token))
    throw new ConnectionError("SERIAL_GATE_TOKEN: expected the secret of one of the service's tokens.");
  return { urls, token, by: set("USER") ?? set("LOGNAME") };
};
