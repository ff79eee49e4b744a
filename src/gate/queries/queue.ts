/** The whole state on one instant: what every lane does, what waits in it and why. Lanes are read a few at a time, and the
 *  texts of those that did not change are kept. */

import { all, now, one, type Tx } from "../../store/port.ts";
import { inlineInteger, list, raw, sql, type Statement } from "../../store/sql.ts";
import { toIsoOrNull } from "../../store/timestamps.ts";
import type { BatchContext } from "../commands/context.ts";
import type { Lane, Queue } from "../../contract/queue.ts";
import { NOWHERE, sees, type Reach } from "../../contract/names/repo-pattern.ts";
import { JOB_STATUSES, type Reason } from "../../contract/vocabulary.ts";
import type { Policy } from "../rule/policy.ts";
import { EVERYTHING_READABLE } from "../rule/visibility.ts";
import { IN_ALL_LANES, listedInLane } from "./lanes/listed.ts";
import type { KeptForAnswer, KeptLane, KeptLanes, LaneCounts } from "./lanes/kept.ts";
import { groupsOf, type SizedLane } from "./lanes/named.ts";
import { readLanes, type Clues, type ReadLane, type Reading } from "./lanes/read.ts";
import { piecesOf, textOf, type LaneText } from "./lanes/text.ts";
import { PAGE, selecting, type Selection } from "./pages.ts";
import { blockedTasksFrom, causesIn, describeCause, slowIn, type Cause } from "./stuck.ts";

/** A lane of the answer, without its contents. */
interface LaneRow {
  readonly repo: string;
  /** Undefined for a lane of which no text is kept: it shows rows of other lanes (rule/mixed-lanes.ts), or has no row. */
  readonly revision: number | undefined;
  /** Its queued and its running jobs: `10 1`. */
  readonly jobs: string;
}

type Totals = Queue["jobs"] & { revision: number };

interface LaneRows {
  readonly lanes: readonly LaneRow[];
  /** Triggers count the jobs by lane: counting them here would walk past every job that ever was. */
  readonly totals: Totals;
}

/** Lanes that one statement lists. */
const LANES_PAGE = 10_000;
/** Between two names. A name that has it makes one too many, and then the rows are read one by one. */
const SEPARATOR = "\u001e\u001f";
const MIXED = -1;

type Listed = Totals & {
  readonly lanes: number;
  readonly repos: string | null;
  readonly revisions: string | null;
  readonly sizes: string | null;
};

const SUMMED = ["revision", ...JOB_STATUSES] as const;

/** @param last undefined for the first page, which also has the lane without a name */
const lanesBehind = (selected: Selection, last: string | undefined): Statement =>
  sql`SELECT l.* FROM gate_lanes l WHERE ${
    last === undefined ? sql`l.repo >= ${""}` : sql`l.repo > ${last}`
  }${selected("l")} ORDER BY l.repo LIMIT ${inlineInteger(LANES_PAGE)}`;

/** In three texts: to make an object of each row takes three times as long. */
const listedBehind = (selected: Selection, last: string | undefined): Statement =>
  sql`SELECT COUNT(*) AS lanes, string_agg(n.repo, ${SEPARATOR}) AS repos,
    string_agg(CAST(CASE n.mixed WHEN 0 THEN n.revision ELSE ${inlineInteger(MIXED)} END AS TEXT), ',') AS revisions,
    string_agg(CAST(n.queued AS TEXT) || ' ' || CAST(n.running AS TEXT), ',') AS sizes,
    ${raw(SUMMED.map((each) => `COALESCE(SUM(n.${each}), 0) AS ${each}`).join(", "))}
    FROM (${lanesBehind(selected, last)}) AS n`;

const asLaneRow = (repo: string, revision: number, jobs: string): LaneRow => ({
  repo,
  revision: revision === MIXED ? undefined : revision,
  jobs,
});

function* readNames(selected: Selection, last: string | undefined): Tx<string[]> {
  return (yield* all<{ repo: string }>(lanesBehind(selected, last))).map(({ repo }) => repo);
}

function* readLaneRows(selected: Selection): Tx<LaneRows> {
  const lanes: LaneRow[] = [];
  let totals: Totals | undefined;
  for (let last: string | undefined, count = LANES_PAGE; count === LANES_PAGE;) {
    const page = yield* one<Listed>(listedBehind(selected, last));
    const { repos, revisions, sizes } = page;
    count = page.lanes;
    const split = count === 0 ? [] : (repos ?? "").split(SEPARATOR);
    const names: readonly string[] = split.length === count ? split : yield* readNames(selected, last);
    const numbers = revisions?.split(",") ?? [];
    const jobs = sizes?.split(",") ?? [];
    names.forEach((repo, index) => {
      if (repo !== "") lanes.push(asLaneRow(repo, Number(numbers[index]), jobs[index] ?? ""));
    });
    totals = Object.fromEntries(SUMMED.map((each) => [each, (totals?.[each] ?? 0) + page[each]])) as Totals;
    last = names.at(-1);
  }
  if (!totals) throw new Error("A sum without GROUP BY has a row.");
  return { lanes, totals };
}

const sizedOf = ({ repo, jobs }: LaneRow): SizedLane => {
  const [queued = 0, running = 0] = jobs.split(" ").map(Number);
  return { repo, queued, running };
};

/** The repositories that are asked for, all when undefined; and those that the caller may know. */
interface Asked {
  readonly repos: readonly string[] | undefined;
  readonly reach: Reach;
}

/** The repositories among those asked for that the caller may know. */
const seenAmong = (asked: readonly string[] | undefined, reach: Reach): Asked => {
  if (asked === undefined || reach === null) return { repos: asked, reach };
  const repos = asked.filter((repo) => sees(reach, repo));
  return repos.length > 0 ? { repos, reach } : { repos: undefined, reach: NOWHERE };
};

/** The state of all selected lanes but for their contents. */
interface Outline extends Asked {
  readonly policy: Policy;
  readonly reading: Reading;
  readonly totals: Totals;
  /** Configured lanes without a row come last. */
  readonly lanes: readonly LaneRow[];
}

function* outlineOf(
  { rules: { policy }, lookup: { visible }, reach: known }: BatchContext,
  projects: readonly string[],
  asked: readonly string[] | undefined,
): Tx<Outline> {
  const { repos, reach } = seenAmong(asked, known);
  const selected = selecting(repos, reach);
  const { lanes: rows, totals } = yield* readLaneRows(selected);
  const most = yield* listedInLane(selected, totals.queued);
  const configured = projects.filter((repo) => (repos?.includes(repo) ?? true) && sees(reach, repo));
  const there = configured.length > 0 ? new Set(rows.map(({ repo }) => repo)) : undefined;
  const idle = [...new Set(configured)].filter((repo) => there?.has(repo) === false);
  return {
    repos,
    reach,
    policy,
    totals,
    lanes: [...rows, ...idle.map((repo) => asLaneRow(repo, MIXED, "0 0"))],
    reading: {
      policy,
      visible,
      projects: new Set(configured),
      most,
      room: { paused: { left: IN_ALL_LANES }, freezes: { left: IN_ALL_LANES } },
    },
  };
}

type CluesOf = ReadonlyMap<string, Clues>;

/** Finds the stuck tasks of the lanes: among the tasks that wait for a dependency, the heads of lanes that may be stuck,
 *  and the finished tasks that left a job. In the order of their ids. */
function* stuckIn({ policy, reading: { visible } }: Outline, lanes: CluesOf): Tx<Cause[]> {
  if (!visible.lanes || !visible.stages || !visible.dependencies) return [];
  const start: number[] = [];
  for (const { dependent, suspects, left } of lanes.values()) start.push(...dependent, ...suspects, ...left);
  if (start.length === 0) return [];
  const waiters = yield* blockedTasksFrom(policy, start, function* (repo) {
    const clues = lanes.get(repo);
    return clues?.isWhole ? clues.slow : yield* slowIn(policy, repo);
  });
  // A task that its own pause holds is listed under paused: somebody decided it.
  return [...causesIn(waiters).values()]
    .filter(({ kind }) => kind !== "own-pause")
    .sort((a, b) => a.task.task_id - b.task.task_id);
}

const shownStuck = ({ task }: Cause, because: string): Lane["stuck"][number] => ({
  task_id: task.task_id,
  work_item_id: task.work_item_id,
  because,
});

/** The answer but for its lanes. */
type Head = Omit<Queue, "degraded" | "serial_gate"> & {
  readonly serial_gate: Omit<Queue["serial_gate"], "per_repo">;
};

function* headOf({ policy, reach, totals: { revision, ...jobs } }: Outline): Tx<Head> {
  return {
    revision,
    generated_at: new Date(yield* now()).toISOString(),
    jobs,
    serial_gate: {
      enabled: policy.enabled,
      freeze_enabled: policy.freeze,
      pause_enabled: policy.pause,
      strict_lanes: policy.strictLanes,
      repos: policy.repos?.filter((repo) => sees(reach, repo)).join(",") ?? "",
    },
  };
}

const byName = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number => (a < b ? -1 : 1);

/** Answers `GET /queue` from nothing that is kept.
 *  @param projects repositories that are shown also when nothing goes on in them
 *  @param repos the only ones to show; all when undefined */
export function* snapshot(
  context: BatchContext,
  projects: readonly string[],
  asked: readonly string[] | undefined,
): Tx<Omit<Queue, "degraded">> {
  const outline = yield* outlineOf(context, projects, asked);
  const lanes = new Map<string, Lane>();
  const clues = new Map<string, Clues>();
  for (const group of groupsOf(outline.lanes.map(sizedOf), outline.reading.most))
    for (const read of yield* readLanes(outline.reading, group)) {
      clues.set(read.repo, read.clues);
      if (read.lane) lanes.set(read.repo, read.lane);
    }
  for (const cause of yield* stuckIn(outline, clues))
    lanes.get(cause.task.repo)?.stuck.push(shownStuck(cause, describeCause(cause, outline.reach)));
  const { serial_gate, ...head } = yield* headOf(outline);
  return {
    ...head,
    serial_gate: { ...serial_gate, per_repo: Object.fromEntries([...lanes].sort(byName)) },
  };
}

const countsOf = ({ lane }: ReadLane): LaneCounts => {
  const waiting = new Map<Reason | "none", number>();
  for (const { reason } of lane?.waiting ?? [])
    waiting.set(reason ?? "none", (waiting.get(reason ?? "none") ?? 0) + 1);
  const listed = { paused: lane?.paused.length ?? 0, freezes: lane?.freezes.length ?? 0 };
  return { waiting, paused: listed.paused + (lane?.unlisted?.paused ?? 0), listed };
};

/** The lanes of an answer as texts, and how they were come by. */
interface Texts {
  readonly lanes: ReadonlyMap<string, KeptLane>;
  /** How many were read: the others were kept. */
  readonly read: number;
}

/** @param epoch undefined where no text may be taken that was kept */
function* readTexts(
  { lanes, reading }: Outline,
  kept: KeptForAnswer | undefined,
  epoch: string | undefined,
): Tx<Texts> {
  const { most } = reading;
  const texts = new Map<string, KeptLane>();
  const missing: LaneRow[] = [];
  const revisions = new Map<string, number>();
  for (const lane of lanes) {
    const { repo, revision } = lane;
    const isKept = kept !== undefined && epoch !== undefined && revision !== undefined;
    const known = isKept ? kept.get(repo, { epoch, revision, most }) : undefined;
    if (known) {
      texts.set(repo, known);
      continue;
    }
    missing.push(lane);
    if (isKept) revisions.set(repo, revision);
  }
  for (const group of groupsOf(missing.map(sizedOf), most))
    for (const read of yield* readLanes(reading, group)) {
      const { repo, lane, clues } = read;
      const text = { text: lane && textOf(repo, lane), clues, counts: countsOf(read) };
      texts.set(repo, text);
      const revision = revisions.get(repo);
      if (revision !== undefined && epoch !== undefined) kept?.put(repo, { epoch, revision, most }, text);
    }
  return { lanes: texts, read: missing.length };
}

const listedOf = (lanes: Iterable<KeptLane>): LaneCounts["listed"] => {
  const sum = { paused: 0, freezes: 0 };
  for (const { counts } of lanes) {
    sum.paused += counts.listed.paused;
    sum.freezes += counts.listed.freezes;
  }
  return sum;
};

/** Reads the ends of leases as they are now: extending one moves no revision. */
function* readLeases(lanes: Iterable<KeptLane>): Tx<Map<number, string | null>> {
  const jobs: number[] = [];
  for (const { text } of lanes) for (const { job } of text?.leases ?? []) jobs.push(job);
  const ends = new Map<number, string | null>();
  for (let at = 0; at < jobs.length; at += PAGE)
    for (const { id, lease_expires_at } of yield* all<{ id: number; lease_expires_at: string | null }>(
      sql`SELECT j.id, j.lease_expires_at FROM jobs j WHERE j.id IN ${list(jobs.slice(at, at + PAGE))}`,
    ))
      ends.set(id, toIsoOrNull(lease_expires_at));
  return ends;
}

/** How kept texts are used. */
export interface Keeping {
  readonly kept: KeptLanes;
  /** See `readyEpochReader`. */
  readonly readEpoch: () => Tx<string | undefined>;
}

/** The answer of `GET /queue` as text. */
export interface QueueTexts {
  readonly head: Head;
  /** The pieces of the lanes' texts, each of which begins with a comma, in the order of the answer. */
  readonly lanes: Iterable<Buffer | string>;
  /** How many lanes were read: the texts of the others were kept. */
  readonly read: number;
}

type Shown = readonly [repo: string, text: LaneText];

/** JSON objects have names that are array indexes first, in the order of their numbers. */
const isIndex = (name: string): boolean => /^(?:0|[1-9]\d{0,9})$/.test(name) && Number(name) < 2 ** 32 - 1;

const inJsonOrder = (lanes: Shown[]): readonly Shown[] => {
  // The database gives them in its own order, which is mostly the same.
  if (lanes.some(([repo], index) => index > 0 && repo < (lanes[index - 1]?.[0] ?? ""))) lanes.sort(byName);
  const indexes = lanes.filter(([repo]) => isIndex(repo));
  if (indexes.length === 0) return lanes;
  return [
    ...indexes.sort(([a], [b]) => Number(a) - Number(b)),
    ...lanes.filter(([repo]) => !isIndex(repo)),
  ];
};

/** Answers `GET /queue` with the text of `snapshot`, from the texts of lanes that are kept.
 *  @param projects repositories that are shown also when nothing goes on in them
 *  @param repos the only ones to show; all when undefined */
export function* queueTexts(
  context: BatchContext,
  projects: readonly string[],
  asked: readonly string[] | undefined,
  { kept, readEpoch }: Keeping,
): Tx<QueueTexts> {
  const outline = yield* outlineOf(context, projects, asked);
  const epoch = context.lookup.visible === EVERYTHING_READABLE ? yield* readEpoch() : undefined;
  const answer = kept.begin();
  let texts = yield* readTexts(outline, answer, epoch);
  const listed = listedOf(texts.lanes.values());
  // What a lane lists then depends on the lists of other lanes.
  if (Math.max(listed.paused, listed.freezes) > IN_ALL_LANES)
    texts = yield* readTexts(yield* outlineOf(context, projects, asked), undefined, undefined);
  else if (outline.repos === undefined && outline.reach === null) answer.endOfAll();
  const clues = new Map<string, Clues>();
  for (const [repo, lane] of texts.lanes) clues.set(repo, lane.clues);
  const stuck = new Map<string, Lane["stuck"]>();
  for (const cause of yield* stuckIn(outline, clues)) {
    const { repo } = cause.task;
    const inLane = stuck.get(repo) ?? [];
    stuck.set(repo, inLane);
    inLane.push(shownStuck(cause, describeCause(cause, outline.reach)));
  }
  const ends = yield* readLeases(texts.lanes.values());
  return {
    head: yield* headOf(outline),
    lanes: lanePieces(texts.lanes, stuck, ends),
    read: texts.read,
  };
}

/** The texts in the order of the answer, made as they are taken. */
function* lanePieces(
  lanes: ReadonlyMap<string, KeptLane>,
  stuck: ReadonlyMap<string, Lane["stuck"]>,
  ends: ReadonlyMap<number, string | null>,
): Generator<Buffer | string> {
  const shown: Shown[] = [];
  for (const [repo, { text }] of lanes) if (text) shown.push([repo, text]);
  for (const [repo, text] of inJsonOrder(shown)) {
    const own = stuck.get(repo);
    if (!own && text.leases.length === 0) yield text.bytes;
    else yield* piecesOf(text, own ?? [], (job) => ends.get(job) ?? null);
  }
}
