/** Where the command line finds the service: its part of the environment.
 *  Apart from the service's own configuration, which takes longer to load than a verb to run. */

import type { Env } from "./env.ts";

/** Every variable that the verbs read which call the service, with its default as it would be written. */
export const CONNECTION_VARIABLES = {
  SERIAL_GATE_URL: "http://127.0.0.1:8080",
  SERIAL_GATE_TOKEN: "",
} as const;

export interface Connection {
  /** Of one node or of several, of which one is asked until it does not answer. */
  readonly urls: readonly string[];
  readonly token: string | undefined;
  /** Who does what is asked for; a service with tokens goes by the token's name instead. */
  readonly by: string | undefined;
}

/** A command line that cannot know whom to ask. */
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
      `SERIAL_GATE_URL is ${JSON.stringify(given)}: wants http://HOST:PORT, or several separated by commas.`,
    );
  const token = set("SERIAL_GATE_TOKEN");
  if (token !== undefined && !/^[\x21-\x7e]+$/.test(token))
    throw new ConnectionError("SERIAL_GATE_TOKEN wants the secret of one of the service's tokens.");
  return { urls, token, by: set("USER") ?? set("LOGNAME") };
};
