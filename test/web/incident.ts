/** A service with the incident of the design in it, and a day of real work behind it, as `npm run demo` has. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll } from "vitest";
import { playPast } from "../../src/demo/past.ts";
import { parseWorkItems } from "../../src/replay/work-items.ts";
import type { Env } from "../../src/config/env.ts";
import { temporaryFolder, type AtEnd } from "../support/folder.ts";
import { CLONE } from "../support/process.ts";
import { startService, type TestService } from "../support/service.ts";

const ITEMS = 40;

/** Starts a service on a database of its own. */
export const startIncident = async (env: Env = {}, atEnd?: AtEnd): Promise<TestService> => {
  const databaseUrl = `file:${join(temporaryFolder(atEnd), "gate.db")}`;
  const items = parseWorkItems(readFileSync(join(CLONE, "samples/work-items.jsonl"), "utf8"), "sample");
  await playPast({ databaseUrl, items: items.slice(0, ITEMS) });
  return startService({ SERIAL_GATE_STRICT_LANES: "true", ...env, DATABASE_URL: databaseUrl }, atEnd);
};

/** One for a file, of tests that leave each other's lanes alone. */
export const shareIncident = (env: Env = {}): (() => TestService) => {
  let shared: TestService | undefined;
  beforeAll(async () => {
    const ends: (() => void | Promise<void>)[] = [];
    shared = await startIncident(env, (end) => ends.unshift(end));
    return async () => {
      for (const end of ends) await end();
    };
  });
  return () => {
    if (!shared) throw new Error("The shared service runs only while tests do.");
    return shared;
  };
};
