/** Rebuilds the state from the event log and collects the events that break a promise. It knows the promises of the design
 *  and shares no code with the gate. Every event is judged: nobody but the service writes in these runs. */

import { reasonOf, TERMINAL } from "./rule.mjs";

export const millisecondsOf = (text) =>
  Date.parse(
    /Z$|[+-]\d\d(:?\d\d)?$/.test(text)
      ? text.replace(" ", "T").replace(/([+-]\d\d)$/, "$1:00")
      : `${text.replace(" ", "T")}Z`,
  );

/** The dependencies that each task was created with: events tell only of later changes, so they are taken back from the
 *  rows, the latest first. */
const firstDependencies = ({ deps, events }) => {
  const of = new Map();
  const ofTask = (id) => of.get(id) ?? of.set(id, new Set()).get(id);
  for (const { task_id, depends_on_task_id } of deps) ofTask(task_id).add(depends_on_task_id);
  for (const { kind, task_id, detail } of events.toReversed())
    if (kind === "dependency.added") ofTask(task_id).delete(detail.depends_on);
    else if (kind === "dependency.removed") ofTask(task_id).add(detail.depends_on);
  return ofTask;
};

const ENDS_RUN = {
  "job.completed": "done",
  "job.failed": "failed",
  "job.released": "queued",
  "job.lapsed": "queued",
  "job.delayed": "delayed",
};

/** @param rows what rows.mjs read
 *  @param rule `{ strict, entryAgent }`
 *  @returns `{ tasks, jobs, frozen, claims, violations }` */
export const replay = (rows, rule) => {
  const state = { tasks: new Map(), jobs: new Map(), frozen: new Map(), lanes: new Map() };
  const claims = [];
  const violations = [];
  const dependencies = firstDependencies(rows);
  const limits = new Map(rows.jobs.map(({ id, max_attempts }) => [id, max_attempts]));
  let event;
  const wrong = (sentence) => violations.push(`event ${event.id} (${event.kind}): ${sentence}`);
  const laneOf = (repo) => state.lanes.get(repo) ?? state.lanes.set(repo, []).get(repo);

  const claimed = (job, task) => {
    job.attempt += 1;
    if (event.detail.attempt !== job.attempt)
      wrong(
        `job ${job.id} is claimed in attempt ${event.detail.attempt}; its runs so far make it ${job.attempt}`,
      );
    const reason = reasonOf(state, job, rule);
    if (reason !== null)
      wrong(`job ${job.id} (${job.agent} of task ${job.task}) started although ${reason} held it`);
    if (task) {
      // A job that runs keeps a task in its lane also after a pause: see the holder in rule.mjs.
      task.lane = "acquired";
      task.started = true;
    }
    job.at = millisecondsOf(event.at);
    job.worker = event.detail.worker;
    claims.push({
      event: event.id,
      at: job.at,
      job: job.id,
      attempt: job.attempt,
      worker: job.worker,
      ended: undefined,
    });
    job.claim = claims.at(-1);
  };

  const jobChanged = () => {
    const job = state.jobs.get(event.job_id);
    if (!job) return wrong(`job ${event.job_id} was never created`);
    const task = state.tasks.get(job.task);
    const must = (...from) => {
      if (!from.includes(job.status)) wrong(`job ${job.id} was ${job.status}`);
    };
    switch (event.kind) {
      case "job.claimed":
        must("queued", "new");
        job.status = "running";
        return claimed(job, task);
      case "job.due":
        must("delayed", "new");
        job.status = "queued";
        return;
      case "job.retried":
        must("failed");
        job.status = "queued";
        return;
      case "job.cancelled":
        if (job.status === "done" || job.status === "cancelled") wrong(`job ${job.id} was ${job.status}`);
        if (job.status === "running" && !TERMINAL.has(task?.stage))
          wrong(`job ${job.id} was running, and its task goes on`);
        if (job.claim) job.claim.ended ??= event;
        job.status = "cancelled";
        return;
      default: {
        must("running");
        if (job.claim) job.claim.ended ??= event;
        job.status = ENDS_RUN[event.kind] ?? wrong("is no kind that the judge knows");
        const released = event.kind === "job.released" || event.detail.released === true;
        if (released) job.attempt -= 1;
        else if (
          (event.kind === "job.delayed" || event.kind === "job.lapsed") &&
          job.attempt >= limits.get(job.id)
        )
          wrong(`job ${job.id} goes on after attempt ${job.attempt} of ${limits.get(job.id)}`);
      }
    }
  };

  const taskChanged = () => {
    const task = state.tasks.get(event.task_id);
    if (!task) return wrong(`task ${event.task_id} was never created`);
    switch (event.kind) {
      case "task.stage":
      case "task.cancelled":
        if (TERMINAL.has(task.stage)) wrong(`task ${task.id} was ${task.stage}, and that is final`);
        if (event.detail.from !== task.stage)
          wrong(`task ${task.id} was in ${task.stage}, not in ${event.detail.from}`);
        task.stage = event.detail.to;
        return;
      case "task.paused":
        if (task.paused) wrong(`task ${task.id} was paused already`);
        if (TERMINAL.has(task.stage)) wrong(`task ${task.id} is ${task.stage}`);
        task.paused = true;
        if (task.lane === "acquired") task.lane = "lost";
        return;
      case "task.resumed":
        if (!task.paused) wrong(`task ${task.id} was not paused`);
        task.paused = false;
        return;
      case "dependency.added":
        task.deps.add(event.detail.depends_on);
        return;
      case "dependency.removed":
        task.deps.delete(event.detail.depends_on);
        return;
      case "task.answered":
        return;
      default:
        wrong("is no kind that the judge knows");
    }
  };

  for (event of rows.events)
    if (event.kind === "task.created") {
      const { task_id: id, repo, detail } = event;
      if (state.tasks.has(id)) wrong(`task ${id} was created before`);
      const ahead = laneOf(repo).at(-1);
      if (ahead && ahead.id > id) wrong(`task ${id} was created behind task ${ahead.id} in ${repo}`);
      const task = {
        id,
        repo,
        stage: detail.stage,
        paused: false,
        lane: "none",
        started: false,
        deps: dependencies(id),
        jobs: [],
      };
      state.tasks.set(id, task);
      laneOf(repo).push(task);
    } else if (event.kind === "job.created") {
      const { job_id: id, task_id: task, repo, detail } = event;
      if (state.jobs.has(id)) wrong(`job ${id} was created before`);
      // Created for later or not: the event does not say, its first claim shows it.
      const job = { id, task, repo, agent: detail.agent, status: "new", attempt: 0, claim: undefined };
      state.jobs.set(id, job);
      state.tasks.get(task)?.jobs.push(job);
    } else if (event.kind === "repo.frozen") state.frozen.set(event.detail.freeze_id, event.repo);
    else if (event.kind === "repo.unfrozen") {
      if (!state.frozen.delete(event.detail.freeze_id))
        wrong(`freeze ${event.detail.freeze_id} was not active`);
    } else if (event.kind.startsWith("job.")) jobChanged();
    else taskChanged();

  return { ...state, claims, violations };
};

/** Compares the rows with the state that the events give. */
export const compareRows = (rows, { tasks, jobs, frozen }) => {
  const wrong = [];
  const compare = (what, id, row, events) => {
    if (row !== events) wrong.push(`${what} ${id} is ${row} in its row and ${events} by its events`);
  };
  const stageOf = (stage, paused) => `${stage}${paused ? ", paused" : ""}`;
  const known = new Set();
  for (const { id, stage, paused_at } of rows.tasks) {
    known.add(id);
    const task = tasks.get(id);
    compare(
      "task",
      id,
      stageOf(stage, paused_at !== null),
      task ? stageOf(task.stage, task.paused) : "nothing",
    );
  }
  for (const id of tasks.keys()) if (!known.has(id)) wrong.push(`task ${id} has events and no row`);
  known.clear();
  const tokens = new Map();
  for (const { id, status, attempts, lease_token, lease_expires_at } of rows.jobs) {
    known.add(id);
    const job = jobs.get(id);
    const expected =
      job?.status === "new" && (status === "queued" || status === "delayed") ? status : job?.status;
    compare("job", id, status, expected ?? "nothing");
    if (job && attempts !== job.attempt)
      wrong.push(`job ${id} has ${attempts} attempts in its row and ${job.attempt} by its events`);
    if (
      (status === "running") !== (lease_token !== null) ||
      (lease_token === null) !== (lease_expires_at === null)
    )
      wrong.push(`job ${id} is ${status} and ${lease_token === null ? "has no lease" : "has a lease"}`);
    if (lease_token !== null && tokens.has(lease_token))
      wrong.push(`jobs ${tokens.get(lease_token)} and ${id} have one token`);
    if (lease_token !== null) tokens.set(lease_token, id);
  }
  for (const id of jobs.keys()) if (!known.has(id)) wrong.push(`job ${id} has events and no row`);
  for (const { id, cleared_at, repo } of rows.freezes)
    if ((cleared_at === null) !== frozen.has(id))
      wrong.push(
        `freeze ${id} of ${repo} is ${cleared_at === null ? "active" : "cleared"} in its row, not by its events`,
      );
  return wrong;
};
