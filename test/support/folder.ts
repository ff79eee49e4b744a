import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";

/** Registers what to do at the end of what a thing was made for. */
export type AtEnd = (end: () => void | Promise<void>) => void;

/** A folder for one test, removed when it ends. */
export const temporaryFolder = (atEnd: AtEnd = onTestFinished): string => {
  const folder = mkdtempSync(join(tmpdir(), "serial-gate-"));
  atEnd(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
};
