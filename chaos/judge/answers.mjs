/** Holds every answer that a client got against the rows and events, and the answers against each other. */

import { isDeepStrictEqual } from "node:util";
import { millisecondsOf } from "./replay.mjs";

const said = ({ key, kind, client, number }) =>
  `${kind} ${client}.${number}${key === undefined ? "" : ` (key ${key})`}`;

/** The event that a call leaves with its own mark as the reason. */
const MARKED = {
  pause: "task.paused",
  resume: "task.resumed",
  freeze: "repo.frozen",
  unfreeze: "repo.unfrozen",
  force: "job.released",
};

const groupBy = (values, keyOf) => {
  const groups = new Map();
  for (const value of values)
    (groups.get(keyOf(value)) ?? groups.set(keyOf(value), []).get(keyOf(value))).push(value);
  return groups;
};

const isAcked = ({ status }) => status >= 200 && status < 300;

/** @param entries the clients' log
 *  @param state what replay.mjs rebuilt
 *  @returns `{ violations, compared }` */
export const judgeAnswers = (entries, rows, state) => {
  const violations = [];
  let compared = 0;
  const wrong = (entry, sentence) => violations.push(`${said(entry)}: ${sentence}`);
  const tasks = new Map(rows.tasks.map((row) => [row.id, row]));
  const jobs = new Map(rows.jobs.map((row) => [row.id, row]));
  const freezes = new Map(rows.freezes.map((row) => [row.id, row]));
  const kept = new Map(rows.keys.map((row) => [row.idempotency_key, row.answered]));
  const byReason = groupBy(rows.events, ({ reason }) => reason);
  const claimsOf = groupBy(state.claims, ({ worker }) => worker);
  const claimOf = new Map(
    state.claims.map((claim) => [`${claim.job}/${claim.attempt}/${claim.worker}`, claim]),
  );
  const tokens = new Map();
  /** By token: what its holder was promised, and when its end was acknowledged. */
  const leases = new Map();

  const jobCreated = (entry, { id, agent }) => {
    if (jobs.get(id)?.agent !== agent) wrong(entry, `its job ${id} (${agent}) is lost`);
  };
  /** How a run ended, by the event that the call must have left. */
  const runEnded = (entry, kinds) => {
    const { job, attempt, worker, token } = entry.about;
    const claim = claimOf.get(`${job}/${attempt}/${worker}`);
    // A release takes the attempt back, so that one number may have had several runs: this worker's is one of them.
    const ended = state.claims.some(
      (each) => each.job === job && each.worker === worker && kinds.includes(each.ended?.kind),
    );
    if (!claim || !ended)
      wrong(entry, `the run of job ${job}, attempt ${attempt}, did not end by ${kinds.join(" or ")}`);
    const lease = leases.get(token);
    if (lease) lease.endedAt = Math.min(lease.endedAt, entry.doneAt);
  };

  const BY_KIND = {
    create: (entry, { task, job }) => {
      const row = tasks.get(task.id);
      if (row?.repo !== task.repo || row?.work_item_id !== task.work_item_id)
        wrong(entry, `its task ${task.id} is lost`);
      if (job) jobCreated(entry, job);
      const known = state.tasks.get(task.id)?.deps;
      if (entry.status === 201 && known)
        for (const { task_id } of task.depends_on)
          if (
            !known.has(task_id) &&
            !rows.events.some(
              (e) =>
                e.kind === "dependency.removed" && e.task_id === task.id && e.detail.depends_on === task_id,
            )
          )
            wrong(entry, `its dependency on task ${task_id} is lost`);
    },
    enqueue: (entry, { job }) => jobCreated(entry, job),
    claim: (entry, { jobs: claimed }) => {
      for (const { id, attempt, lease } of claimed) {
        const claim = claimOf.get(`${id}/${attempt}/${entry.worker}`);
        if (!claim) wrong(entry, `its claim of job ${id} in attempt ${attempt} is lost`);
        if (tokens.has(lease.token))
          wrong(entry, `the token of job ${id} was given to ${tokens.get(lease.token)} before`);
        tokens.set(lease.token, said(entry));
        leases.set(lease.token, { job: id, claim, until: Date.parse(lease.expires_at), endedAt: Infinity });
      }
      const acked = new Set(claimed.map(({ id }) => id));
      const extra = (claimsOf.get(entry.worker) ?? []).filter(({ job }) => !acked.has(job));
      if (extra.length > 0 && !entry.mayRepeat)
        wrong(
          entry,
          `it was answered with other jobs than ${extra.map(({ job }) => job).join(", ")}, which were claimed for it`,
        );
    },
    heartbeat: (entry, { lease }) => {
      const known = leases.get(entry.about.token);
      if (known) known.until = Date.parse(lease.expires_at);
    },
    complete: (entry, { job, next, jobs: claimed }) => {
      const row = jobs.get(job.id);
      if (row?.status !== "done") wrong(entry, `its job ${job.id} is ${row?.status ?? "gone"}`);
      else if (JSON.parse(row.result ?? "null")?.by !== entry.mark)
        wrong(entry, `the result of job ${job.id} is another's`);
      for (const each of next) jobCreated(entry, each);
      runEnded(entry, ["job.completed"]);
      if (claimed) BY_KIND.claim(entry, { jobs: claimed });
    },
    fail: (entry) => runEnded(entry, ["job.failed", "job.delayed", "job.cancelled"]),
    release: (entry) => runEnded(entry, ["job.released", "job.delayed", "job.cancelled"]),
    freeze: (entry, { freeze_id }) => {
      if (!freezes.has(freeze_id)) wrong(entry, `its freeze ${freeze_id} is lost`);
    },
    unfreeze: (entry, { freezes: cleared }) => {
      for (const { freeze_id } of cleared)
        if (freezes.get(freeze_id)?.cleared_at === null) wrong(entry, `freeze ${freeze_id} is active again`);
    },
  };

  /** An acknowledged change of an operator left exactly the events that its answer tells of; a refused one left none. */
  const judgeMark = (entry) => {
    const kind = MARKED[entry.kind];
    if (kind === undefined || entry.mark === undefined || entry.doneAt === undefined) return;
    const made = (byReason.get(entry.mark) ?? []).filter(
      (event) => event.kind === kind || entry.kind === "force",
    ).length;
    const expected = !isAcked(entry) ? 0 : (entry.expects?.(entry.answer) ?? 1);
    if (made !== expected)
      wrong(entry, `it was answered ${entry.status}, and left ${made} events ${kind} instead of ${expected}`);
  };

  for (const entry of entries) {
    compared += 1;
    if (isAcked(entry) && entry.answer) {
      BY_KIND[entry.kind]?.(entry, entry.answer);
      const isEmpty = entry.kind === "claim" && entry.answer.jobs.length === 0;
      if (entry.key !== undefined && !isEmpty && kept.get(entry.key) !== 1)
        wrong(entry, "its answer is not kept under its key");
    } else if (entry.status === undefined && entry.kind === "heartbeat") {
      // It may have made the lease shorter: nothing is promised.
      const lease = leases.get(entry.about.token);
      if (lease) lease.until = 0;
    } else if (entry.status >= 400 && entry.kind === "complete") {
      const row = jobs.get(entry.about.job);
      if (row?.result && JSON.parse(row.result).by === entry.mark)
        wrong(entry, `it was answered ${entry.status}, and job ${row.id} has its result`);
    }
    judgeMark(entry);
  }

  // Leases: no end before the promised one, and no token that works after its end.
  for (const entry of entries) {
    if (!isAcked(entry) || !["heartbeat", "complete", "fail", "release"].includes(entry.kind)) continue;
    const lease = leases.get(entry.about.token);
    if (!lease || entry.isRepeat) continue;
    if (entry.sentAt > lease.endedAt)
      wrong(entry, `the lease of job ${lease.job} had ended, and its token was taken`);
    if (entry.late !== undefined && entry.sentAt > entry.late)
      wrong(
        entry,
        `the lease of job ${lease.job} had expired at ${new Date(entry.late).toISOString()}, and its token was taken`,
      );
  }
  for (const { job, claim, until } of leases.values())
    if (
      claim?.ended &&
      /^job\.(lapsed|failed|cancelled)$/.test(claim.ended.kind) &&
      claim.ended.reason?.includes("expired") &&
      millisecondsOf(claim.ended.at) < until
    )
      violations.push(
        `job ${job}: its lease was promised until ${new Date(until).toISOString()}, and expired at ${claim.ended.at} (event ${claim.ended.id})`,
      );

  return { violations: [...violations, ...judgeFreezes(entries)], compared };
};

/** By the clients' clock alone: after a freeze is acknowledged nobody gets an entry job of the repository until somebody asks
 *  for an unfreeze. */
const judgeFreezes = (entries) => {
  const violations = [];
  const unfreezes = entries.filter(({ kind }) => kind === "unfreeze");
  const claims = entries.filter((entry) => entry.worker !== undefined && isAcked(entry) && entry.sends === 1);
  for (const freeze of entries.filter((entry) => entry.kind === "freeze" && isAcked(entry))) {
    const { repo } = freeze;
    const open = Math.min(
      ...unfreezes
        .filter((each) => each.repo === repo && (each.doneAt ?? Infinity) > freeze.sentAt)
        .map(({ sentAt }) => sentAt),
    );
    for (const claim of claims)
      if (claim.sentAt > freeze.doneAt && claim.doneAt < open)
        for (const job of claim.answer.jobs ?? [])
          if (job.repo === repo && job.agent === "analyst")
            violations.push(
              `${said(claim)}: job ${job.id} of ${repo} started after ${said(freeze)} was acknowledged`,
            );
  }
  return violations;
};

/** Compares the answer of a repeated key with the first. */
export const sameAnswer = (first, again) =>
  first.status === again.status && isDeepStrictEqual(first.answer, again.body);
