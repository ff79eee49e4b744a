/** Named moments at which the service dies, brought in by `node --import`: the product has no code for them. It wraps the two
 *  drivers, and nothing else. `CHAOS_FAILPOINT=NAME@N` kills the process with SIGKILL at the Nth time that the moment comes:
 *
 *  begin            a transaction has begun
 *  statement        a statement was made, inside of a transaction or not; N counts from the start, so that a small N on an
 *                   empty database is a moment of the migration
 *  savepoint        an operation of a group was released, and others may follow
 *  before-commit    COMMIT is about to be sent
 *  in-commit        PostgreSQL: COMMIT is sent, and its answer is not awaited
 *  after-commit     the commit is made, and nobody was answered
 *  before-reply     an answer is about to be written to a socket
 *  after-reply      an answer was handed to the system */

import { ServerResponse } from "node:http";
import Database from "better-sqlite3";
import pg from "pg";

const [name, count] = (process.env.CHAOS_FAILPOINT ?? "").split("@");
let left = Number(count);

/** @param once a statement's text, or a moment's name */
const reach = (moment) => {
  if (moment === name && (left -= 1) === 0) process.kill(process.pid, "SIGKILL");
};

const isCommit = (text) => /^\s*COMMIT/i.test(text);
const isBegin = (text) => /^\s*BEGIN/i.test(text);

const wrapSqlite = () => {
  const database = new Database(":memory:");
  const prototype = Object.getPrototypeOf(database.prepare("SELECT 1"));
  database.close();
  for (const method of ["run", "all", "get"]) {
    const original = prototype[method];
    prototype[method] = function (...params) {
      const { source } = this;
      if (isCommit(source)) reach("before-commit");
      const result = original.apply(this, params);
      if (isCommit(source)) reach("after-commit");
      else if (isBegin(source)) reach("begin");
      else if (source.startsWith("RELEASE")) reach("savepoint");
      else reach("statement");
      return result;
    };
  }
};

const wrapPostgres = () => {
  const { query } = pg.Client.prototype;
  pg.Client.prototype.query = function (...args) {
    const text = typeof args[0] === "string" ? args[0] : (args[0]?.text ?? "");
    if (isCommit(text)) reach("before-commit");
    const result = query.apply(this, args);
    // The socket writes at once unless it is full, so the server has the statement when the process dies a turn later.
    if (isCommit(text)) setImmediate(reach, "in-commit");
    result?.then?.(
      () => {
        if (isCommit(text)) reach("after-commit");
        else if (isBegin(text)) reach("begin");
        else reach("statement");
      },
      () => undefined,
    );
    return result;
  };
};

const wrapReplies = () => {
  const { end } = ServerResponse.prototype;
  ServerResponse.prototype.end = function (...args) {
    reach("before-reply");
    const result = end.apply(this, args);
    setImmediate(reach, "after-reply");
    return result;
  };
};

if (left > 0) {
  wrapSqlite();
  wrapPostgres();
  wrapReplies();
}
