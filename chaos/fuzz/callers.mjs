/** Callers with different rights. One that may know some repositories must never read the name of another. */

import { createHash, randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { REPOS } from "./values.mjs";

const CALLERS = [
  { name: "root", role: "operator", share: 60 },
  { name: "works", role: "worker", repos: ["fuzz/*"], share: 12 },
  { name: "makes", role: "producer", repos: ["fuzz/*"], share: 8 },
  { name: "looks", role: "viewer", repos: ["fuzz/alpha"], share: 8 },
  { name: "runs", role: "operator", repos: ["other/*"], share: 8 },
];

const reaches = ({ repos }, repo) =>
  repos === undefined ||
  repos.some((pattern) => (pattern.endsWith("*") ? repo.startsWith(pattern.slice(0, -1)) : repo === pattern));

/** Writes the token file.
 *  @returns a function that chooses a caller, `{ secret, isKnown, isForeign }`; undefined for none */
export const callersIn = (file) => {
  const callers = CALLERS.map((caller) => ({ ...caller, secret: randomBytes(24).toString("hex") }));
  const tokens = callers.map(({ name, role, repos, secret }) => ({
    name,
    role,
    repos,
    sha256: createHash("sha256").update(secret).digest("hex"),
  }));
  writeFileSync(file, JSON.stringify({ tokens }), { mode: 0o600 });
  const shares = {
    ...Object.fromEntries(callers.map(({ name, share }) => [name, share])),
    nobody: 2,
    wrong: 0.2,
  };
  const [root] = callers;
  return {
    root: root.secret,
    choose: (random) => {
      const name = random.pick(shares);
      const caller = callers.find((each) => each.name === name);
      if (!caller) return { name, secret: name === "wrong" ? "0".repeat(40) : undefined, hidden: REPOS };
      return {
        name,
        role: caller.role,
        secret: caller.secret,
        hidden: REPOS.filter((repo) => !reaches(caller, repo)),
      };
    },
  };
};
