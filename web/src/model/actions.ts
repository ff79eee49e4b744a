/** The calls that a person can make here: each with the right it needs, its HTTP call, its command, and how its answer
 *  reads. It sends nothing. */

import { advisedCommand, shellWord } from "../../../src/contract/shell.ts";
import type { Right } from "../state/session.ts";
import { pathOf } from "../state/http.ts";
import type { Effect } from "../state/types.ts";
import { listed, many, taskName } from "./words.ts";

export interface TaskRef {
  readonly task_id: number;
  readonly work_item_id: string | null;
  readonly repo: string;
}

export type ActionKind =
  | "pause"
  | "resume"
  | "pause-lane"
  | "resume-lane"
  | "freeze"
  | "unfreeze"
  | "retry"
  | "cancel-job"
  | "release"
  | "cancel-task";

/** The words of a person that go with a call. */
export interface Note {
  readonly reason: string;
  readonly answer: string;
}

/** The members of the answers that are put into words. */
export interface Answer {
  readonly repo?: string;
  readonly frozen?: boolean;
  readonly freeze_id?: number;
  readonly cleared?: number;
  readonly paused?: boolean;
  readonly changed?: boolean | number;
  readonly known?: boolean;
  readonly near?: readonly string[];
  readonly in_force?: boolean;
  readonly not_in_force_because?: string | null;
  readonly still_claimable?: boolean;
  readonly tasks?: readonly { readonly work_item_id: string | null; readonly task_id: number }[];
  readonly task?: { readonly stage: string };
  readonly job?: { readonly id: number; readonly status: string };
  readonly cancelled_jobs?: readonly unknown[];
  readonly left_jobs?: readonly unknown[];
  readonly effect?: Effect;
}

export interface Action {
  readonly kind: ActionKind;
  readonly right: Right;
  /** The button: `Pause WEB-7…` */
  readonly label: string;
  /** The dialog's title: `Pause WEB-7 in acme/web`. */
  readonly title: string;
  readonly repo: string | null;
  readonly path: string;
  readonly query: Readonly<Record<string, string | number | boolean>>;
  readonly wantsAnswer: boolean;
  /** The service asks for a reason. */
  readonly needsReason: boolean;
  /** A name that must be typed before it acts. */
  readonly confirm: string | null;
  readonly danger: boolean;
  readonly command: (note: Note) => string;
  /** The state after the call, from its answer. */
  readonly says: (answer: Answer, tense: "would" | "did") => string;
}

const base = {
  repo: null,
  query: {},
  wantsAnswer: false,
  needsReason: false,
  confirm: null,
  danger: false,
} as const;

const reasonOf = ({ reason }: Note): string | undefined => (reason.trim() === "" ? undefined : reason);

const placed = (name: string, repo: string | null): string => (repo === null ? name : `${name} in ${repo}`);

const taskCommand = (
  verb: readonly string[],
  { task_id, work_item_id, repo }: TaskRef,
  options: Readonly<Record<string, string | undefined>>,
): string =>
  advisedCommand(
    work_item_id === null
      ? { verb, options: { id: task_id, ...options } }
      : { verb, options: { repo, ...options }, operands: [work_item_id] },
  );

const inForce = ({ in_force, not_in_force_because }: Answer): string =>
  in_force === false ? ` But it is not in force: ${not_in_force_because ?? "the gate is switched off"}.` : "";

const changedNothing = ({ changed }: Answer): boolean => changed === false;

export const pauseTask = (task: TaskRef): Action => {
  const name = taskName(task.work_item_id, task.task_id);
  return {
    ...base,
    kind: "pause",
    right: "operate",
    label: `Pause ${name}…`,
    title: `Pause ${placed(name, task.repo)}`,
    repo: task.repo,
    path: "/serial-gate/pause",
    query: { task_id: task.task_id },
    command: (note) => taskCommand(["pause"], task, { reason: reasonOf(note) }),
    says: (answer, tense) => {
      if (changedNothing(answer)) return `${name} is paused already.`;
      const still = answer.still_claimable
        ? " Its entry job can still be claimed: lanes are not strict."
        : "";
      return `${name} ${tense === "would" ? "would be" : "is"} paused: later tasks may pass.${still}${inForce(answer)}`;
    },
  };
};

export const resumeTask = (task: TaskRef): Action => {
  const name = taskName(task.work_item_id, task.task_id);
  return {
    ...base,
    kind: "resume",
    right: "operate",
    label: `Resume ${name}…`,
    title: `Resume ${placed(name, task.repo)}`,
    repo: task.repo,
    path: "/serial-gate/resume",
    query: { task_id: task.task_id },
    wantsAnswer: true,
    command: (note) =>
      taskCommand(["resume"], task, {
        reason: reasonOf(note),
        answer: note.answer.trim() === "" ? undefined : note.answer,
      }),
    says: (answer, tense) =>
      changedNothing(answer)
        ? `${name} is not paused.`
        : `${name} ${tense === "would" ? "would be" : "is"} back in its lane.`,
  };
};

export const cancelTask = (task: TaskRef): Action => {
  const name = taskName(task.work_item_id, task.task_id);
  return {
    ...base,
    kind: "cancel-task",
    right: "produce",
    label: `Cancel ${name}…`,
    title: `Cancel ${placed(name, task.repo)}`,
    repo: task.repo,
    path: `/tasks/${task.task_id}/cancel`,
    danger: true,
    command: (note) => taskCommand(["task", "cancel"], task, { reason: reasonOf(note) }),
    says: ({ cancelled_jobs = [] }, tense) =>
      `${name} ${tense === "would" ? "would be" : "is"} cancelled, for good${
        cancelled_jobs.length > 0 ? `, with ${many(cancelled_jobs.length, "waiting job")}` : ""
      }.`,
  };
};

const laneAction = (kind: "pause-lane" | "resume-lane", repo: string): Action => {
  const verb = kind === "pause-lane" ? "pause" : "resume";
  const past = kind === "pause-lane" ? "paused" : "resumed";
  const word = kind === "pause-lane" ? "Pause" : "Resume";
  return {
    ...base,
    kind,
    right: "operate",
    label: `${word} all tasks…`,
    title: `${word} every task of ${repo}`,
    repo,
    path: `/serial-gate/${verb}`,
    query: { repo, all: true },
    command: (note) =>
      advisedCommand({ verb: [verb, "--all", "--yes"], options: { repo, reason: reasonOf(note) } }),
    says: ({ tasks = [] }, tense) =>
      tasks.length === 0
        ? `${repo} has no task to ${verb}.`
        : `${many(tasks.length, "task")} of ${repo} ${
            tense === "would" ? "would be" : tasks.length === 1 ? "is" : "are"
          } ${past}: ${listed(tasks.slice(0, 6).map((each) => taskName(each.work_item_id, each.task_id)))}${tasks.length > 6 ? ", …" : ""}.`,
  };
};

export const pauseLane = (repo: string): Action => laneAction("pause-lane", repo);
export const resumeLane = (repo: string): Action => laneAction("resume-lane", repo);

export const freezeRepo = (repo: string): Action => ({
  ...base,
  kind: "freeze",
  right: "produce",
  label: "Freeze…",
  title: `Freeze ${repo}`,
  repo,
  path: "/freeze",
  query: { repo },
  confirm: repo,
  danger: true,
  command: (note) =>
    advisedCommand({ verb: ["freeze"], options: { reason: reasonOf(note) }, operands: [repo] }),
  says: (answer, tense) => {
    const unknown =
      answer.known === false
        ? ` No task, job or project has this repository${
            answer.near && answer.near.length > 0 ? `: did you mean ${listed(answer.near)}?` : "."
          }`
        : "";
    return `${repo} ${tense === "would" ? "would be" : "is"} frozen: what runs goes on, no task starts.${inForce(answer)}${unknown}`;
  },
});

export const unfreezeRepo = (repo: string, id: number): Action => ({
  ...base,
  kind: "unfreeze",
  right: "operate",
  label: `Unfreeze ${repo}…`,
  title: `Clear freeze ${id} of ${repo}`,
  repo,
  path: "/unfreeze",
  query: { repo, id },
  command: (note) =>
    advisedCommand({ verb: ["unfreeze"], options: { id, reason: reasonOf(note) }, operands: [repo] }),
  says: ({ frozen, cleared }, tense) => {
    if (cleared === 0) return `Freeze ${id} of ${repo} is cleared already.`;
    if (frozen)
      return `Freeze ${id} ${tense === "would" ? "would be" : "is"} cleared, and ${repo} stays frozen by another.`;
    return `${repo} ${tense === "would" ? "would be" : "is"} open again.`;
  },
});

export interface JobRef {
  readonly job_id: number;
  readonly repo: string | null;
  /** Such as `developer of WEB-7`. */
  readonly of: string;
}

export const retryJob = ({ job_id, repo, of }: JobRef): Action => ({
  ...base,
  kind: "retry",
  right: "produce",
  label: `Retry job ${job_id}…`,
  title: placed(`Retry job ${job_id} (${of})`, repo),
  repo,
  path: `/jobs/${job_id}/retry`,
  command: (note) =>
    advisedCommand({ verb: ["job", "retry"], options: { reason: reasonOf(note) }, operands: [job_id] }),
  says: (_, tense) =>
    `Job ${job_id} ${tense === "would" ? "would be" : "is"} queued again, with one more attempt.`,
});

export const cancelJob = ({ job_id, repo, of }: JobRef): Action => ({
  ...base,
  kind: "cancel-job",
  right: "produce",
  label: `Cancel job ${job_id}…`,
  title: placed(`Cancel job ${job_id} (${of})`, repo),
  repo,
  path: `/jobs/${job_id}/cancel`,
  danger: true,
  command: (note) =>
    advisedCommand({ verb: ["job", "cancel"], options: { reason: reasonOf(note) }, operands: [job_id] }),
  says: (_, tense) => `Job ${job_id} ${tense === "would" ? "would be" : "is"} cancelled.`,
});

export const releaseJob = ({ job_id, repo, of }: JobRef): Action => ({
  ...base,
  kind: "release",
  right: "operate",
  label: `Release job ${job_id} by force…`,
  title: placed(`Take job ${job_id} (${of}) from its worker`, repo),
  repo,
  path: `/jobs/${job_id}/release`,
  query: { force: true },
  needsReason: true,
  danger: true,
  command: (note) =>
    advisedCommand({
      verb: ["job", "release", String(job_id), "--force"],
      options: { reason: reasonOf(note) ?? "" },
    }),
  says: (_, tense) =>
    `Job ${job_id} ${tense === "would" ? "would go" : "is"} back in the queue; its worker's lease ${tense === "would" ? "would end" : "has ended"}.`,
});

/** The tasks that an explanation names. */
export interface Known {
  readonly byId: (id: number) => TaskRef | undefined;
  readonly byName: (workItem: string, repo: string) => TaskRef | undefined;
}

const jobOfPath = (path: string): readonly [id: number, verb: string] | undefined => {
  const [, id, verb] = /^\/jobs\/(\d+)\/(retry|cancel|release)$/.exec(path) ?? [];
  return id === undefined || verb === undefined ? undefined : [Number(id), verb];
};

const JOB_ACTIONS: Readonly<Record<string, (job: JobRef) => Action>> = {
  retry: retryJob,
  cancel: cancelJob,
  release: releaseJob,
};

const TASK_ACTIONS: readonly (readonly [path: RegExp, action: (task: TaskRef) => Action])[] = [
  [/^\/serial-gate\/pause$/, pauseTask],
  [/^\/serial-gate\/resume$/, resumeTask],
  [/^\/tasks\/(\d+)\/cancel$/, cancelTask],
];

/** The action of a call that an explanation advises; undefined for one that is not known here. */
export const actionOfCall = (
  call: string,
  known: Known,
  ofJob: (id: number) => JobRef,
): Action | undefined => {
  const { pathname, searchParams: query } = new URL(call.replace(/^POST /, ""), location.origin);
  const job = jobOfPath(pathname);
  if (job) return JOB_ACTIONS[job[1]]?.(ofJob(job[0]));
  const repo = query.get("repo") ?? "";
  if (pathname === "/unfreeze") return unfreezeRepo(repo, Number(query.get("id")));
  for (const [path, action] of TASK_ACTIONS) {
    const match = path.exec(pathname);
    if (!match) continue;
    const id = match[1] ?? query.get("task_id");
    const task = id === null ? known.byName(query.get("work_item") ?? "", repo) : known.byId(Number(id));
    return task && action(task);
  }
  return undefined;
};

/** The body of the call: what the person wrote. */
export const bodyOf = (action: Action, note: Note): Readonly<Record<string, string>> => ({
  ...(note.reason.trim() !== "" || action.needsReason ? { reason: note.reason.trim() } : {}),
  ...(action.wantsAnswer && note.answer.trim() !== "" ? { answer: note.answer.trim() } : {}),
});

/** The call as a curl command to paste. The token is left to the shell's environment. */
export const asCurl = (action: Action, note: Note, origin: string, withToken: boolean): string => {
  const body = bodyOf(action, note);
  return [
    `curl -X POST ${shellWord(origin + pathOf(action.path, action.query))}`,
    ...(withToken ? [`-H "authorization: Bearer $SERIAL_GATE_TOKEN"`] : []),
    `-H 'content-type: application/json' -d ${shellWord(JSON.stringify(body))}`,
  ].join(" ");
};
