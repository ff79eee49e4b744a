// Makes a fresh clone ready to run: installs when package-lock.json is newer than what is installed, builds when
// a source is newer than what is built. What is current is left alone. Prints to stderr: stdout is the program's.

import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, lstatSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const STAMP = `${root}dist/.built-from`;
/** node-gyp makes this folder's Makefile before it compiles, and the .node file at the end. */
const SQLITE_BUILD = `${root}node_modules/better-sqlite3/build/`;
const PROGRESS_MS = 15_000;

/** The tools that node-gyp compiles SQLite with, each under its command names. */
const TOOLS = {
  "Python 3": ["python3", "python"],
  make: ["make", "gmake"],
  "a C++ compiler": ["c++", "g++", "clang++"],
};

const missingTools = () =>
  Object.entries(TOOLS)
    .filter(([, names]) => names.every((name) => spawnSync(name, ["--version"]).error))
    .map(([tool]) => tool);

const listed = (words) => words.join(", ").replace(/, ([^,]*)$/, " and $1");

/** Ends the process: nothing can run without the thing that failed. */
const giveUp = (sentence) => {
  console.error(`\n${sentence}`);
  process.exit(1);
};

/** Runs a command to its end.
 *  @returns undefined when it succeeded, otherwise how it failed */
const run = async (command, args) => {
  try {
    const [code, signal] = await once(spawn(command, args, { cwd: root, stdio: ["ignore", 2, 2] }), "close");
    if (code !== 0) return signal ? `was ended by ${signal}` : `failed with exit code ${code}`;
  } catch (error) {
    giveUp(`${command} cannot be run (${error.message}): is it installed and in PATH?`);
  }
};

const changedAt = (path) => (existsSync(path) ? statSync(path).mtimeMs : 0);

const install = async (progressMs) => {
  const installed = changedAt(`${root}node_modules/.package-lock.json`);
  if (installed >= changedAt(`${root}package-lock.json`)) return;
  // npm ci would empty the folder behind the link, which another clone uses.
  if (lstatSync(`${root}node_modules`, { throwIfNoEntry: false })?.isSymbolicLink())
    return console.error(
      "node_modules is a link and older than package-lock.json: not installing through it.",
    );
  console.error(`Installing packages with npm ci, which is needed once and usually takes one to five minutes.
If npm finds no compiled SQLite for this system, it compiles it with ${listed(Object.keys(TOOLS))}.`);
  const started = performance.now();
  const seconds = () => `${Math.round((performance.now() - started) / 1_000)} s`;
  const progress = setInterval(() => {
    const compiles =
      existsSync(`${SQLITE_BUILD}Makefile`) && !existsSync(`${SQLITE_BUILD}Release/better_sqlite3.node`);
    console.error(`… ${seconds()}: ${compiles ? "compiling SQLite" : "still installing"}`);
  }, progressMs);
  const failure = await run("npm", ["ci", "--no-audit", "--no-fund"]);
  clearInterval(progress);
  if (failure === undefined) return console.error(`Installed in ${seconds()}.`);
  const missing = missingTools();
  const lacks =
    missing.length === 0
      ? ""
      : ` If it could not compile SQLite: this system lacks ${listed(missing)} (on Debian: apt-get install python3 make g++).`;
  giveUp(
    `npm ci ${failure}, for the reason that npm gives above.${lacks} Once that is mended, run the same command again.`,
  );
};

const filesIn = (folder) =>
  existsSync(`${root}${folder}`)
    ? readdirSync(`${root}${folder}`, { recursive: true, withFileTypes: true })
    : [];

const sources = () =>
  [...filesIn("src"), ...filesIn("web")]
    .filter((entry) => entry.isFile())
    .map((entry) => `${entry.parentPath}/${entry.name}`)
    .concat(...["tsconfig.json", "tsconfig.build.json", "package-lock.json"].map((name) => root + name))
    .concat(existsSync(`${root}vite.config.ts`) ? [`${root}vite.config.ts`] : [])
    .sort()
    .map((path) => `${path.slice(root.length)} ${statSync(path).mtimeMs} ${statSync(path).size}`)
    .join("\n");

const isBuilt = (current) => existsSync(STAMP) && readFileSync(STAMP, "utf8") === current;

/** Builds the dashboard into dist/web, which tsc leaves alone. */
const buildPage = () =>
  existsSync(`${root}web`)
    ? run(process.execPath, ["node_modules/vite/bin/vite.js", "build", "--config", "vite.config.ts"])
    : undefined;

/** Builds the program and remembers its sources, so that no later command builds it again. */
export const build = async () => {
  const current = sources();
  console.error("Building …");
  const failures = await Promise.all([
    run(process.execPath, ["node_modules/typescript/bin/tsc", "-p", "tsconfig.build.json"]),
    buildPage(),
  ]);
  const failure = failures.find((each) => each !== undefined);
  if (failure !== undefined)
    giveUp(
      `The build ${failure}, for the reason that is given above. If it names a package, run npm ci; then run the same command again.`,
    );
  writeFileSync(STAMP, current);
};

/** Installs and builds what is not current. Ends the process with code 1 and a sentence when that fails.
 *  @param progressMs milliseconds between two lines while packages are installed */
export const setUp = async ({ progressMs = PROGRESS_MS } = {}) => {
  await install(progressMs);
  if (!isBuilt(sources())) await build();
};
