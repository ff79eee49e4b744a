// Makes a fresh clone ready to run: installs when package-lock.json is newer than what is installed, builds when
// a source is newer than what is built. What is current is left alone.

import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const STAMP = `${root}dist/.built-from`;

const run = (command, args) => {
  // Words go to stderr: stdout is the program's.
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: ["ignore", 2, 2] });
  if (status === 0) return;
  console.error(`${command} ${args.join(" ")} failed${error ? `: ${error.message}` : ""}`);
  process.exit(1);
};

const changedAt = (path) => (existsSync(path) ? statSync(path).mtimeMs : 0);

const install = () => {
  const installed = changedAt(`${root}node_modules/.package-lock.json`);
  if (installed >= changedAt(`${root}package-lock.json`)) return;
  console.error("Installing (the first time takes a few minutes: SQLite is compiled) …");
  run("npm", ["ci", "--no-audit", "--no-fund"]);
};

const sources = () =>
  readdirSync(`${root}src`, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => `${entry.parentPath}/${entry.name}`)
    .concat(`${root}tsconfig.json`, `${root}tsconfig.build.json`, `${root}package-lock.json`)
    .sort()
    .map((path) => `${path.slice(root.length)} ${statSync(path).mtimeMs} ${statSync(path).size}`)
    .join("\n");

const build = () => {
  const current = sources();
  if (existsSync(STAMP) && readFileSync(STAMP, "utf8") === current) return;
  console.error("Building …");
  run(process.execPath, ["node_modules/typescript/bin/tsc", "-p", "tsconfig.build.json"]);
  writeFileSync(STAMP, current);
};

export const setUp = () => {
  install();
  build();
};
