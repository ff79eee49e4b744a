import { join } from "node:path";
import { expect, it } from "vitest";
import { EVERYWHERE } from "../../../src/contract/names/repo-pattern.ts";
import type { BatchContext } from "../../../src/gate/commands/context.ts";
import { snapshot } from "../../../src/gate/queries/queue.ts";
import { probeAll } from "../../../src/gate/rule/probes.ts";
import { EVERYTHING_READABLE } from "../../../src/gate/rule/visibility.ts";
import { migrate } from "../../../src/store/migrate.ts";
import { all, type Tx } from "../../../src/store/port.ts";
import type { Statement } from "../../../src/store/sql.ts";
import { openSqlite } from "../../../src/store/sqlite/store.ts";
import { POLICY } from "../../support/fixtures.ts";
import { temporaryFolder } from "../../support/folder.ts";
import { TestClock, World } from "../world.ts";

/** Runs an operation and notes its statements. */
function* noting<T>(operation: Tx<T>, statements: Statement[]): Tx<T> {
  let step = operation.next();
  while (!step.done) {
    if ("statement" in step.value) statements.push(step.value.statement);
    step = operation.next(yield step.value);
  }
  return step.value;
}

/** A walk from the first row to the last, but for the names that were asked for. */
const WALK = /^SCAN (?!json_each|named|listed|each|n\b|w\b)/;
/** Rows of a status, whichever lane they are in. */
const OF_ALL_LANES = /idx_jobs_status|gate_jobs_leased|gate_jobs_delayed/;

it.each([1, 4, 100, 500])(
  "looks lanes up by their names for %i repositories, and walks past no job of another (SQLite)",
  async (count) => {
    const clock = new TestClock();
    const store = await openSqlite(join(temporaryFolder(), "gate.db"), clock.read);
    await migrate(store);
    const world = new World(store, clock);
    await world.adopt();
    await world.sql(`INSERT INTO tasks(repo, work_item_id, stage)
      WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 2999)
      SELECT 'acme/r' || (i % 1000), 'W-' || i, 'analysis' FROM n`);
    await world.sql("INSERT INTO jobs(agent, repo, task_id) SELECT 'analyst', repo, id FROM tasks");
    await world.sql("UPDATE jobs SET status = 'running' WHERE id = 1");
    await world.sql("UPDATE tasks SET paused_at = '2026-06-15 08:00:00' WHERE id = 1001");
    await world.sql("INSERT INTO repo_freeze(repo) VALUES ('acme/r0')");
    const context = {
      rules: { policy: { ...POLICY, strictLanes: true } },
      lookup: { visible: EVERYTHING_READABLE, useReadyIndex: true },
      reach: EVERYWHERE,
    } as BatchContext;
    const repos = Array.from({ length: count }, (_, lane) => `acme/r${lane}`);
    const statements: Statement[] = [];
    const queue = await store.read(() => noting(snapshot(context, [], repos), statements));
    expect(Object.keys(queue.serial_gate.per_repo)).toHaveLength(count);
    expect(statements.length).toBeGreaterThan(5);
    // A probe reads one row of each table.
    const probe = probeAll().sql;
    for (const { sql, params } of statements.filter((each) => each.sql !== probe)) {
      const plan = await store.read(() =>
        all<{ detail: string }>({ sql: `EXPLAIN QUERY PLAN ${sql}`, params }),
      );
      for (const { detail } of plan) {
        expect(detail, sql).not.toMatch(WALK);
        expect(detail, sql).not.toMatch(OF_ALL_LANES);
      }
    }
    world.gate.drain();
    await store.close();
  },
);
