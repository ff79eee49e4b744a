/** The orchestrator opens the same file with the SQLite of its own Python, which is older than ours. */

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { migrate } from "../../../src/store/migrate.ts";
import { installReadyIndex } from "../../../src/gate/rule/ready-index.ts";
import { openSqlite } from "../../../src/store/sqlite/store.ts";
import { POLICY } from "../../support/fixtures.ts";
import { temporaryFolder } from "../../support/folder.ts";

/** Runs a script; where there is no Python, it prints nothing. */
const python = (script: string, ...args: string[]): { stdout: string; stderr: string } => {
  const { error, stdout, stderr } = spawnSync("python3", ["-c", script, ...args], { encoding: "utf8" });
  return error ? { stdout: "", stderr: error.message } : { stdout, stderr };
};

const VERSION = python("import sqlite3; print(sqlite3.sqlite_version)").stdout.trim();

/** One write of each kind to each table that has triggers, then the kinds of the events that they recorded. */
const WRITES = `
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
run = db.execute
run("INSERT INTO tasks(work_item_id, repo, stage) VALUES ('A', 'acme/web', ?), ('B', 'acme/web', 'analysis')", ('an\\x1b"\\\\x',))
run("INSERT INTO jobs(task_id, repo, agent, status) VALUES (1, 'acme/web', 'analyst', 'queued'), (2, 'acme/web', 'analyst', 'queued')")
run("INSERT INTO job_deps(task_id, depends_on_task_id) VALUES (2, 1)")
run("INSERT INTO repo_freeze(repo, reason) VALUES ('acme/web', 'DEGRADED')")
run("UPDATE repo_freeze SET cleared_at = datetime('now')")
run("UPDATE jobs SET status = 'running', started_at = datetime('now') WHERE id = 1")
run("UPDATE tasks SET paused_at = datetime('now'), pause_until = '2030-01-01T00:00:00+02:00' WHERE id = 1")
run("UPDATE tasks SET paused_at = NULL WHERE id = 1")
run("UPDATE jobs SET status = 'delayed', run_after = '2030-01-01' WHERE id = 1")
run("UPDATE tasks SET stage = 'done' WHERE id = 1")
run("UPDATE tasks SET repo = 'acme/api' WHERE id = 2")
run("UPDATE jobs SET repo = 'acme/api' WHERE task_id = 2")
for table in ("job_deps", "repo_freeze", "jobs", "tasks"): run("DELETE FROM " + table)
db.commit()
print(*(kind for kind, in run("SELECT DISTINCT kind FROM gate_events ORDER BY kind")))
print(run("SELECT detail FROM gate_events ORDER BY id").fetchone()[0])
`;

it.skipIf(VERSION === "")(
  `another program writes with its own SQLite (here: ${VERSION || "no python3"})`,
  async () => {
    const file = join(temporaryFolder(), "gate.db");
    const store = await openSqlite(file, Date.now);
    await migrate(store);
    await store.write(() => installReadyIndex({ ...POLICY, strictLanes: true }, store.dialect));
    await store.close();
    const { stdout, stderr } = python(WRITES, file);
    expect(stderr).toBe("");
    const [kinds, detail] = stdout.split("\n");
    expect(kinds?.split(" ")).toEqual([
      ...[
        "dependency.added",
        "dependency.removed",
        "job.claimed",
        "job.created",
        "job.delayed",
        "job.deleted",
        "job.moved",
      ],
      ...[
        "repo.frozen",
        "repo.unfrozen",
        "task.created",
        "task.deleted",
        "task.moved",
        "task.paused",
        "task.resumed",
        "task.stage",
      ],
    ]);
    expect(JSON.parse(detail ?? "")).toEqual({ foreign: true, stage: 'an\u001b"\\x' });
  },
);

it("no expression of a trigger is nested so deep that an older SQLite cannot parse it", () => {
  const text = readFileSync(new URL("../../../migrations/sqlite/triggers.sql", import.meta.url), "utf8");
  let [depth, deepest] = [0, 0];
  for (const character of text.replace(/'(?:[^']|'')*'/g, "").replace(/^--.*$/gm, "")) {
    if (character === "(") depth += 1;
    if (character === ")") depth -= 1;
    deepest = Math.max(deepest, depth);
  }
  // The parser's stack has 100 places, and a call or a subquery takes three to six.
  expect(deepest).toBeLessThanOrEqual(20);
});
