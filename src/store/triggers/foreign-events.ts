/** Records in the event log what other programs write. Who wrote it is not known: the events have no actor, and
 *  `foreign: true` in their detail. A row counts in gate_writes the changes that serial-gate made and recorded itself; a
 *  change that leaves the count as it was is another program's. */

import type { EventKind, JobStatus } from "../../contract/vocabulary.ts";
import type { EventInsert, JsonMember, Trigger } from "../port.ts";
import { raw, sql, type Statement } from "../sql.ts";
import { changes, changesLane, type Row } from "./columns.ts";

type Columns = Readonly<Record<string, Statement>>;
type Detail = Readonly<Record<string, JsonMember>>;

const columnsOf = (row: Row, names: Readonly<Record<string, string>>): Columns =>
  Object.fromEntries(Object.entries(names).map(([column, name]) => [column, raw(`${row}.${name}`)]));

const taskOf = (row: Row): Columns =>
  columnsOf(row, { repo: "repo", task_id: "id", work_item_id: "work_item_id" });

/** Leaves the work item out: a trigger on jobs that read tasks would fail where tasks cannot be read. */
const jobOf = (row: Row): Columns => columnsOf(row, { repo: "repo", task_id: "task_id", job_id: "id" });

const dependencyOf = (row: Row): Columns => {
  const ofItsTask = (column: string): Statement =>
    raw(`(SELECT t.${column} FROM tasks t WHERE t.id = ${row}.task_id)`);
  return {
    repo: ofItsTask("repo"),
    task_id: raw(`${row}.task_id`),
    work_item_id: ofItsTask("work_item_id"),
  };
};

const freezeOf = (row: Row): Columns => columnsOf(row, { repo: "repo", work_item_id: "work_item_id" });

const text = (row: Row, column: string): JsonMember => ({ text: raw(`${row}.${column}`) });
const dependsOn = (row: Row): Detail => ({ depends_on: { number: raw(`${row}.depends_on_task_id`) } });
const freezeId = (row: Row): Detail => ({ freeze_id: { number: raw(`${row}.id`) } });
const stage = (row: Row): Detail => ({ stage: text(row, "stage") });
const agentAndStatus = (row: Row): Detail => ({ agent: text(row, "agent"), status: text(row, "status") });
const fromAndTo = (column: string): Detail => ({ from: text("OLD", column), to: text("NEW", column) });

const event = (kind: EventKind | Statement, subject: Columns, detail: Detail = {}): EventInsert => ({
  kind: "event",
  columns: { kind: typeof kind === "string" ? raw(`'${kind}'`) : kind, ...subject },
  detail: { foreign: true, ...detail },
});

/** One kind or the other. */
const either = (condition: string, kind: EventKind, otherwise: EventKind): Statement =>
  sql`CASE WHEN ${raw(condition)} THEN ${kind} ELSE ${otherwise} END`;

type Case = readonly [status: JobStatus, kind: EventKind];

const byStatus = (row: Row, cases: readonly Case[], otherwise: Statement): Statement => {
  const branches = cases.reduce(
    (before, [status, kind]) => sql`${before} WHEN ${status} THEN ${kind}`,
    raw(""),
  );
  return sql`CASE ${raw(row)}.status${branches} ELSE ${otherwise} END`;
};

const jobEvent = byStatus(
  "NEW",
  [
    ["running", "job.claimed"],
    ["done", "job.completed"],
    ["failed", "job.failed"],
    ["cancelled", "job.cancelled"],
    ["delayed", "job.delayed"],
  ],
  sql`CASE WHEN NEW.status = ${"queued" satisfies JobStatus} THEN ${byStatus(
    "OLD",
    [
      ["running", "job.released"],
      ["delayed", "job.due"],
    ],
    sql`${"job.retried" satisfies EventKind}`,
  )} ELSE ${"job.changed" satisfies EventKind} END`,
);

const FOREIGN_INSERT = "NEW.gate_writes = 0";
const FOREIGN_UPDATE = "NEW.gate_writes = OLD.gate_writes";

const insert = (more = ""): Pick<Trigger, "after" | "when"> => ({
  after: "INSERT",
  when: raw(FOREIGN_INSERT + more),
});

const update = (
  columns: readonly string[],
  condition = changes(...columns),
): Pick<Trigger, "after" | "when"> => ({
  after: `UPDATE OF ${columns.join(", ")}`,
  when: sql`${raw(FOREIGN_UPDATE)} AND (${condition})`,
});

/** A row that serial-gate deleted was not recorded by it: it deletes none. */
const remove = (condition?: string): Pick<Trigger, "after" | "when"> => ({
  after: "DELETE",
  ...(condition === undefined ? {} : { when: raw(condition) }),
});

/** True when the column is set or cleared. Another value of one that is set is no event. */
const isSetOrCleared = (column: string): Statement =>
  raw(`(NEW.${column} IS NULL) <> (OLD.${column} IS NULL)`);

type ForeignEvent = readonly [
  table: string,
  change: string,
  on: Pick<Trigger, "after" | "when">,
  ...events: EventInsert[],
];

const EVENTS: readonly ForeignEvent[] = [
  ["tasks", "inserted", insert(), event("task.created", taskOf("NEW"), stage("NEW"))],
  [
    "tasks",
    "stage",
    update(["stage"]),
    event(
      either("NEW.stage = 'cancelled'", "task.cancelled", "task.stage"),
      taskOf("NEW"),
      fromAndTo("stage"),
    ),
  ],
  [
    "tasks",
    "paused",
    update(["paused_at"], isSetOrCleared("paused_at")),
    event(either("NEW.paused_at IS NULL", "task.resumed", "task.paused"), taskOf("NEW")),
  ],
  ["tasks", "moved", update(["repo"], changesLane), event("task.moved", taskOf("NEW"), fromAndTo("repo"))],
  ["tasks", "deleted", remove(), event("task.deleted", taskOf("OLD"), stage("OLD"))],

  ["jobs", "inserted", insert(), event("job.created", jobOf("NEW"), agentAndStatus("NEW"))],
  ["jobs", "status", update(["status"]), event(jobEvent, jobOf("NEW"), fromAndTo("status"))],
  ["jobs", "moved", update(["repo"], changesLane), event("job.moved", jobOf("NEW"), fromAndTo("repo"))],
  ["jobs", "deleted", remove(), event("job.deleted", jobOf("OLD"), agentAndStatus("OLD"))],

  ["job_deps", "inserted", insert(), event("dependency.added", dependencyOf("NEW"), dependsOn("NEW"))],
  [
    "job_deps",
    "changed",
    update(["task_id", "depends_on_task_id"]),
    event("dependency.removed", dependencyOf("OLD"), dependsOn("OLD")),
    event("dependency.added", dependencyOf("NEW"), dependsOn("NEW")),
  ],
  [
    "job_deps",
    "deleted",
    // Our own deletion makes the count negative first, because a deleted row has no new one to compare.
    remove("OLD.gate_writes >= 0"),
    event("dependency.removed", dependencyOf("OLD"), dependsOn("OLD")),
  ],

  [
    "repo_freeze",
    "inserted",
    insert(" AND NEW.cleared_at IS NULL"),
    event("repo.frozen", { ...freezeOf("NEW"), reason: raw("NEW.reason") }, freezeId("NEW")),
  ],
  [
    "repo_freeze",
    "cleared",
    update(["cleared_at"], isSetOrCleared("cleared_at")),
    event(
      either("NEW.cleared_at IS NULL", "repo.frozen", "repo.unfrozen"),
      { ...freezeOf("NEW"), reason: raw("CASE WHEN NEW.cleared_at IS NULL THEN NEW.reason END") },
      freezeId("NEW"),
    ),
  ],
  [
    "repo_freeze",
    "deleted",
    remove("OLD.cleared_at IS NULL"),
    event("repo.unfrozen", freezeOf("OLD"), freezeId("OLD")),
  ],
];

/** The names sort behind those of the lane counters: PostgreSQL draws an event's id under the lane's lock, so that the
 *  events of a lane are in the order of its commits. */
export const FOREIGN_EVENTS: readonly Trigger[] = EVENTS.map(([table, change, on, ...body]) => ({
  name: `gate_log_${table}_${change}`,
  table,
  ...on,
  body,
}));
