import { DEFAULT_BUDGETS } from "../../src/access/budgets.ts";
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { ConfigError, parseConfig, VARIABLES } from "../../src/config/service.ts";
import { type Env } from "../../src/config/env.ts";
import { parseDotEnv } from "../../src/config/dot-env.ts";
import { DEFAULTS, POLICY } from "../support/fixtures.ts";

const faultsOf = (env: Env): string => {
  try {
    parseConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  return "";
};

it("uses the defaults for an empty environment: loopback, SQLite, every switch on", () => {
  expect(parseConfig({})).toEqual({
    host: "127.0.0.1",
    port: 8080,
    databaseUrl: "file:./data/serial-gate.db",
    allowEmpty: false,
    logLevel: "info",
    tokens: [],
    policy: { ...POLICY, strictLanes: null },
    defaults: DEFAULTS,
    projects: [],
    eventsDays: 90,
    keptLanes: 64 * 1024 * 1024,
    budgets: DEFAULT_BUDGETS,
    warnings: [],
  });
});

it(".env.example lists every variable with its default, and no other", () => {
  const text = readFileSync(new URL("../../.env.example", import.meta.url), "utf8");
  const lines = text.split("\n").filter((line) => /^[A-Z]/.test(line));
  const shown: unknown = Object.fromEntries(lines.map((line) => line.split(/=(.*)/).slice(0, 2)));
  expect(shown).toEqual(VARIABLES);
  // Each has words above it.
  for (const name of Object.keys(VARIABLES)) expect(text).toMatch(new RegExp(`^# .*\\n${name}=`, "m"));
});

it(".env.example as it stands changes no default and names the unit of every time", () => {
  const text = readFileSync(new URL("../../.env.example", import.meta.url), "utf8");
  expect(parseConfig(parseDotEnv(text))).toEqual(parseConfig({}));
  for (const name of Object.keys(VARIABLES).filter((each) => each.endsWith("_MS")))
    expect(text).toMatch(new RegExp(`^# .*milliseconds.*\\n${name}=`, "m"));
});

it.each<[string, string[], string[]]>([
  ["PORT", ["0", "1", "65535"], ["-1", "65536", "80.5", "0x50", "8e1", "eighty"]],
  ["SERIAL_GATE_LEASE_MS", ["1000", "86400000"], ["999", "86400001", "1s", "1 000"]],
  ["SERIAL_GATE_MAX_ATTEMPTS", ["1", "1000"], ["0", "1001", "-1"]],
  ["SERIAL_GATE_RETRY_MS", ["1", "86400000"], ["0", "86400001"]],
  ["SERIAL_GATE_RETRY_MAX_MS", ["1", "86400000"], ["0", "86400001"]],
  ["SERIAL_GATE_EVENTS_DAYS", ["0", "1", "36500"], ["-1", "36501", "1.5", "ever"]],
  ["LOG_LEVEL", ["silent", "trace"], ["INFO", "verbose"]],
  ["HOST", ["localhost", "::1"], ["a host", "http://localhost", "localhost/x"]],
  ["SERIAL_GATE_ENTRY_AGENT", ["architect", "team:a.b-c_1"], ["an agent", "a,b", "a".repeat(201)]],
])("%s takes %j and refuses %j", (name, good, bad) => {
  for (const text of good) expect(faultsOf({ [name]: text })).toBe("");
  for (const text of bad)
    expect(faultsOf({ [name]: text })).toContain(`${name} is ${JSON.stringify(text)}: expected`);
});

it("reads every variable into its setting", () => {
  const env = {
    HOST: "localhost",
    PORT: "0",
    DATABASE_URL: "file:/var/lib/gate.db",
    LOG_LEVEL: "warn",
    SERIAL_GATE_ENTRY_AGENT: "architect",
    SERIAL_GATE_PROJECTS: "acme/web, no way,orchestrator",
    SERIAL_GATE_LEASE_MS: "1000",
    SERIAL_GATE_MAX_ATTEMPTS: "3",
    SERIAL_GATE_RETRY_MS: "10",
    SERIAL_GATE_RETRY_MAX_MS: "20",
  };
  expect(parseConfig(env)).toMatchObject({
    host: "localhost",
    port: 0,
    databaseUrl: "file:/var/lib/gate.db",
    logLevel: "warn",
    policy: { entryAgent: "architect" },
    projects: ["acme/web", "orchestrator"],
    defaults: { leaseMs: 1_000, maxAttempts: 3, retryMs: 10, retryMaxMs: 20 },
    warnings: [`SERIAL_GATE_PROJECTS: "no way" is not a repository name and is ignored.`],
  });
});

it("treats a blank value as unset and falls back to the orchestrator's variable or the default", () => {
  for (const blank of ["", "  "]) {
    const env = { SERIAL_GATE_REPOS: blank, ORCH_SERIAL_GATE_REPOS: "acme/web", PORT: blank };
    expect(parseConfig(env)).toMatchObject({ port: 8080, policy: { repos: ["acme/web"] } });
  }
  expect(
    parseConfig({ ORCH_SERIAL_GATE_ENTRY_AGENT: "architect", SERIAL_GATE_ENTRY_AGENT: "planner" }).policy,
  ).toMatchObject({ entryAgent: "planner" });
  expect(parseConfig({ ORCH_SERIAL_GATE_ENTRY_AGENT: "architect" }).policy.entryAgent).toBe("architect");
});

it("reads only the switches under the orchestrator's prefix and ignores its other variables", () => {
  const config = parseConfig({ ORCH_PORT: "1", ORCH_DATABASE_URL: "x", ORCH_SERIAL: "x", PATH: "/bin" });
  expect(config).toEqual(parseConfig({}));
  expect(parseConfig({ ORCH_SERIAL_GATE_LEASE_MS: "1000" })).toMatchObject({
    defaults: { leaseMs: 60_000 },
    warnings: ["ORCH_SERIAL_GATE_LEASE_MS is not a variable of serial-gate and is ignored."],
  });
});

it.each([
  ["SERIAL_GATE_ENABLED", "enabled"],
  ["SERIAL_GATE_FREEZE_ENABLED", "freeze"],
  ["SERIAL_GATE_PAUSE_ENABLED", "pause"],
  ["TASK_DEPS_ENABLED", "dependencies"],
] as const)(
  "%s switches %s, under both prefixes and in every spelling that the orchestrator accepts",
  (name, part) => {
    for (const off of ["false", "False", "0", "no", "off", "f", "n", " false "])
      expect(parseConfig({ [name]: off }).policy[part]).toBe(false);
    for (const on of ["true", "TRUE", "1", "yes", "on", "t", "y", "", " "])
      expect(parseConfig({ [name]: on }).policy[part]).toBe(true);
    expect(parseConfig({ [`ORCH_${name}`]: "false" }).policy[part]).toBe(false);
    expect(parseConfig({ [`ORCH_${name}`]: "false", [name]: "true" }).policy[part]).toBe(true);
    expect(faultsOf({ [name]: "maybe" })).toContain(`${name} is "maybe": expected true or false`);
  },
);

it.each<[string, string[] | null]>([
  ["", null],
  ["  ", null],
  ["acme/web", ["acme/web"]],
  [" acme/web , web-shop ,, acme/web", ["acme/web", "web-shop"]],
  ["group/sub/repo", ["group/sub/repo"]],
  ["acme/web,no way", ["acme/web"]],
])("reads SERIAL_GATE_REPOS=%j as %j", (text, repos) => {
  expect(parseConfig({ SERIAL_GATE_REPOS: text }).policy.repos).toEqual(repos);
  expect(parseConfig({ ORCH_SERIAL_GATE_REPOS: text }).policy.repos).toEqual(repos);
});

it.each(["no way", ",", "';--", "acme//web", "/", "acme/web/"])(
  "refuses a scope without a valid name, %j, instead of serving every repository",
  (text) => {
    expect(faultsOf({ SERIAL_GATE_REPOS: text })).toContain("SERIAL_GATE_REPOS is");
  },
);

it("drops an invalid repository name from a scope and warns", () => {
  const { warnings } = parseConfig({ SERIAL_GATE_REPOS: "acme/web,no way" });
  expect(warnings).toEqual([`SERIAL_GATE_REPOS: "no way" is not a repository name and is ignored.`]);
});

it("warns about a misspelt switch", () => {
  const { warnings } = parseConfig({ SERIAL_GATE_ENABELD: "false", ORCH_SERIAL_GATE_LEASE: "1" });
  expect(warnings).toEqual([
    "SERIAL_GATE_ENABELD is not a variable of serial-gate and is ignored.",
    "ORCH_SERIAL_GATE_LEASE is not a variable of serial-gate and is ignored.",
  ]);
});

it("lists every invalid variable at once, each with its allowed values", () => {
  const message = faultsOf({
    HOST: "0.0.0.0",
    PORT: "abc",
    LOG_LEVEL: "loud",
    SERIAL_GATE_LEASE_MS: "10",
    SERIAL_GATE_MAX_ATTEMPTS: "1e3",
    SERIAL_GATE_ENTRY_AGENT: "an agent",
  });
  expect(message.split("\n").slice(1)).toEqual([
    `  PORT is "abc": expected a whole number from 0 to 65535`,
    `  LOG_LEVEL is "loud": expected one of fatal, error, warn, info, debug, trace, silent`,
    `  SERIAL_GATE_ENTRY_AGENT is "an agent": expected the name of an agent`,
    `  SERIAL_GATE_LEASE_MS is "10": expected a whole number from 1000 to 86400000 milliseconds`,
    `  SERIAL_GATE_MAX_ATTEMPTS is "1e3": expected a whole number from 1 to 1000`,
    `  HOST is "0.0.0.0": set SERIAL_GATE_TOKENS or SERIAL_GATE_TOKENS_FILE too, or every caller that reaches it is an operator`,
  ]);
});

it.each([
  ["file:./data/x.db", true],
  ["file:/var/lib/x.db", true],
  ["file:///var/lib/x.db", true],
  ["postgres://gate:secret@db:5432/gate?sslmode=verify-full", true],
  ["postgresql://127.0.0.1/gate", true],
  ["postgres://gate:secret@db:5432/gate", false],
  ["mysql://gate:secret@db/gate", false],
  ["./data/x.db", false],
  ["file:", false],
])("judges DATABASE_URL=%s as valid: %s, and never prints its password", (url, valid) => {
  const message = faultsOf({ DATABASE_URL: url });
  expect(message === "").toBe(valid);
  expect(message).not.toContain("secret");
});

it("reads tokens as name:secret pairs and refuses an invalid list without printing it", () => {
  const { tokens } = parseConfig({ SERIAL_GATE_TOKENS: "ann:0123456789abcdef, ci:fedcba9876543210" });
  expect(tokens).toEqual([
    { name: "ann", secret: "0123456789abcdef" },
    { name: "ci", secret: "fedcba9876543210" },
  ]);
  for (const bad of [
    "ann:short",
    "0123456789abcdef",
    ":0123456789abcdef",
    "an n:0123456789abcdef",
    "ann:0123456789 abcdef",
    "ann:0123456789abcdef,",
    "ann:0123456789abcdef,ann:fedcba9876543210",
    "ann:0123456789abcdef,bob:0123456789abcdef",
  ]) {
    const message = faultsOf({ SERIAL_GATE_TOKENS: bad });
    expect(message).toContain("SERIAL_GATE_TOKENS: expected name:secret pairs");
    expect(message).not.toContain(bad);
  }
});

it("accepts a HOST beyond loopback when there are tokens", () => {
  expect(parseConfig({ HOST: "0.0.0.0", SERIAL_GATE_TOKENS: "ann:0123456789abcdef" }).host).toBe("0.0.0.0");
  for (const HOST of ["localhost", "127.0.0.1", "127.1.2.3", "::1"]) expect(faultsOf({ HOST })).toBe("");
});
