import { readdirSync, readFileSync } from "node:fs";
import { dirname, relative, resolve } from "node:path";
import { expect, it } from "vitest";

const SRC = resolve(import.meta.dirname, "../src");
const MOST_FILES = 13;

/** The parts of the house, what each may import of the others, and which packages. The longest matching path counts. */
const ALLOWED: Record<string, { parts: string[]; packages: RegExp }> = {
  main: { parts: ["cli", "config/dot-env", "config/env"], packages: /^node:/ },
  serve: {
    parts: ["access", "config", "gate", "http", "mcp", "page", "store", "version"],
    packages: /^(node:|pino$)/,
  },
  page: { parts: [], packages: /^node:/ },
  version: { parts: [], packages: /^node:/ },
  access: { parts: ["access", "contract"], packages: /^(node:(crypto|fs)$|zod$)/ },
  config: {
    parts: ["access", "config", "contract", "gate/rule/policy", "store/open", "store/settings"],
    packages: /^zod$/,
  },
  contract: { parts: ["contract"], packages: /^zod$/ },
  "gate/rule": {
    parts: [
      "gate/rule",
      "gate/lease-clock",
      "contract",
      "store/port",
      "store/sql",
      "store/timestamps",
      "store/triggers",
    ],
    packages: /^$/,
  },
  "gate/commands": {
    parts: [
      "gate/commands",
      "gate/group-by",
      "gate/instant",
      "gate/lease-clock",
      "gate/page-bytes",
      "gate/rule",
      "contract",
      "store/port",
      "store/sql",
      "store/timestamps",
      "store/triggers/times",
      "store/triggers/lane-state",
      "store/triggers/runs",
      "store/json",
    ],
    packages: /^$/,
  },
  "gate/queries": {
    parts: [
      "gate/queries",
      "gate/commands",
      "gate/page-bytes",
      "gate/rule",
      "contract",
      "store/port",
      "store/settings",
      "store/sql",
      "gate/group-by",
      "store/timestamps",
      "store/json",
    ],
    packages: /^$/,
  },
  "gate/runtime": {
    parts: [
      "gate",
      "contract",
      "store/port",
      "store/turns",
      "store/schema-rights",
      "store/sql",
      "store/timestamps",
    ],
    packages: /^node:crypto$/,
  },
  gate: {
    parts: ["gate", "contract", "store/port", "store/sql", "store/timestamps"],
    packages: /^node:crypto$/,
  },
  store: { parts: ["store"], packages: /^(node:|better-sqlite3$|pg$)/ },
  "store/sqlite": {
    parts: ["store/sqlite", "store/long-reads", "store/turns", "store/port", "store/sql", "store/timestamps"],
    packages: /^(node:|better-sqlite3$)/,
  },
  "store/postgres": {
    parts: [
      "store/postgres",
      "store/long-reads",
      "store/port",
      "store/sql",
      "store/timestamps",
      "store/triggers/sets",
    ],
    packages: /^(node:|pg$)/,
  },
  "store/triggers": {
    parts: ["store/triggers", "store/port", "store/schema-rights", "store/sql", "contract/vocabulary"],
    packages: /^node:crypto$/,
  },
  http: {
    parts: ["http", "access", "gate", "contract", "page"],
    packages: /^(node:(crypto|http|net|stream|zlib)$|fastify$|@fastify\/|prom-client$|zod$)/,
  },
  // Browsers load these two: no node, no zod, nothing of the server.
  client: { parts: ["client", "contract/people-text"], packages: /^eventsource-parser$/ },
  worker: { parts: ["worker", "client"], packages: /^$/ },
  // Tools for agents, over the client alone: what the service decides is decided in the service.
  mcp: {
    parts: ["mcp", "client", "contract"],
    packages: /^(node:stream$|@modelcontextprotocol\/server|zod$)/,
  },
  replay: {
    parts: [
      "replay",
      "client",
      "worker",
      "contract",
      "store/open",
      "store/port",
      "store/sql",
      "gate/group-by",
      "store/timestamps",
      "store/json",
    ],
    packages: /^(node:|zod$)/,
  },
  demo: {
    parts: [
      "demo",
      "client",
      "worker",
      "config/service",
      "contract",
      "gate",
      "replay",
      "store/migrate",
      "store/open",
    ],
    packages: /^node:/,
  },
  cli: {
    parts: ["cli", "config", "client", "contract"],
    packages: /^(node:|commander$|string-width$|yaml$)/,
  },
  "cli/commands/admin": {
    parts: ["cli", "access", "config", "contract", "gate", "http", "replay", "serve", "store", "version"],
    packages: /^(node:|commander$|pino$)/,
  },
  "cli/commands/mcp": { parts: ["cli", "mcp", "version"], packages: /^commander$/ },
  "cli/program": { parts: ["cli", "config", "version"], packages: /^commander$/ },
};

const files = readdirSync(SRC, { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".ts"))
  .sort();

/** `gate/rule` for gate/rule/policy.ts, `serve` for serve.ts. */
const partOf = (file: string): string => {
  const path = file.replace(/\.ts$/, "");
  return (
    Object.keys(ALLOWED)
      .filter((part) => path === part || path.startsWith(`${part}/`))
      .sort((a, b) => b.length - a.length)[0] ?? path
  );
};

const textOf = (file: string): string => readFileSync(resolve(SRC, file), "utf8");

const namesIn = (text: string): string[] =>
  [...text.matchAll(/^(?:import|export)\s(?:[^;]*?from\s)?"([^"]+)"/gm)].flatMap(([, name]) => name ?? []);

const importsOf = (file: string): string[] => [
  ...namesIn(textOf(file)),
  ...[...textOf(file).matchAll(/\bimport\("([^"]+)"\)/g)].flatMap(([, name]) => name ?? []),
];

/** The imports that are followed when the file is loaded: neither types nor later ones. */
const valuesOf = (file: string): string[] => namesIn(textOf(file).replace(/^import type [^;]*;/gm, ""));

const targetOf = (file: string, name: string): string => relative(SRC, resolve(SRC, dirname(file), name));

it("every file of src belongs to a room", () => {
  expect(files.filter((file) => ALLOWED[partOf(file)] === undefined)).toEqual([]);
});

it.each(files)("%s imports only rooms that its own room may import", (file) => {
  const { parts, packages } = ALLOWED[partOf(file)] ?? { parts: [], packages: /^$/ };
  const wrong = importsOf(file).filter((name) => {
    if (!name.startsWith(".")) return !packages.test(name);
    const target = targetOf(file, name).replace(/\.ts$/, "");
    return !parts.some((part) => target === part || target.startsWith(`${part}/`));
  });
  expect(wrong).toEqual([]);
});

it("no import of src leads back to its own file, types included", () => {
  const next = new Map(
    files.map((file) => [
      file,
      importsOf(file)
        .filter((name) => name.startsWith("."))
        .map((name) => targetOf(file, name)),
    ]),
  );
  const cycles: string[][] = [];
  const left = new Set<string>();
  const walk = (file: string, path: string[]): void => {
    if (path.includes(file)) cycles.push([...path.slice(path.indexOf(file)), file]);
    if (path.includes(file) || left.has(file)) return;
    for (const other of next.get(file) ?? []) walk(other, [...path, file]);
    left.add(file);
  };
  for (const file of files) walk(file, []);
  expect(cycles).toEqual([]);
});

it("no folder of src holds more than about a dozen files", () => {
  const counts = new Map<string, number>();
  for (const file of files) counts.set(dirname(file), (counts.get(dirname(file)) ?? 0) + 1);
  expect([...counts].filter(([, count]) => count > MOST_FILES)).toEqual([]);
});

it("no file stands beside a folder of its name", () => {
  const folders = new Set(files.map(dirname));
  expect(files.filter((file) => folders.has(file.replace(/\.ts$/, "")))).toEqual([]);
});

it("a CLI command that calls the service loads no module of the service", () => {
  const loaded = new Set<string>();
  const packages = new Set<string>();
  const load = (file: string): void => {
    if (loaded.has(file)) return;
    loaded.add(file);
    for (const name of valuesOf(file))
      if (name.startsWith(".")) load(targetOf(file, name));
      else if (!name.startsWith("node:")) packages.add(name);
  };
  load("main.ts");
  expect([...packages].sort()).toEqual(["commander", "eventsource-parser", "string-width"]);
  expect(
    [...loaded].filter((file) => /^(http|worker|serve|gate|replay|config\/service|store)/.test(file)),
  ).toEqual([]);
});

it("only main.ts touches the process", () => {
  const touching = files.filter((file) =>
    /\bprocess\.(env|argv|exit|on|once|stdout|stderr)\b/.test(textOf(file)),
  );
  expect(touching.filter((file) => file !== "main.ts")).toEqual([]);
});

it("only the store adapters name a database's dialect", () => {
  const naming = files.filter((file) => /PRAGMA|sqlite_master|pg_catalog|SKIP LOCKED/.test(textOf(file)));
  expect(naming.filter((file) => !/^store\/(sqlite|postgres|transfer)\//.test(file))).toEqual([]);
});
