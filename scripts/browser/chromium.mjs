// Finds a Chromium for the browser tests and the screenshots: CHROME_PATH, else the system's, else Debian's, which is
// installed where this process may do so without a question.

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"];
const PLACES = ["/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"];

const inPath = () =>
  (process.env.PATH ?? "")
    .split(":")
    .flatMap((folder) => NAMES.map((name) => `${folder}/${name}`))
    .concat(PLACES)
    .find((path) => existsSync(path));

/** Installs Debian's chromium, as root only: nobody is asked for a password. */
const install = () => {
  if (process.getuid?.() !== 0 || spawnSync("apt-get", ["--version"]).error) return undefined;
  console.error("Installing chromium with apt-get, for the browser tests …");
  const apt = (...args) =>
    spawnSync("apt-get", args, {
      stdio: ["ignore", 2, 2],
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
    }).status;
  apt("-qq", "update");
  apt("-qq", "install", "-y", "--no-install-recommends", "chromium");
  return inPath();
};

/** @returns the path of a Chromium, or a sentence that says why there is none */
export const findChromium = ({ mayInstall = true } = {}) => {
  const { CHROME_PATH } = process.env;
  if (CHROME_PATH)
    return existsSync(CHROME_PATH)
      ? { path: CHROME_PATH }
      : { missing: `CHROME_PATH is ${CHROME_PATH}, and nothing is there.` };
  const path = inPath() ?? (mayInstall ? install() : undefined);
  return path === undefined
    ? {
        missing:
          "No Chromium was found. Install one (on Debian: apt-get install chromium), or set CHROME_PATH.",
      }
    : { path };
};

/** Options that keep a Chromium to itself: no updates, no calls home; no sandbox where root runs it. */
export const CHROMIUM_OPTIONS = [
  "--disable-gpu",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--no-first-run",
  ...(process.getuid?.() === 0 ? ["--no-sandbox"] : []),
];
