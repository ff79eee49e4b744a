/** The configuration of the service, as a pure function of an environment. Nothing here touches the process. */

import * as z from "zod";
import { CONNECTION_VARIABLES } from "./client.ts";
import { ORCHESTRATOR_PREFIX, spellingsOf, SWITCHES, type Env } from "./env.ts";
import { isLoopback } from "./loopback.ts";
import { REPO_NAME } from "../contract/names/repo-name.ts";
import { DEFAULT_BUDGETS, type Budgets } from "../access/budgets.ts";
import { RESERVED_NAME, TOKEN_NAME } from "../access/token-file.ts";
import { weaknessOf } from "../access/secret.ts";
import type { Defaults, Policy } from "../gate/rule/policy.ts";
import type { Origin } from "../store/settings.ts";
import { pathOf, readDatabaseUrl, shownUrl } from "../store/open.ts";

/** A secret of SERIAL_GATE_TOKENS, and the name of the operator that sends it. */
export interface OperatorSecret {
  readonly name: string;
  readonly secret: string;
}

/** The policy as the environment has it: strict lanes may be left to the database. */
export type ConfiguredPolicy = Omit<Policy, "strictLanes"> & { readonly strictLanes: boolean | null };

/** Completes the policy: strict lanes are on for a database that serial-gate made, and off for any other, whose decisions
 *  stay as they were until somebody switches them on. */
export const policyFor = ({ strictLanes, ...policy }: ConfiguredPolicy, origin: Origin): Policy => ({
  ...policy,
  strictLanes: strictLanes ?? origin === "serial-gate",
});

const ORIGIN_REASONS: Readonly<Record<Origin, string>> = {
  "serial-gate": "serial-gate made the database",
  orchestrator: "the database was adopted from an orchestrator",
  "before-release": "the database is older than the first release",
};

/** Says why strict lanes are on or off. */
export const strictLanesReason = ({ strictLanes }: ConfiguredPolicy, origin: Origin): string =>
  strictLanes === null ? ORIGIN_REASONS[origin] : "SERIAL_GATE_STRICT_LANES says so";

export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
}

export interface Config {
  readonly host: string;
  readonly port: number;
  /** The paths of the certificate and of its key; undefined for plain HTTP. */
  readonly tls: TlsFiles | undefined;
  readonly databaseUrl: string;
  /** Takes a database file that exists and is empty for a new database. */
  readonly allowEmpty: boolean;
  readonly logLevel: string;
  readonly tokens: readonly OperatorSecret[];
  /** The path of the token file; undefined without one. */
  readonly tokensFile: string | undefined;
  readonly policy: ConfiguredPolicy;
  readonly defaults: Defaults;
  readonly projects: readonly string[];
  /** Days that events are kept; 0 means for ever. */
  readonly eventsDays: number;
  /** Bytes of the lanes' texts that are kept. */
  readonly keptLanes: number;
  readonly budgets: Budgets;
  /** Settings that were ignored, for the log. */
  readonly warnings: readonly string[];
}

/** True for a service that refuses callers without a token. */
export const asksForTokens = ({ tokens, tokensFile }: Config): boolean =>
  tokens.length > 0 || tokensFile !== undefined;

/** Lists every invalid variable and the value that it takes. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";

  constructor(faults: readonly string[]) {
    super(`The configuration is invalid:\n${faults.map((fault) => `  ${fault}`).join("\n")}`);
  }
}

/** Variables that may contain a secret: their values are never shown. */
const SECRET_VARIABLES = ["DATABASE_URL", "SERIAL_GATE_TOKENS"];

/** A variable: its default, the values that it takes, and its parser, which returns undefined for any other value. */
const variable = <T>(fallback: string, expected: string, parse: (text: string) => T | undefined) =>
  z
    .string()
    .default(fallback)
    .transform((text, context): T => {
      const value = parse(text);
      if (value !== undefined) return value;
      context.addIssue({ code: "custom", message: `expected ${expected}` });
      return z.NEVER;
    });

const wholeNumber = (fallback: number, least: number, most: number, unit = "") =>
  variable(String(fallback), `a whole number from ${least} to ${most}${unit}`, (text) => {
    const value = /^\d{1,12}$/.test(text) ? Number(text) : NaN;
    return value >= least && value <= most ? value : undefined;
  });

const milliseconds = (fallback: number, least: number, most: number) =>
  wholeNumber(fallback, least, most, " milliseconds");

const asSwitch = (text: string): boolean | undefined => {
  if (/^(true|on|yes|1|t|y)$/i.test(text)) return true;
  return /^(false|off|no|0|f|n)$/i.test(text) ? false : undefined;
};

const onOff = (fallback: boolean) =>
  variable(String(fallback), "true or false (or on/off, yes/no, 1/0)", asSwitch);

/** A switch that the database decides unless it is set. */
const autoOrSwitch = () =>
  variable("auto", "auto, true or false (or on/off, yes/no, 1/0)", (text): boolean | null | undefined =>
    /^auto$/i.test(text) ? null : asSwitch(text),
  );

/** A number that the service finds by itself unless it is set. */
const autoOrNumber = (least: number, most: number) =>
  variable("auto", `auto, or a whole number from ${least} to ${most}`, (text): number | null | undefined => {
    if (/^auto$/i.test(text)) return null;
    const value = /^\d{1,12}$/.test(text) ? Number(text) : NaN;
    return value >= least && value <= most ? value : undefined;
  });

const oneOf = (fallback: string, allowed: readonly string[]) =>
  variable(fallback, `one of ${allowed.join(", ")}`, (text) => (allowed.includes(text) ? text : undefined));

interface Names {
  readonly valid: readonly string[];
  readonly dropped: readonly string[];
}

/** Comma-separated repository names. Invalid names are dropped; a list without a valid name is refused, because an
 *  empty list means all repositories. */
const repoNames = () =>
  variable("", "repository names such as owner/name, separated by commas", (text): Names | undefined => {
    const names = text
      .split(",")
      .map((name) => name.trim())
      .filter((name) => name !== "");
    const valid = [...new Set(names.filter((name) => REPO_NAME.test(name)))];
    if (text !== "" && valid.length === 0) return undefined;
    return { valid, dropped: names.filter((name) => !REPO_NAME.test(name)) };
  });

const SECRET = /^([^:]+):([\x21-\x2b\x2d-\x7e]{16,})$/;

const tokenList = () =>
  variable(
    "",
    `name:secret pairs separated by commas, each name once and none ${RESERVED_NAME}, each secret at least 16 characters long`,
    (text): OperatorSecret[] | undefined => {
      const parts = text === "" ? [] : text.split(",").map((part) => SECRET.exec(part.trim()));
      const tokens = parts.flatMap((part) =>
        part?.[1] && part[2] && TOKEN_NAME.test(part[1]) && part[1] !== RESERVED_NAME
          ? [{ name: part[1], secret: part[2] }]
          : [],
      );
      const unique = (values: string[]): boolean => new Set(values).size === parts.length;
      return unique(tokens.map(({ name }) => name)) && unique(tokens.map(({ secret }) => secret))
        ? tokens
        : undefined;
    },
  );

/** The path of a file that serve.ts reads. */
const path = () => variable("", "the path of a PEM file", (text) => (text.includes("\0") ? undefined : text));

const KIB = 1024;
const MIB = 1024 * KIB;

const LOG_LEVELS = ["fatal", "error", "warn", "info", "debug", "trace", "silent"];

const Environment = z.object({
  HOST: variable("127.0.0.1", "an address or a host name", (text) =>
    /^[A-Za-z0-9.:_-]+$/.test(text) ? text : undefined,
  ),
  PORT: wholeNumber(8080, 0, 65_535),
  SERIAL_GATE_TLS_CERT: path(),
  SERIAL_GATE_TLS_KEY: path(),
  SERIAL_GATE_BEHIND_TLS: onOff(false),
  DATABASE_URL: z
    .string()
    .default("file:./data/serial-gate.db")
    .superRefine((text, context) => {
      const read = readDatabaseUrl(text);
      if (read.kind === "invalid") context.addIssue({ code: "custom", message: read.reason });
    }),
  SERIAL_GATE_ALLOW_EMPTY: onOff(false),
  LOG_LEVEL: oneOf("info", LOG_LEVELS),
  SERIAL_GATE_TOKENS: tokenList(),
  SERIAL_GATE_TOKENS_FILE: z.string().default(""),
  SERIAL_GATE_ENABLED: onOff(true),
  SERIAL_GATE_REPOS: repoNames(),
  SERIAL_GATE_FREEZE_ENABLED: onOff(true),
  SERIAL_GATE_PAUSE_ENABLED: onOff(true),
  TASK_DEPS_ENABLED: onOff(true),
  SERIAL_GATE_ENTRY_AGENT: variable("analyst", "the name of an agent", (text) =>
    /^[A-Za-z0-9._:-]{1,200}$/.test(text) ? text : undefined,
  ),
  SERIAL_GATE_STRICT_LANES: autoOrSwitch(),
  SERIAL_GATE_PROJECTS: repoNames(),
  SERIAL_GATE_LEASE_MS: milliseconds(60_000, 1_000, 86_400_000),
  SERIAL_GATE_MAX_ATTEMPTS: wholeNumber(2, 1, 1_000),
  SERIAL_GATE_RETRY_MS: milliseconds(5_000, 1, 86_400_000),
  SERIAL_GATE_RETRY_MAX_MS: milliseconds(300_000, 1, 86_400_000),
  SERIAL_GATE_EVENTS_DAYS: wholeNumber(90, 0, 36_500, " days"),
  SERIAL_GATE_MAX_BODY_KB: wholeNumber(DEFAULT_BUDGETS.body / KIB, 1, 65_536, " KiB"),
  SERIAL_GATE_MAX_PAYLOAD_KB: wholeNumber(DEFAULT_BUDGETS.payload / KIB, 1, 65_536, " KiB"),
  SERIAL_GATE_MAX_POLLS: wholeNumber(DEFAULT_BUDGETS.polls, 1, 1_000_000),
  SERIAL_GATE_MAX_STREAMS: wholeNumber(DEFAULT_BUDGETS.streams, 1, 1_000_000),
  SERIAL_GATE_MAX_CHANGES: wholeNumber(DEFAULT_BUDGETS.changes, 1, 1_000_000, " a second"),
  SERIAL_GATE_MAX_KEPT_MB: wholeNumber(DEFAULT_BUDGETS.kept / MIB, 1, 65_536, " MiB"),
  SERIAL_GATE_MAX_CONNECTIONS: autoOrNumber(1, 1_000_000),
  SERIAL_GATE_ANSWERS_MB: wholeNumber(DEFAULT_BUDGETS.answers / MIB, 4, 65_536, " MiB"),
  SERIAL_GATE_QUEUE_MB: wholeNumber(DEFAULT_BUDGETS.queue / MIB, 1, 65_536, " MiB"),
  SERIAL_GATE_KEPT_LANES_MB: wholeNumber(64, 0, 65_536, " MiB"),
});

/** The variables of the service, and their defaults. */
export const VARIABLES: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(Environment.shape).map(([name, schema]) => [
    name,
    String((schema instanceof z.ZodDefault ? schema : (schema.in as z.ZodDefault)).def.defaultValue),
  ]),
);

/** The name under which a variable is set: its own or, for a switch, the orchestrator's. A blank value counts as not
 *  set. */
const sourceOf = (env: Env, name: string): string | undefined =>
  spellingsOf(name).find((each) => env[each]?.trim());

const set = (env: Env): Record<string, string> =>
  Object.fromEntries(
    Object.keys(VARIABLES).flatMap((name) => {
      const source = sourceOf(env, name);
      return source === undefined ? [] : [[name, env[source]?.trim() ?? ""]];
    }),
  );

/** Unknown variables with our prefix. A misspelt switch must not be ignored in silence: it may be the kill switch. */
const misspelt = (env: Env): string[] =>
  Object.keys(env)
    .filter((name) => /^(ORCH_)?SERIAL_GATE_/.test(name))
    .filter((name) => {
      const own = name.startsWith(ORCHESTRATOR_PREFIX)
        ? SWITCHES.map((each) => ORCHESTRATOR_PREFIX + each)
        : [...Object.keys(VARIABLES), ...CONNECTION_VARIABLES];
      return !own.includes(name);
    });

/** @throws ConfigError that lists every invalid variable */
export const parseConfig = (env: Env): Config => {
  const given = set(env);
  const parsed = Environment.safeParse(given);
  const faults = (parsed.error?.issues ?? []).map(({ path, message }) => {
    const name = String(path[0]);
    const shown = SECRET_VARIABLES.includes(name) ? ":" : ` is ${JSON.stringify(given[name])}:`;
    return `${name}${shown} ${message}`;
  });
  const { HOST = "", SERIAL_GATE_TOKENS = given.SERIAL_GATE_TOKENS_FILE } = given;
  if (HOST !== "" && !isLoopback(HOST) && SERIAL_GATE_TOKENS === undefined)
    faults.push(
      `HOST is ${JSON.stringify(HOST)}: set SERIAL_GATE_TOKENS or SERIAL_GATE_TOKENS_FILE too, or every caller that reaches it is an operator`,
    );
  const { SERIAL_GATE_TLS_CERT: cert, SERIAL_GATE_TLS_KEY: key } = given;
  if ((cert === undefined) !== (key === undefined))
    faults.push("SERIAL_GATE_TLS_CERT and SERIAL_GATE_TLS_KEY go together: set both, or neither");
  if (!parsed.success || faults.length > 0) throw new ConfigError(faults);

  const value = parsed.data;
  const scope = value.SERIAL_GATE_REPOS;
  return {
    host: value.HOST,
    port: value.PORT,
    tls: cert !== undefined && key !== undefined ? { cert, key } : undefined,
    databaseUrl: value.DATABASE_URL,
    allowEmpty: value.SERIAL_GATE_ALLOW_EMPTY,
    logLevel: value.LOG_LEVEL,
    tokens: value.SERIAL_GATE_TOKENS,
    tokensFile: value.SERIAL_GATE_TOKENS_FILE || undefined,
    policy: {
      enabled: value.SERIAL_GATE_ENABLED,
      repos: scope.valid.length > 0 ? scope.valid : null,
      freeze: value.SERIAL_GATE_FREEZE_ENABLED,
      pause: value.SERIAL_GATE_PAUSE_ENABLED,
      dependencies: value.TASK_DEPS_ENABLED,
      entryAgent: value.SERIAL_GATE_ENTRY_AGENT,
      strictLanes: value.SERIAL_GATE_STRICT_LANES,
    },
    defaults: {
      leaseMs: value.SERIAL_GATE_LEASE_MS,
      maxAttempts: value.SERIAL_GATE_MAX_ATTEMPTS,
      retryMs: value.SERIAL_GATE_RETRY_MS,
      retryMaxMs: value.SERIAL_GATE_RETRY_MAX_MS,
    },
    projects: value.SERIAL_GATE_PROJECTS.valid,
    eventsDays: value.SERIAL_GATE_EVENTS_DAYS,
    keptLanes: value.SERIAL_GATE_KEPT_LANES_MB * MIB,
    budgets: {
      body: value.SERIAL_GATE_MAX_BODY_KB * KIB,
      payload: value.SERIAL_GATE_MAX_PAYLOAD_KB * KIB,
      polls: value.SERIAL_GATE_MAX_POLLS,
      streams: value.SERIAL_GATE_MAX_STREAMS,
      changes: value.SERIAL_GATE_MAX_CHANGES,
      kept: value.SERIAL_GATE_MAX_KEPT_MB * MIB,
      connections: value.SERIAL_GATE_MAX_CONNECTIONS ?? undefined,
      answers: value.SERIAL_GATE_ANSWERS_MB * MIB,
      queue: value.SERIAL_GATE_QUEUE_MB * MIB,
    },
    warnings: [
      ...(isLoopback(value.HOST) || cert !== undefined || value.SERIAL_GATE_BEHIND_TLS
        ? []
        : [
            `HOST is ${JSON.stringify(value.HOST)} without TLS: the callers' tokens cross the network in clear text. Set SERIAL_GATE_TLS_CERT and SERIAL_GATE_TLS_KEY, or SERIAL_GATE_BEHIND_TLS=true if a proxy in front of it speaks TLS.`,
          ]),
      ...(pathOf(value.DATABASE_URL) === ":memory:"
        ? ["DATABASE_URL is a database in memory: everything in it is lost when the service ends."]
        : []),
      ...scope.dropped.map(
        (name) => `SERIAL_GATE_REPOS: ${JSON.stringify(name)} is not a repository name and is ignored.`,
      ),
      ...value.SERIAL_GATE_PROJECTS.dropped.map(
        (name) => `SERIAL_GATE_PROJECTS: ${JSON.stringify(name)} is not a repository name and is ignored.`,
      ),
      ...value.SERIAL_GATE_TOKENS.flatMap(({ name, secret }) => {
        const weakness = weaknessOf(secret);
        return weakness === undefined
          ? []
          : [
              `SERIAL_GATE_TOKENS: the secret of ${name} ${weakness}. Make one with \`serial-gate token new\`.`,
            ];
      }),
      ...misspelt(env).map((name) => `${name} is not a variable of serial-gate and is ignored.`),
    ],
  };
};

/** A variable's value for display: `(set)` for a secret, a URL without its password. */
export const shownSetting = (
  env: Env,
  name: string,
  fallback: string,
): { readonly source: string | undefined; readonly value: string } => {
  const source = sourceOf(env, name);
  const value = source === undefined ? fallback : (env[source]?.trim() ?? "");
  if (name === "DATABASE_URL") return { source, value: shownUrl(value) };
  return { source, value: value !== "" && SECRET_VARIABLES.includes(name) ? "(set)" : value };
};

/** The warnings, or the error, that a start with this environment would report. */
export const faultsIn = (env: Env): readonly string[] => {
  try {
    return parseConfig(env).warnings;
  } catch (error) {
    if (error instanceof ConfigError) return [error.message];
    throw error;
  }
};
