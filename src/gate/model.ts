/** The shapes of everything that crosses the gate's door, and their types.
 *  The one source: what is validated, what is serialised, what openapi.yaml says and what the client's types
 *  are all come from here. Names are those of the HTTP contract. */

import * as z from "zod";

const NAME_LENGTH = 200;
const TEXT_LENGTH = 100_000;

const model = <T extends z.ZodType>(id: string, description: string, shape: T): T =>
  shape.meta({ id, description });

// Names that a caller only looks up are taken as they are: other programs wrote them.
const lookup = (description: string) =>
  z
    .string()
    .min(1)
    .max(NAME_LENGTH)
    .regex(/^[^\p{Cc}\p{Cs}]+$/u)
    .meta({ description });
const text = (description: string) =>
  z
    .string()
    .max(TEXT_LENGTH)
    .regex(/^[^\u0000\p{Cs}]*$/u)
    .meta({ description });
const time = (description: string) =>
  z.string().meta({ format: "date-time", description, examples: ["2026-06-15T18:06:00.000Z"] });
const instant = (description: string) => z.iso.datetime({ offset: true }).meta({ description });
const anyJson = (description: string) => z.unknown().meta({ description });
const milliseconds = (least: number, most: number, description: string) =>
  z.int().min(least).max(most).meta({ description });

/** Segments of letters, digits, dots, dashes and underscores, joined by slashes. Two spellings of one
 *  repository would be two lanes, so a name that looks alike but for spaces is refused where it is made. */
export const REPO_NAME = /^[A-Za-z0-9._-]+(\/[A-Za-z0-9._-]+)*$/;

const Id = z.int().min(1);
const Count = z.int().min(0);
const RepoName = z
  .string()
  .max(NAME_LENGTH)
  .regex(REPO_NAME)
  .meta({ description: "A repository, such as owner/name.", examples: ["acme/web"] });
const WorkItemId = z
  .string()
  .max(NAME_LENGTH)
  .regex(/^[^\p{Cc}\p{Cs}\p{Z}]([^\p{Cc}\p{Cs}]*[^\p{Cc}\p{Cs}\p{Z}])?$/u)
  .meta({ description: "The work item's own id, such as ORCH-124.", examples: ["WEB-8"] });
const Agent = z
  .string()
  .max(NAME_LENGTH)
  .regex(/^[A-Za-z0-9._:-]+$/)
  .meta({ description: "The kind of worker that a job is for.", examples: ["analyst"] });
const Stage = z
  .string()
  .max(64)
  .regex(/^[a-z0-9][a-z0-9._-]*$/)
  .meta({
    description: "Where a task stands. It is finished in done and cancelled.",
    examples: ["development"],
  });
const LeaseMs = milliseconds(1_000, 86_400_000, "How long the lease holds, in milliseconds.");
const MaxAttempts = z
  .int()
  .min(1)
  .max(1_000)
  .meta({ description: "How often the job is tried before it is failed." });
const LeaseToken = lookup("The token that the claim gave.");
const RepoLookup = lookup("A repository, such as owner/name.");
const WorkItemLookup = lookup("A work item's id, such as ORCH-124.");

export const Reason = model(
  "Reason",
  "Why a queued entry job is held.",
  z.enum(["freeze", "dependency", "active-task"]),
);
export type Reason = z.output<typeof Reason>;

export const JOB_STATUSES = ["queued", "delayed", "running", "done", "failed", "cancelled"] as const;

// --- Nouns

const Dependency = model(
  "Dependency",
  "A task that must be finished first.",
  z.strictObject({
    task_id: Id,
    repo: z.string(),
    work_item_id: z.string().nullable(),
    stage: z.string(),
  }),
);

export const Task = model(
  "Task",
  "One piece of work on a repository.",
  z.strictObject({
    id: Id,
    repo: z.string(),
    work_item_id: z.string().nullable(),
    title: z.string().nullable(),
    stage: z.string(),
    depends_on: z.array(Dependency),
    paused_at: time("When the task was parked; null while it is not.").nullable(),
    paused_by: z.string().nullable(),
    pause_reason: z.string().nullable(),
    pause_until: time("When the task resumes by itself.").nullable(),
    cancelled_at: time("When the task was cancelled.").nullable(),
    created_at: time("When the task was made.").nullable(),
    updated_at: time("When the task last changed.").nullable(),
  }),
);
export type Task = z.output<typeof Task>;

export const Job = model(
  "Job",
  "One thing for one worker to do for a task.",
  z.strictObject({
    id: Id,
    task_id: Id.nullable(),
    repo: z.string().nullable(),
    work_item_id: z.string().nullable(),
    agent: z.string(),
    status: z.enum(JOB_STATUSES),
    attempt: Count.meta({ description: "0 before the first claim, 1 on it." }),
    max_attempts: Count,
    payload: anyJson("What the worker is to do."),
    result: anyJson("What the worker did."),
    error: z.string().nullable(),
    run_after: time("Not to be started before this.").nullable(),
    lease: z
      .strictObject({
        worker: z.string().nullable(),
        expires_at: time("When the job is given back."),
      })
      .nullable()
      .meta({ description: "Who runs the job; null for a job that holds no lease." }),
    created_at: time("When the job was made.").nullable(),
    started_at: time("When the job was last claimed.").nullable(),
    finished_at: time("When the job ended.").nullable(),
  }),
);
export type Job = z.output<typeof Job>;

const Lease = model(
  "Lease",
  "The right to run a job until it expires.",
  z.strictObject({
    token: z.string(),
    expires_at: time("When the job is given back unless a heartbeat comes."),
  }),
);
export type Lease = z.output<typeof Lease>;

export const ClaimedJob = model(
  "ClaimedJob",
  "A job that is now the caller's, until its lease expires.",
  z.strictObject({
    id: Id,
    task_id: Id.nullable(),
    repo: z.string().nullable(),
    work_item_id: z.string().nullable(),
    agent: z.string(),
    stage: z.string().nullable(),
    payload: anyJson("What the worker is to do."),
    attempt: Count,
    max_attempts: Count,
    lease: Lease,
    base: z.strictObject({
      stale: z.boolean().meta({
        description: "Other tasks finished while this one was paused: rebase before trusting its branch.",
      }),
      overtaken_by: z.array(z.string()).meta({ description: "The work items that finished." }),
    }),
  }),
);
export type ClaimedJob = z.output<typeof ClaimedJob>;

const ActiveTask = model(
  "ActiveTask",
  "The head of a lane: its oldest task that is unfinished and not paused.",
  z.strictObject({ task_id: Id, work_item_id: z.string().nullable(), stage: z.string() }),
);

export const WaitingJob = model(
  "WaitingJob",
  "A queued entry job. Its reason is null when a claim would hand it out now.",
  z.strictObject({
    job_id: Id,
    task_id: Id.nullable(),
    work_item_id: z.string().nullable(),
    stage: z.string().nullable(),
    reason: Reason.nullable(),
    position: Id.meta({
      description: "Its place among the lane's waiting jobs, from 1, by the order of their tasks.",
    }),
  }),
);

const PausedTask = model(
  "PausedTask",
  "An unfinished task that does not hold its lane.",
  z.strictObject({
    task_id: Id,
    work_item_id: z.string().nullable(),
    stage: z.string(),
    paused_at: time("When the task was parked."),
    paused_by: z.string().nullable(),
    pause_reason: z.string().nullable(),
  }),
);

const StuckTask = model(
  "StuckTask",
  "A task that cannot go on by itself, and why.",
  z.strictObject({
    task_id: Id,
    work_item_id: z.string().nullable(),
    because: z.string().meta({ examples: ["its job 12 (developer) failed: tests are red"] }),
  }),
);

export const Lane = model(
  "Lane",
  "A repository's serial line.",
  z.strictObject({
    active_task: ActiveTask.nullable(),
    waiting: z.array(WaitingJob),
    paused: z.array(PausedTask),
    frozen: z.boolean(),
    frozen_reason: z.string().nullable(),
    frozen_at: time("When the newest freeze that no one cleared began.").nullable(),
    stuck: z.array(StuckTask).meta({
      description: "Tasks that nothing moves without a person. What waits behind them waits as long.",
    }),
  }),
);
export type Lane = z.output<typeof Lane>;

export const Queue = model(
  "Queue",
  "The whole state, on one instant of the database.",
  z.strictObject({
    revision: Count.meta({ description: "Moves with every change of what is shown." }),
    generated_at: time("When the answer was made."),
    degraded: z.boolean().meta({
      description: "A part of the gate could not be read: what is not known counts as frozen.",
    }),
    jobs: z.strictObject(
      Object.fromEntries(JOB_STATUSES.map((status) => [status, Count])) as Record<
        (typeof JOB_STATUSES)[number],
        z.ZodInt
      >,
    ),
    serial_gate: z.strictObject({
      enabled: z.boolean(),
      freeze_enabled: z.boolean(),
      pause_enabled: z.boolean(),
      repos: z.string().meta({ description: "SERIAL_GATE_REPOS as it applies; empty for all." }),
      per_repo: z.record(z.string(), Lane),
    }),
  }),
);
export type Queue = z.output<typeof Queue>;

export const HistoryEvent = model(
  "Event",
  "A change: what, when, to what, by whom and why.",
  z.strictObject({
    id: Id,
    at: time("When it was made."),
    kind: z.string().meta({
      description: "What changed, such as task.created, task.stage, task.paused, job.claimed or repo.frozen.",
      examples: ["task.paused"],
    }),
    repo: z.string().nullable(),
    task_id: Id.nullable(),
    work_item_id: z.string().nullable(),
    job_id: Id.nullable(),
    actor: z.string().nullable().meta({
      description:
        "Whose token it was; serial-gate for what the gate does by itself; null where there are no tokens, and for another program.",
    }),
    reason: z.string().nullable(),
    detail: anyJson("What else there is to say, by kind."),
  }),
);
export type HistoryEvent = z.output<typeof HistoryEvent>;

// --- What callers send

export const NewTask = model(
  "NewTask",
  "A task to create, with its entry job unless told otherwise.",
  z.strictObject({
    repo: RepoName,
    work_item_id: WorkItemId,
    title: text("What the work is.").optional(),
    stage: Stage.default("analysis"),
    depends_on: z
      .array(z.union([WorkItemLookup, z.strictObject({ repo: RepoLookup, work_item_id: WorkItemLookup })]))
      .max(1_000)
      .optional()
      .meta({
        description: "Tasks that must be finished first: work items of this repository, or of another.",
      }),
    entry_job: z
      .union([
        z.boolean(),
        z.strictObject({
          payload: anyJson("What the worker is to do.").optional(),
          max_attempts: MaxAttempts.optional(),
        }),
      ])
      .optional()
      .meta({ description: "Whether to enqueue the task's entry job; true unless it is finished." }),
  }),
);
export type NewTask = z.output<typeof NewTask>;

export const NewJob = model(
  "NewJob",
  "A job to enqueue for a task.",
  z.strictObject({
    repo: RepoLookup,
    work_item_id: WorkItemLookup,
    agent: Agent,
    payload: anyJson("What the worker is to do.").optional(),
    max_attempts: MaxAttempts.optional(),
    run_after: instant("Not to be started before this.").optional(),
  }),
);
export type NewJob = z.output<typeof NewJob>;

export const ClaimRequest = model(
  "ClaimRequest",
  "Which jobs the caller takes. Empty for one job of any kind, now.",
  z.strictObject({
    worker: lookup("Who claims, for people to read.").optional(),
    agents: z.array(Agent).min(1).max(100).optional(),
    repos: z.array(RepoLookup).min(1).max(1_000).optional(),
    max: z.int().min(1).max(100).default(1),
    wait_ms: milliseconds(0, 60_000, "How long to wait for a job, in milliseconds.").default(0),
    lease_ms: LeaseMs.optional(),
  }),
);
export type ClaimRequest = z.output<typeof ClaimRequest>;

export const Heartbeat = model(
  "Heartbeat",
  "Keeps a lease.",
  z.strictObject({ lease_token: LeaseToken, lease_ms: LeaseMs.optional() }),
);
export type Heartbeat = z.output<typeof Heartbeat>;

export const Completion = model(
  "Completion",
  "The job is done; the task moves on.",
  z.strictObject({
    lease_token: LeaseToken,
    result: anyJson("What the worker did.").optional(),
    stage: Stage.optional(),
    next: z
      .array(z.strictObject({ agent: Agent, payload: anyJson("What the worker is to do.").optional() }))
      .max(100)
      .optional(),
  }),
);
export type Completion = z.output<typeof Completion>;

export const Failure = model(
  "Failure",
  "The job went wrong.",
  z.strictObject({
    lease_token: LeaseToken,
    error: text("What went wrong."),
    retry: z.boolean().default(true),
  }),
);
export type Failure = z.output<typeof Failure>;

export const Release = model(
  "Release",
  "Gives a job back untouched.",
  z.strictObject({ lease_token: LeaseToken }),
);

const why = {
  reason: text("Why, for people to read.").optional(),
  by: lookup("Who, where the service asks for no token; else it is the token's name.").optional(),
};

export const Note = model("Note", "Who does it, and why.", z.strictObject(why));
export type Note = z.output<typeof Note>;

export const StageChange = model(
  "StageChange",
  "The stage to move to.",
  z.strictObject({ stage: Stage, ...why }),
);
export type StageChange = z.output<typeof StageChange>;

export const PauseNote = model(
  "PauseNote",
  "Who parks a task, why, and until when.",
  z.strictObject({ ...why, until: instant("When the task resumes by itself.").optional() }),
);
export type PauseNote = z.output<typeof PauseNote>;

export const FreezeNote = model(
  "FreezeNote",
  "Who stops a repository, and why.",
  z.strictObject({
    ...why,
    work_item_id: WorkItemLookup.optional().meta({ description: "The work item whose deploy it was." }),
  }),
);
export type FreezeNote = z.output<typeof FreezeNote>;

export const WorkItemQuery = z.strictObject({ work_item: WorkItemLookup, repo: RepoLookup.optional() });
export type WorkItemQuery = z.output<typeof WorkItemQuery>;

const trial = {
  dry_run: z.boolean().optional().meta({ description: "Answer what would come of it, and change nothing." }),
};

/** One work item, or every task of a repository. */
export const PauseQuery = z.strictObject({
  work_item: WorkItemLookup.optional(),
  repo: RepoLookup.optional(),
  ...trial,
});
export type PauseQuery = z.output<typeof PauseQuery>;

export const FreezeQuery = z.strictObject({ repo: RepoLookup, ...trial });
export type FreezeQuery = z.output<typeof FreezeQuery>;
export const TrialQuery = z.strictObject(trial);
export const IdParams = z.strictObject({ id: Id });
export const UnfreezeQuery = z.strictObject({
  repo: RepoLookup,
  id: Id.optional().meta({ description: "Clear this freeze only." }),
  ...trial,
});
export type UnfreezeQuery = z.output<typeof UnfreezeQuery>;

export const QueueQuery = z.strictObject({
  repo: z.array(RepoLookup).max(1_000).optional().meta({ description: "Only these repositories." }),
});

export const TaskQuery = z.strictObject({
  repo: RepoLookup.optional(),
  stage: lookup("A stage.").optional(),
  paused: z.boolean().optional(),
  finished: z.boolean().optional(),
  work_item: WorkItemLookup.optional(),
  limit: z.int().min(1).max(500).default(100),
  cursor: z
    .string()
    .regex(/^\d{1,16}$/)
    .optional()
    .meta({ description: "next_cursor of the page before." }),
});
export type TaskQuery = z.output<typeof TaskQuery>;

const Position = z.int().min(0);
const ofWhat = {
  repo: RepoLookup.optional().meta({ description: "Only what happened in this repository." }),
  work_item: WorkItemLookup.optional().meta({ description: "Only what happened to this work item." }),
};
const newest = z.int().min(0).max(1_000);

export const EventQuery = z.strictObject({
  after: Position.optional().meta({
    description: "The id of the last event seen, or next_cursor: what came behind it, oldest first.",
  }),
  before: Position.optional().meta({ description: "The id of the oldest event seen: what came before it." }),
  last: newest.optional().meta({ description: "The newest events, this many. Go on with next_cursor." }),
  limit: z
    .int()
    .min(1)
    .max(1_000)
    .default(100)
    .meta({ description: "How many at most, from `after` or `before`." }),
  ...ofWhat,
});
export type EventQuery = z.output<typeof EventQuery>;

export const FollowQuery = EventQuery.pick({ after: true, last: true, repo: true, work_item: true });
export type FollowQuery = z.output<typeof FollowQuery>;

// --- What callers get

export const TaskAndJob = z.strictObject({ task: Task, job: Job.nullable() });
export const TaskPage = z.strictObject({ tasks: z.array(Task), next_cursor: z.string().nullable() });
export type TaskPage = z.output<typeof TaskPage>;
export const TaskWithJobs = z.strictObject({ task: Task, jobs: z.array(Job) });
export const OneJob = z.strictObject({ job: Job });
export const EventPage = z.strictObject({
  events: z.array(HistoryEvent).meta({ description: "By id, oldest first, wherever the page begins." }),
  next_cursor: z
    .int()
    .min(0)
    .meta({ description: "What to send as `after` to go on from here, also where there is nothing yet." }),
});
export type EventPage = z.output<typeof EventPage>;
export const Claim = z.strictObject({
  jobs: z.array(ClaimedJob),
  degraded: z.boolean().meta({
    description: "A part of the gate could not be read, and this claim did not wait for it.",
  }),
});
export type Claim = z.output<typeof Claim>;
export const OneLease = z.strictObject({ lease: Lease });
export const Completed = z.strictObject({ job: Job, task: Task.nullable(), next: z.array(Job) });
export type Completed = z.output<typeof Completed>;

const ChangedVerdict = model(
  "ChangedVerdict",
  "A queued entry job that a change lets start, or holds.",
  z.strictObject({
    job_id: Id,
    task_id: Id.nullable(),
    repo: z.string(),
    work_item_id: z.string().nullable(),
    reason: Reason.nullable(),
  }),
);
export type ChangedVerdict = z.output<typeof ChangedVerdict>;

export const Effect = model(
  "Effect",
  "What a change means for the entry jobs that are queued.",
  z.strictObject({
    now_claimable: z.array(ChangedVerdict).meta({ description: "They were held and may start now." }),
    now_held: z.array(ChangedVerdict).meta({ description: "They could start and are held now." }),
  }),
);
export type Effect = z.output<typeof Effect>;

export const ChangedTask = z.strictObject({ task: Task, effect: Effect });
export type ChangedTask = z.output<typeof ChangedTask>;
export const ChangedJob = z.strictObject({ job: Job, effect: Effect });
export type ChangedJob = z.output<typeof ChangedJob>;

const paused_at = time("When the task was parked.").nullable();

export const PauseState = model(
  "PauseState",
  "A task's pause as it is now.",
  z.strictObject({
    work_item_id: z.string().nullable(),
    repo: z.string(),
    stage: z.string(),
    paused: z.boolean(),
    paused_at,
    changed: z.boolean().meta({ description: "False when it was so before." }),
    effect: Effect,
  }),
);
export type PauseState = z.output<typeof PauseState>;

export const LanePauseState = model(
  "LanePauseState",
  "What the pause of a whole repository, or its end, changed.",
  z.strictObject({
    repo: z.string(),
    paused: z.boolean(),
    changed: Count.meta({ description: "How many tasks it parked, or took back." }),
    tasks: z.array(
      z.strictObject({
        task_id: Id,
        work_item_id: z.string().nullable(),
        stage: z.string(),
        paused_at,
      }),
    ),
    effect: Effect,
  }),
);
export type LanePauseState = z.output<typeof LanePauseState>;

export const PauseAnswer = z.union([PauseState, LanePauseState]);

export const FreezeState = z.strictObject({
  repo: z.string(),
  frozen: z.boolean(),
  frozen_at: time("When the freeze began."),
  frozen_reason: z.string().nullable(),
  freeze_id: Id,
  effect: Effect,
});
export type FreezeState = z.output<typeof FreezeState>;

const Freeze = model(
  "Freeze",
  "A stop of a whole repository.",
  z.strictObject({
    freeze_id: Id,
    repo: z.string(),
    frozen_at: time("When it began.").nullable(),
    frozen_by: z.string().nullable(),
    reason: z.string().nullable(),
    work_item_id: z.string().nullable().meta({ description: "The work item whose deploy it was." }),
  }),
);
export type Freeze = z.output<typeof Freeze>;

export const Unfrozen = z.strictObject({
  repo: z.string(),
  frozen: z.boolean().meta({ description: "Whether a freeze remains." }),
  cleared: Count.meta({ description: "How many freezes were cleared." }),
  freezes: z.array(Freeze).meta({ description: "Those that were cleared." }),
  effect: Effect,
});
export type Unfrozen = z.output<typeof Unfrozen>;

// --- The explanation

const Fix = model(
  "Fix",
  "A call that takes the obstacle away, and what would come of it.",
  z.strictObject({
    call: z.string().meta({ examples: ["POST /unfreeze?repo=acme%2Fapi&id=3"] }),
    command: z.string().meta({ examples: ["serial-gate unfreeze acme/api --id 3"] }),
    effect: Effect.nullable().meta({ description: "Null where it could not be tried." }),
  }),
);
export type Fix = z.output<typeof Fix>;

const Blocker = model(
  "Blocker",
  "What holds a job: a task with its open jobs, a freeze, or the part of the database that cannot be read.",
  z.strictObject({
    kind: z.enum(["task", "freeze", "unreadable"]),
    task: Task.nullable(),
    jobs: z
      .array(Job)
      .meta({ description: "The jobs of the task that are not over, and those that failed." }),
    freeze: Freeze.nullable(),
  }),
);
export type Blocker = z.output<typeof Blocker>;

const Obstacle = model(
  "Obstacle",
  "One thing that holds a job.",
  z.strictObject({
    reason: Reason,
    since: time("Since when it holds the job.").nullable(),
    by: z.string().nullable().meta({ description: "Who brought it about, where that is known." }),
    detail: z.string().meta({ examples: ["API-2 in acme/api is unfinished (analysis)"] }),
    blocker: Blocker,
    fix: z.array(Fix),
  }),
);
export type Obstacle = z.output<typeof Obstacle>;

const Estimate = model(
  "Estimate",
  "When the job may start, from how long the tasks of the repository took that finished last.",
  z.strictObject({
    p50: time("One of two is earlier.").nullable(),
    p90: time("Nine of ten are earlier.").nullable(),
    unavailable: z.string().nullable().meta({ description: "Why there is none." }),
  }),
);
export type Estimate = z.output<typeof Estimate>;

const ExplainedJob = model(
  "ExplainedJob",
  "A job of the task that is not over, or failed.",
  z.strictObject({
    job_id: Id,
    agent: z.string(),
    status: z.enum(JOB_STATUSES),
    reason: Reason.nullable().meta({ description: "As in `GET /queue`; null when nothing holds it." }),
    position: Id.nullable().meta({
      description: "Its place among the lane's waiting jobs; null when it is not one of them.",
    }),
    estimate: Estimate,
    reasons: z.array(Obstacle).meta({ description: "All that holds it, the first reason first." }),
  }),
);
export type ExplainedJob = z.output<typeof ExplainedJob>;

export const Explanation = model(
  "Explanation",
  "Why a work item waits, down to what has to happen first.",
  z.strictObject({
    task: Task,
    stuck: z.boolean().meta({ description: "It waits for something that cannot happen by itself." }),
    stuck_because: z.string().nullable().meta({ description: "What that is, and the way out." }),
    jobs: z.array(ExplainedJob),
    chain: z
      .array(
        z.strictObject({
          work_item_id: z.string().nullable(),
          repo: z.string(),
          reason: z.string().meta({
            description:
              "A reason of the gate, or what the task does: running, delayed, queued, failed, paused, idle.",
          }),
          on: z.string().meta({ description: "What it waits for." }),
        }),
      )
      .meta({ description: "From the work item to the root: each waits for the next." }),
    degraded: z.boolean(),
  }),
);
export type Explanation = z.output<typeof Explanation>;
