/** An event in words: `developer claimed by w1, attempt 2`. */

import type { LogEvent, RowEvent } from "../state/types.ts";

type Detail = Readonly<Record<string, unknown>>;

const KINDS: Readonly<Record<string, (detail: Detail, job: string) => string>> = {
  "task.created": ({ stage }) => `created${typeof stage === "string" ? ` in ${stage}` : ""}`,
  "task.stage": ({ from, to }) =>
    typeof from === "string" ? `moved from ${from} to ${String(to)}` : `moved to ${String(to)}`,
  "task.cancelled": () => "cancelled",
  "task.paused": () => "paused",
  "task.resumed": ({ answer }) =>
    typeof answer === "string" ? `resumed with an answer: ${answer}` : "resumed",
  "task.answered": ({ answer }) => `answered: ${typeof answer === "string" ? answer : ""}`,
  "dependency.added": ({ depends_on }) => `depends on task ${String(depends_on)} now`,
  "dependency.removed": ({ depends_on }) => `depends on task ${String(depends_on)} no more`,
  "repo.frozen": ({ freeze_id }) => `repository frozen (freeze ${String(freeze_id)})`,
  "repo.unfrozen": ({ freeze_id }) => `repository unfrozen (freeze ${String(freeze_id)})`,
  "job.created": ({ agent }, job) => `${job}${typeof agent === "string" ? ` (${agent})` : ""} queued`,
  "job.claimed": ({ agent, worker, attempt }, job) =>
    [
      `${job}${typeof agent === "string" ? ` (${agent})` : ""} claimed`,
      typeof worker === "string" ? ` by ${worker}` : "",
      typeof attempt === "number" && attempt > 1 ? `, attempt ${attempt}` : "",
    ].join(""),
  "job.completed": (_, job) => `${job} completed`,
  "job.delayed": ({ released }, job) =>
    released === true ? `${job} given back until later` : `${job} failed, to be retried`,
  "job.failed": (_, job) => `${job} failed for good`,
  "job.released": ({ force }, job) => `${job} ${force === true ? "taken from its worker" : "given back"}`,
  "job.lapsed": (_, job) => `${job} queued again: its lease expired`,
  "job.due": (_, job) => `${job} queued again after its delay`,
  "job.retried": (_, job) => `${job} retried`,
  "job.cancelled": (_, job) => `${job} cancelled`,
  "task.moved": ({ from, to }) => `moved from ${String(from)} to ${String(to)}`,
  "task.deleted": () => "deleted",
  "job.changed": ({ to }, job) => `${job} became ${String(to)}`,
  "job.moved": (_, job) => `${job} moved to another repository`,
  "job.deleted": (_, job) => `${job} deleted`,
};

export const happened = ({ kind, detail, job_id }: LogEvent | RowEvent): string => {
  const known = typeof detail === "object" && detail !== null ? (detail as Detail) : {};
  return KINDS[kind]?.(known, `job ${job_id ?? ""}`) ?? kind;
};

export const whoDid = (event: LogEvent | RowEvent): string => {
  // Without a token anybody may give any name.
  if ("actor" in event && event.actor !== null)
    return event.by_source === "claimed" ? `${event.actor}?` : event.actor;
  const { detail } = event;
  const isForeign = typeof detail === "object" && detail !== null && "foreign" in detail;
  return isForeign ? "another program" : "";
};
