/** The text of `GET /queue`, from the texts of lanes that are kept while nothing in them changes: for many callers that ask
 *  again and again. It is that of `snapshot` to the byte (docs/adr/0036). */

import { all, type Tx } from "../../store/port.ts";
import { list, sql } from "../../store/sql.ts";
import { toIsoOrNull } from "../../store/timestamps.ts";
import type { BatchContext } from "../commands/context.ts";
import type { Lane } from "../../contract/queue.ts";
import type { Reason } from "../../contract/vocabulary.ts";
import { EVERYTHING_READABLE } from "../rule/visibility.ts";
import { IN_ALL_LANES } from "./lanes/listed.ts";
import type { KeptForAnswer, KeptLane, KeptLanes, LaneCounts } from "./lanes/kept.ts";
import type { KnownNames } from "./lanes/list.ts";
import { groupsOf, type SizedLane } from "./lanes/named.ts";
import { readLanes, type ReadLane } from "./lanes/read.ts";
import { keptStateCounts, stateCounts, type StateCounts } from "./lanes/state-counts.ts";
import { piecesOf, textOf } from "./lanes/text.ts";
import { PAGE } from "./pages.ts";
import { headOf, outlineOf, shownStuck, startOf, stuckIn, type Head, type Outline } from "./queue.ts";

/** How kept texts are used. */
export interface Keeping {
  readonly kept: KeptLanes;
  readonly names: KnownNames;
  /** See `readyEpochReader`. */
  readonly readEpoch: () => Tx<string | undefined>;
}

/** The lanes of an answer, each in the place of its name. */
interface Texts {
  readonly lanes: readonly (KeptLane | undefined)[];
  /** How many were read: the others were kept. */
  readonly read: number;
}

const countsOf = ({ lane }: ReadLane): LaneCounts => {
  const waiting = new Map<Reason | "none", number>();
  for (const { reason } of lane?.waiting ?? [])
    waiting.set(reason ?? "none", (waiting.get(reason ?? "none") ?? 0) + 1);
  const listed = { paused: lane?.paused.length ?? 0, freezes: lane?.freezes.length ?? 0 };
  return { waiting, paused: listed.paused + (lane?.unlisted?.paused ?? 0), listed };
};

/** @param epoch undefined where no text may be taken that was kept */
function* readTexts(
  { list: { names, revisions, sizeOf }, reading }: Outline,
  kept: KeptForAnswer | undefined,
  epoch: string | undefined,
): Tx<Texts> {
  const { most } = reading;
  const lanes: (KeptLane | undefined)[] = Array.from({ length: names.length });
  const missing: SizedLane[] = [];
  const places = new Map<string, number>();
  names.forEach((repo, index) => {
    if (repo === "") return;
    const revision = revisions[index] ?? -1;
    const known =
      kept && epoch !== undefined && revision >= 0 ? kept.get(repo, { epoch, revision, most }) : undefined;
    lanes[index] = known;
    if (known) return;
    places.set(repo, index);
    missing.push(sizeOf(index));
  });
  for (const group of groupsOf(missing, most))
    for (const read of yield* readLanes(reading, group)) {
      const { repo, lane, clues } = read;
      const index = places.get(repo) ?? -1;
      const text = { text: lane && textOf(repo, lane), clues, counts: countsOf(read) };
      lanes[index] = text;
      const revision = revisions[index] ?? -1;
      if (epoch !== undefined && revision >= 0) kept?.put(repo, { epoch, revision, most }, text);
    }
  return { lanes, read: missing.length };
}

/** Gathers from all lanes of an answer, in one pass over them. */
const gathered = ({ lanes }: Texts) => {
  const listed = { paused: 0, freezes: 0 };
  const start: number[] = [];
  const leased: number[] = [];
  for (const lane of lanes) {
    if (!lane) continue;
    listed.paused += lane.counts.listed.paused;
    listed.freezes += lane.counts.listed.freezes;
    for (const task of startOf(lane.clues)) start.push(task);
    for (const { job } of lane.text?.leases ?? []) leased.push(job);
  }
  return { listed, start, leased };
};

/** Reads the ends of leases as they are now: extending one moves no revision. */
function* readLeases(jobs: readonly number[]): Tx<Map<number, string | null>> {
  const ends = new Map<number, string | null>();
  for (let at = 0; at < jobs.length; at += PAGE)
    for (const { id, lease_expires_at } of yield* all<{ id: number; lease_expires_at: string | null }>(
      sql`SELECT j.id, j.lease_expires_at FROM jobs j WHERE j.id IN ${list(jobs.slice(at, at + PAGE))}`,
    ))
      ends.set(id, toIsoOrNull(lease_expires_at));
  return ends;
}

/** Reads the lanes of a question, most of them from those that are kept.
 *  @param outline of that question; another one where more is listed than all lanes may list */
function* readKept(
  context: BatchContext,
  projects: readonly string[],
  asked: readonly string[] | undefined,
  { kept, names, readEpoch }: Keeping,
  outline: Outline,
): Tx<{ readonly outline: Outline; readonly texts: Texts } & ReturnType<typeof gathered>> {
  const epoch = context.lookup.visible === EVERYTHING_READABLE ? yield* readEpoch() : undefined;
  const answer = kept.begin();
  const texts = yield* readTexts(outline, answer, epoch);
  if (outline.repos === undefined && outline.reach === null) answer.endOfAll(outline.list.names.length);
  const found = { outline, texts, ...gathered(texts) };
  if (Math.max(found.listed.paused, found.listed.freezes) <= IN_ALL_LANES) return found;
  // How many a lane lists depends on the lists of other lanes then.
  const anew = yield* outlineOf(context, projects, asked, names);
  const whole = yield* readTexts(anew, undefined, undefined);
  return { outline: anew, texts: whole, ...gathered(whole) };
}

/** The answer of `GET /queue` as text. */
export interface QueueTexts {
  readonly head: Head;
  /** The pieces of the lanes' texts, each of which begins with a comma, in the order of the answer. */
  readonly lanes: Iterable<Buffer | string>;
  /** How many lanes were read: the texts of the others were kept. */
  readonly read: number;
}

/** Answers `GET /queue` with the text of `snapshot`.
 *  @param projects repositories that are shown also when nothing goes on in them
 *  @param repos the only ones to show; all when undefined */
export function* queueTexts(
  context: BatchContext,
  projects: readonly string[],
  asked: readonly string[] | undefined,
  keeping: Keeping,
): Tx<QueueTexts> {
  const read = yield* outlineOf(context, projects, asked, keeping.names);
  const { outline, texts, start, leased } = yield* readKept(context, projects, asked, keeping, read);
  const stuck = new Map<string, Lane["stuck"]>();
  if (start.length > 0) {
    const places = new Map(outline.list.names.map((repo, index) => [repo, index]));
    const cluesOf = (repo: string) => texts.lanes[places.get(repo) ?? -1]?.clues;
    for (const cause of yield* stuckIn(outline, start, cluesOf)) {
      const { repo } = cause.task;
      const inLane = stuck.get(repo) ?? [];
      stuck.set(repo, inLane);
      inLane.push(shownStuck(cause, outline.reach));
    }
  }
  const ends = yield* readLeases(leased);
  return {
    head: yield* headOf(outline),
    lanes: lanePieces(outline, texts, { stuck, ends }),
    read: texts.read,
  };
}

/** The texts in the order of the answer, made as they are taken. */
function* lanePieces(
  { list: { names, inJsonOrder } }: Outline,
  { lanes }: Texts,
  more: {
    readonly stuck: ReadonlyMap<string, Lane["stuck"]>;
    readonly ends: ReadonlyMap<number, string | null>;
  },
): Generator<Buffer | string> {
  const endOf = (job: number): string | null => more.ends.get(job) ?? null;
  for (const index of inJsonOrder) {
    const text = lanes[index]?.text;
    if (!text) continue;
    const stuck = more.stuck.size > 0 ? more.stuck.get(names[index] ?? "") : undefined;
    if (!stuck && text.leases.length === 0) yield text.bytes;
    else yield* piecesOf(text, stuck ?? [], endOf);
  }
}

/** Counts the state for monitoring, from the lanes that are kept; anew where lanes are listed in part. */
export function* countsFromKept(
  context: BatchContext,
  projects: readonly string[],
  keeping: Keeping,
): Tx<StateCounts> {
  const outline = yield* outlineOf(context, projects, undefined, keeping.names);
  const { list, reading } = outline;
  if (list.names.some((_, index) => list.sizeOf(index).queued > reading.most))
    return yield* stateCounts(context);
  const { texts, start } = yield* readKept(context, projects, undefined, keeping, outline);
  const waiting = new Map<string, number>();
  let paused = 0;
  for (const lane of texts.lanes) {
    if (!lane) continue;
    paused += lane.counts.paused;
    for (const [reason, count] of lane.counts.waiting)
      waiting.set(reason, (waiting.get(reason) ?? 0) + count);
  }
  const counts = yield* keptStateCounts(context, { waiting, paused, start });
  return counts ?? (yield* stateCounts(context));
}
