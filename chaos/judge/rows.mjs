/** Reads the rows that are judged, by SQL of its own. */

const QUERIES = {
  tasks: "SELECT id, repo, work_item_id, stage, paused_at FROM tasks ORDER BY id",
  jobs: `SELECT id, task_id, repo, agent, status, attempts, max_attempts, lease_token, lease_expires_at, result, run_after, ready
    FROM jobs ORDER BY id`,
  deps: "SELECT task_id, depends_on_task_id FROM job_deps",
  freezes: "SELECT id, repo, cleared_at, reason FROM repo_freeze ORDER BY id",
  events: "SELECT id, at, kind, repo, task_id, job_id, reason, detail FROM gate_events ORDER BY id",
  keys: "SELECT idempotency_key, CASE WHEN answer IS NULL THEN 0 ELSE 1 END AS answered FROM gate_idempotency",
};

/** Every number of the program is a whole one; the driver of PostgreSQL gives the large ones as text. */
const numbered = (row) => {
  for (const [name, value] of Object.entries(row))
    if (
      typeof value === "string" &&
      /^(id|\w+_id|status_count|answered)$/.test(name) &&
      /^\d+$/.test(value) &&
      name !== "work_item_id"
    )
      row[name] = Number(value);
    else if (value instanceof Date) row[name] = value.toISOString();
  return row;
};

/** @param read runs a SELECT and returns its rows; all of them see one snapshot
 *  @param catalogue the system's table of tables, and @param column its column of names
 *  @returns undefined before the tables were made */
export const readRows = async (read, catalogue, column) => {
  const found = await read(`SELECT ${column} FROM ${catalogue} WHERE ${column} = 'gate_idempotency'`);
  if (found.length === 0) return undefined;
  const rows = {};
  for (const [name, text] of Object.entries(QUERIES)) rows[name] = (await read(text)).map(numbered);
  for (const event of rows.events) event.detail = event.detail === null ? {} : JSON.parse(event.detail);
  return rows;
};
