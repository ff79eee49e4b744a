import { readdirSync, readFileSync } from "node:fs";
import { dirname, relative, resolve } from "node:path";
import { describe, expect, it } from "vitest";

const SRC = resolve(import.meta.dirname, "../src");

/** What each part may import of the others, and which packages. */
const ALLOWED: Record<string, { parts: string[]; packages: RegExp }> = {
  main: { parts: ["cli"], packages: /^node:/ },
  config: { parts: ["config", "gate", "store/open"], packages: /^zod$/ },
  version: { parts: [], packages: /^node:/ },
  serve: { parts: ["config", "gate", "http", "store", "version"], packages: /^(node:|pino$)/ },
  cli: {
    parts: ["cli", "config", "serve", "client", "worker", "gate", "http", "store", "version"],
    packages: /^(node:|commander$|pino$|zod$)/,
  },
  http: {
    parts: ["http", "gate"],
    packages: /^(node:(crypto|http|net|stream)$|fastify$|@fastify\/|prom-client$|zod$)/,
  },
  gate: { parts: ["gate", "store/port", "store/sql"], packages: /^(node:crypto|zod$)/ },
  store: { parts: ["store"], packages: /^(node:|better-sqlite3$|pg$)/ },
  client: { parts: ["client", "gate"], packages: /^(node:|zod$)/ },
  worker: { parts: ["worker", "client", "gate"], packages: /^node:/ },
};

const files = readdirSync(SRC, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".ts"));

/** `gate` for src/gate/claim.ts, `serve` for src/serve.ts. */
const partOf = (file: string): string => (file.split("/")[0] ?? file).replace(/\.ts$/, "");

const importsOf = (file: string): string[] => {
  const text = readFileSync(resolve(SRC, file), "utf8");
  return [...text.matchAll(/^(?:import|export)\s(?:[^;]*?from\s)?"([^"]+)"/gm)].flatMap(
    ([, name]) => name ?? [],
  );
};

/** What a file imports when it is loaded: neither types nor what it imports later. */
const valuesOf = (file: string): string[] => {
  const text = readFileSync(resolve(SRC, file), "utf8").replace(/^import type [^;]*;/gm, "");
  return [...text.matchAll(/^(?:import|export)\s(?:[^;]*?from\s)?"([^"]+)"/gm)].flatMap(
    ([, name]) => name ?? [],
  );
};

describe("the arrows of the house", () => {
  it("are all there", () => {
    expect([...new Set(files.map(partOf))].sort()).toEqual(Object.keys(ALLOWED).sort());
  });

  it.each(files)("%s imports only what its part may", (file) => {
    const { parts, packages } = ALLOWED[partOf(file)] ?? { parts: [], packages: /^$/ };
    const wrong = importsOf(file).filter((name) => {
      if (!name.startsWith(".")) return !packages.test(name);
      const target = relative(SRC, resolve(SRC, dirname(file), name)).replace(/\.ts$/, "");
      return !parts.some((part) => target === part || target.startsWith(`${part}/`));
    });
    expect(wrong).toEqual([]);
  });

  it("a verb that calls the service loads nothing of the service", () => {
    const loaded = new Set<string>();
    const packages = new Set<string>();
    const load = (file: string): void => {
      if (loaded.has(file)) return;
      loaded.add(file);
      for (const name of valuesOf(file))
        if (name.startsWith(".")) load(relative(SRC, resolve(SRC, dirname(file), name)));
        else if (!name.startsWith("node:")) packages.add(name);
    };
    load("main.ts");
    expect([...packages]).toEqual(["commander"]);
    expect([...loaded].filter((file) => /^(http|worker|serve|config\.ts|store\/[^ps])/.test(file))).toEqual(
      [],
    );
  });

  it("no file but main.ts touches the process", () => {
    const touching = files.filter((file) =>
      /\bprocess\.(env|argv|exit|on|once|stdout|stderr)\b/.test(readFileSync(resolve(SRC, file), "utf8")),
    );
    expect(touching.filter((file) => file !== "main.ts")).toEqual([]);
  });

  it("the gate knows neither a driver nor the environment", () => {
    const gate = files.filter((file) => partOf(file) === "gate").flatMap(importsOf);
    expect(gate.filter((name) => /fastify|better-sqlite3|^pg$|config/.test(name))).toEqual([]);
  });

  it("only the adapters name a database's dialect", () => {
    const naming = files.filter((file) =>
      /PRAGMA|sqlite_master|pg_catalog|SKIP LOCKED/.test(readFileSync(resolve(SRC, file), "utf8")),
    );
    expect(naming.filter((file) => !/^store\/(sqlite|postgres)(\.ts$|\/)/.test(file))).toEqual([]);
  });
});
