/** A copy of the tree with a planted bug in it. The tree itself is never touched. */

import { cpSync, existsSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const PARTS = [
  ".env.example",
  "chaos",
  "dist",
  "docs",
  "migrations",
  "openapi.yaml",
  "llms.txt",
  "package.json",
  "samples",
  "scripts",
  "src",
  "test",
  "tsconfig.build.json",
  "tsconfig.json",
  "vitest.config.ts",
];

/** Copies the tree; it shares the packages. */
export const copyTree = (folder) => {
  for (const part of PARTS)
    if (existsSync(join(ROOT, part))) cpSync(join(ROOT, part), join(folder, part), { recursive: true });
  symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
};

const compiled = (text) =>
  ts.transpileModule(text, {
    compilerOptions: {
      target: ts.ScriptTarget.ES2023,
      module: ts.ModuleKind.ESNext,
      verbatimModuleSyntax: true,
      rewriteRelativeImportExtensions: true,
    },
  }).outputText;

/** Puts a bug into the copy, as a source and as built.
 *  @returns a function that takes it out again
 *  @throws Error when the source is not as the bug knows it: the bug must be written anew */
export const plant = (folder, { name, file, edits }) => {
  const source = join(folder, file);
  const built = join(folder, file.replace(/^src/, "dist").replace(/ts$/, "js"));
  const before = [readFileSync(source, "utf8"), readFileSync(built, "utf8")];
  let text = before[0];
  for (const [from, to] of edits) {
    const found = text.split(from).length - 1;
    if (found !== 1)
      throw new Error(`The planted bug "${name}" does not apply: ${file} has this ${found} times:\n${from}`);
    text = text.replace(from, () => to);
  }
  writeFileSync(source, text);
  writeFileSync(built, compiled(text));
  return () => {
    writeFileSync(source, before[0]);
    writeFileSync(built, before[1]);
  };
};
