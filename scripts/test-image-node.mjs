// npm run test:image-node: the tests on the Node.js of the image, in a copy of the tree that git knows. Arguments go to npm test.

import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

const [, version] =
  /^ARG NODE_IMAGE=node:(\d+\.\d+\.\d+)-/m.exec(readFileSync(join(ROOT, "Dockerfile"), "utf8")) ?? [];
if (version === undefined)
  throw new Error("The Dockerfile names no image of Node.js with its whole version.");

const folder = mkdtempSync(join(tmpdir(), "serial-gate-image-node-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

const runtime = join(folder, "runtime");
const tree = join(folder, "tree");
const files = execFileSync("git", ["ls-files", "-z"], { cwd: ROOT, encoding: "utf8" })
  .split("\0")
  .filter(Boolean);
for (const file of files) cpSync(join(ROOT, file), join(tree, file), { recursive: true });

console.log(`Installing Node.js ${version} and the packages …`);
const npm = ["--no-audit", "--no-fund", "--loglevel=error"];
const name = `node-${process.platform}-${process.arch}`;
execFileSync("npm", ["install", "--prefix", runtime, ...npm, `${name}@${version}`], { stdio: "inherit" });
const home = join(runtime, "node_modules", name);
const env = {
  ...process.env,
  PATH: `${join(home, "bin")}:${process.env.PATH}`,
  // SQLite's driver is compiled for it.
  npm_config_nodedir: home,
  npm_config_build_from_source: "true",
};
const inTree = { cwd: tree, env, stdio: "inherit" };
execFileSync("npm", ["ci", ...npm], inTree);
const { status } = spawnSync("npm", ["test", "--", ...process.argv.slice(2)], inTree);
process.exitCode = status ?? 1;
