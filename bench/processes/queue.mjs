/** The cost of a durable queue alone: one table, one partial index and one UPDATE a claim, behind a route of the same
 *  framework. The claims of a turn share a commit, which waits for the disk. No task, no event, no rule, no validation. */

import { randomBytes } from "node:crypto";
import Database from "better-sqlite3";
import Fastify from "fastify";

const [file, held, ready] = process.argv.slice(2);
const db = new Database(file);
db.pragma("journal_mode = WAL");
db.pragma("synchronous = FULL");
db.pragma("wal_autocheckpoint = 4000");
db.exec(`CREATE TABLE jobs(id INTEGER PRIMARY KEY, repo TEXT NOT NULL, agent TEXT NOT NULL, status TEXT NOT NULL, worker TEXT,
  token TEXT, expires TEXT)`);
const series = "WITH RECURSIVE series(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM series WHERE i + 1 < ?)";
const fill = db.prepare(`${series} INSERT INTO jobs(repo, agent, status)
  SELECT 'acme/lane-' || (i % 10000), 'analyst', CASE WHEN i < ? THEN 'held' ELSE 'queued' END FROM series`);
fill.run(Number(held) + Number(ready), Number(held));
db.exec("CREATE INDEX ready ON jobs(id) WHERE status = 'queued'");
db.pragma("wal_checkpoint(TRUNCATE)");

const [begin, commit] = ["BEGIN IMMEDIATE", "COMMIT"].map((text) => db.prepare(text));
const take = db.prepare(`UPDATE jobs SET status = 'running', worker = ?, token = ?, expires = ?
  WHERE id = (SELECT id FROM jobs WHERE status = 'queued' ORDER BY id LIMIT 1) RETURNING id, repo, agent`);

let waiting = [];
const serve = () => {
  const served = waiting;
  waiting = [];
  begin.run();
  const expires = new Date(Date.now() + 60_000).toISOString();
  const jobs = served.map(({ worker }) => {
    const token = randomBytes(16).toString("hex");
    const job = take.get(worker, token, expires);
    return job && { ...job, lease: { token, expires_at: expires } };
  });
  commit.run();
  served.forEach(({ resolve }, index) => resolve({ jobs: jobs[index] ? [jobs[index]] : [] }));
};

const app = Fastify({ forceCloseConnections: true });
app.post("/", ({ body }) => {
  if (waiting.length === 0) setImmediate(serve);
  return new Promise((resolve) => waiting.push({ worker: body.worker, resolve }));
});
await app.listen({ host: "127.0.0.1", port: 0, listenTextResolver: () => "" });
process.on("disconnect", () => void app.close());
process.send({ url: `http://127.0.0.1:${app.server.address().port}` });
