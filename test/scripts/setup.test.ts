/** A fresh clone says that it installs, how long it takes, and what to do when it cannot. */

import { copyFileSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, it } from "vitest";
import { temporaryFolder } from "../support/folder.ts";
import { CLONE } from "../support/process.ts";

interface SetUp {
  /** The shell script that stands in for npm, if there is one. */
  readonly npm?: string;
  /** The programs that are found; all of the system's when left out. */
  readonly programs?: readonly string[];
  /** Whether node_modules is a link. */
  readonly linked?: boolean;
}

/** Sets up a repository that holds nothing but the script. */
const setUp = ({ npm, programs, linked = false }: SetUp): { status: number | null; stderr: string } => {
  const root = temporaryFolder();
  const bin = join(root, "bin");
  for (const folder of ["bin", "scripts", "src", "dist", "packages/typescript/bin"])
    mkdirSync(join(root, folder), { recursive: true });
  for (const name of ["package-lock.json", "tsconfig.json", "tsconfig.build.json"])
    writeFileSync(join(root, name), "{}");
  copyFileSync(join(CLONE, "scripts/setup.mjs"), join(root, "scripts/setup.mjs"));
  writeFileSync(join(root, "packages/typescript/bin/tsc"), "");
  if (linked) symlinkSync("packages", join(root, "node_modules"));
  else renameSync(join(root, "packages"), join(root, "node_modules"));
  if (npm !== undefined) writeFileSync(join(bin, "npm"), `#!/bin/sh\n${npm}\n`, { mode: 0o755 });
  for (const name of programs ?? []) symlinkSync("/bin/true", join(bin, name));
  const call = 'import("./scripts/setup.mjs").then(({ setUp }) => setUp({ progressMs: 200 }))';
  const PATH = programs ? bin : `${bin}:${process.env.PATH ?? ""}`;
  const { status, stdout, stderr } = spawnSync(process.execPath, ["-e", call], {
    cwd: root,
    env: { PATH },
    encoding: "utf8",
  });
  expect(stdout).toBe(""); // It belongs to the program.
  return { status, stderr };
};

it("says what is done, how long it takes, what it needs, and how far it is", () => {
  const { status, stderr } = setUp({
    npm: `build=node_modules/better-sqlite3/build
      /bin/sleep 0.5; /bin/mkdir -p $build; : > $build/Makefile; /bin/sleep 0.7; : > node_modules/.package-lock.json`,
  });
  expect(status, stderr).toBe(0);
  expect(stderr).toMatch(
    new RegExp(
      [
        "^Installing packages with npm ci, which is needed once and usually takes one to five minutes\\.",
        "If npm finds no compiled SQLite for this system, it compiles it with Python 3, make and a C\\+\\+ compiler\\.",
        "(… \\d+ s: still installing\\n)+(… \\d+ s: compiling SQLite\\n)+Installed in \\d+ s\\.",
        "Building …\\n$",
      ].join("\\n"),
    ),
  );
});

it("says what to do when npm fails", () => {
  const { status, stderr } = setUp({ npm: "echo 'npm error network' >&2; exit 7" });
  expect(status).toBe(1);
  expect(stderr).toMatch(
    /npm error network\n\nnpm ci failed with exit code 7, for the reason that npm gives above\. Once that is mended, run the same command again\.\n$/,
  );
});

it("names the compiler's parts that are missing when npm fails", () => {
  const { status, stderr } = setUp({ npm: "exit 1", programs: ["make"] });
  expect(status).toBe(1);
  expect(stderr).toMatch(
    /\. If it could not compile SQLite: this system lacks Python 3 and a C\+\+ compiler \(on Debian: apt-get install python3 make g\+\+\)\. Once that is mended, run the same command again\.\n$/,
  );
});

it("says so when there is no npm", () => {
  const { status, stderr } = setUp({ programs: ["python3", "make", "c++"] });
  expect(status).toBe(1);
  expect(stderr).toMatch(/\nnpm cannot be run \(spawn npm ENOENT\): is it installed and in PATH\?\n$/);
});

it("does not install into a folder that is linked from elsewhere", () => {
  const { status, stderr } = setUp({ npm: "exit 1", linked: true });
  expect(status).toBe(0);
  expect(stderr).toMatch(/^node_modules is a link .*\.\nBuilding …\n$/);
});
