/** A lane as `GET /queue` shows it, from the rows of a few lanes: its answer but for the stuck tasks, which depend on other
 *  lanes, and all that is needed of the lane to find them. */

import type { ActiveFreeze, Lane } from "../../../contract/queue.ts";
import { PEOPLE_TEXT_LENGTH, peopleText } from "../../../contract/people-text.ts";
import { all, type Tx } from "../../../store/port.ts";
import { exists, flag, list, raw, sql, type Statement } from "../../../store/sql.ts";
import { toIso, toIsoOrNull } from "../../../store/timestamps.ts";
import { activeTaskOf, isPaused, unfinished, unfinishedInLane } from "../../rule/lane.ts";
import type { Policy } from "../../rule/policy.ts";
import { isActive } from "../../rule/reasons/freeze.ts";
import type { Visibility } from "../../rule/visibility.ts";
import {
  asActiveWork,
  hasRunning,
  joinWork,
  readRunning,
  workColumns,
  type ActiveRow,
} from "../lane-work.ts";
import { inPages, PAGE } from "../pages.ts";
import { dependentAmong, isSuspectHead } from "../stuck/blocked.ts";
import { FREEZES_IN_LANE } from "./listed.ts";
import { namedLanes, type SizedLane } from "./named.ts";
import { readWaiting } from "./waiting.ts";

/** A lane, read. */
export interface ReadLane {
  readonly repo: string;
  /** Undefined for a lane in which nothing goes on. Its list of stuck tasks is empty. */
  readonly lane: Lane | undefined;
  readonly clues: Clues;
}

/** All that is needed of a lane to find the stuck tasks of all lanes. Ids of tasks. */
export interface Clues {
  /** The ones that wait for a dependency, ascending. */
  readonly dependent: readonly number[];
  /** Of these, the ones that hold the lane against the tasks behind them; all of them, unless paused ones are listed. */
  readonly slow: readonly number[];
  /** The head of a lane that may be stuck, and the task that has the lane. */
  readonly suspects: readonly number[];
  /** The finished ones that left an entry job. */
  readonly left: readonly number[];
  /** False for a lane whose waiting jobs are not all listed. */
  readonly isWhole: boolean;
}

interface LaneRow extends ActiveRow {
  readonly repo: string;
  /** The task that has the lane. */
  readonly task_id: number | null;
  readonly work_item_id: string | null;
  readonly stage: string | null;
  readonly head_id: number | null;
  readonly busy: number;
  /** 1 when the head may be stuck: it has no open job, or in strict lanes another task has the lane. */
  readonly suspect: number;
  /** 1 for a lane that has such rows: mostly none of a group's lanes has, and then they are not looked for. */
  readonly has_running: number;
  readonly has_freezes: number;
  readonly has_paused: number;
}

interface PausedRow {
  readonly repo: string;
  readonly task_id: number;
  readonly work_item_id: string | null;
  readonly stage: string;
  readonly paused_at: string;
  readonly paused_by: string | null;
  readonly pause_reason: string | null;
  /** 0 for a task that a verb for its whole lane is changing: it counts as not paused. */
  readonly shown: number;
}

type FreezeRow = ActiveFreeze & { readonly repo: string };

const hasPaused = (policy: Policy): Statement =>
  policy.pause
    ? exists(sql`tasks p WHERE p.repo = named.repo AND p.paused_at IS NOT NULL AND ${unfinished("p")}`)
    : raw("1 = 0");

/** The lanes, each with the task that has it and its work. */
const lanesNamed = ({ policy, visible }: Reading, repos: readonly string[]): Statement => {
  const seesLanes = visible.lanes && visible.stages;
  return sql`${namedLanes(repos, seesLanes ? policy : undefined)} SELECT named.repo, ${flag(hasRunning("named.repo"))} AS has_running,
    ${flag(visible.freezes ? exists(sql`repo_freeze f WHERE f.repo = named.repo AND ${isActive("f")}`) : raw("1 = 0"))} AS has_freezes, ${
      seesLanes
        ? sql`${flag(hasPaused(policy))} AS has_paused, a.id AS task_id, a.work_item_id, a.stage, h.id AS head_id,
    ${flag(exists(sql`tasks b WHERE b.repo = named.repo AND ${unfinishedInLane("b")}`))} AS busy, ${flag(isSuspectHead(policy, raw("named.repo")))} AS suspect,
    ${workColumns("a")}
    FROM named LEFT JOIN tasks h ON h.id = named.head
      LEFT JOIN tasks a ON a.id = ${activeTaskOf(policy, raw("named.repo"))}${joinWork("a")}`
        : raw(`0 AS has_paused, NULL AS task_id, NULL AS work_item_id, NULL AS stage, NULL AS head_id, 0 AS busy, 0 AS suspect
    FROM named`)
    }`;
};

/** As much of a text as is shown, and a character more: another program may have stored any length. */
const beginningOf = (column: string): Statement => raw(`substr(${column}, 1, ${PEOPLE_TEXT_LENGTH + 1})`);

const shownText = (text: string | null): string | null => (text === null ? null : peopleText(text));

/** In the order of the index: by id, the statement would walk past every task that is not paused. */
const pausedBehind = (repos: readonly string[], last: PausedRow | undefined): Statement =>
  sql`SELECT t.repo, t.id AS task_id, t.work_item_id, t.stage, t.paused_at, t.paused_by,
      ${beginningOf("t.pause_reason")} AS pause_reason, ${flag(isPaused("t"))} AS shown
    FROM tasks t WHERE t.paused_at IS NOT NULL AND ${unfinished("t")} AND t.repo IN ${list(repos)}
      AND (t.repo, t.id) > (${last?.repo ?? ""}, ${last?.task_id ?? 0}) ORDER BY t.repo, t.id LIMIT ${PAGE}`;

const activeFreezesBehind = (repos: readonly string[], id: number): Statement =>
  sql`SELECT f.repo, f.id AS freeze_id, f.frozen_at, ${beginningOf("f.reason")} AS reason, f.frozen_by AS "by", f.work_item_id
    FROM repo_freeze f WHERE ${isActive("f")} AND f.repo IN ${list(repos)} AND f.id > ${id} ORDER BY f.id LIMIT ${PAGE}`;

const shownTask = (row: LaneRow | undefined): Lane["active_task"] => {
  if (!row) return null;
  const { task_id, work_item_id, stage } = row;
  if (task_id === null || stage === null) return null;
  return { task_id, work_item_id, stage, ...asActiveWork(row) };
};

/** The entries that all lanes of an answer may still list. */
export interface Room {
  left: number;
}

/** A list of each lane, of which so many entries are kept. */
class Lists<Row extends { readonly repo: string }> {
  readonly #lists = new Map<string, { readonly rows: Row[]; unlisted: number }>();
  readonly #keep: { readonly which: "first" | "last"; readonly inLane: number };
  readonly #room: Room;

  constructor(keep: { readonly which: "first" | "last"; readonly inLane: number }, room: Room) {
    this.#keep = keep;
    this.#room = room;
  }

  readonly add = (page: readonly Row[]): undefined => {
    const { which, inLane } = this.#keep;
    for (const row of page) {
      let list = this.#lists.get(row.repo);
      if (!list) this.#lists.set(row.repo, (list = { rows: [], unlisted: 0 }));
      const isFull = list.rows.length >= inLane || (this.#room.left === 0 && list.rows.length > 0);
      if (isFull) list.unlisted += 1;
      else this.#room.left = Math.max(this.#room.left - 1, 0);
      if (isFull && which === "first") continue;
      if (isFull) list.rows.shift();
      list.rows.push(row);
    }
  };

  has(repo: string): boolean {
    return this.#lists.has(repo);
  }

  in(repo: string): { readonly rows: readonly Row[]; readonly unlisted: number } {
    return this.#lists.get(repo) ?? { rows: [], unlisted: 0 };
  }
}

/** The numbers of entries that are left out; undefined for none. */
const unlistedOf = (left: Required<NonNullable<Lane["unlisted"]>>): Pick<Lane, "unlisted"> => {
  const some = Object.entries(left).filter(([, count]) => count > 0);
  return some.length === 0 ? {} : { unlisted: Object.fromEntries(some) };
};

/** How lanes are read. */
export interface Reading {
  readonly policy: Policy;
  readonly visible: Visibility;
  /** Repositories that are shown also when nothing goes on in them. */
  readonly projects: ReadonlySet<string>;
  /** How many waiting jobs and paused tasks a lane lists. */
  readonly most: number;
  /** Of the paused tasks, and of the freezes. */
  readonly room: { readonly paused: Room; readonly freezes: Room };
}

const ascending = (ids: Iterable<number>): number[] => [...new Set(ids)].sort((a, b) => a - b);

/** Reads a few lanes: see `groupsOf`. */
export function* readLanes(reading: Reading, lanes: readonly SizedLane[]): Tx<ReadLane[]> {
  const { policy, visible, projects, most, room } = reading;
  const seesLanes = visible.lanes && visible.stages;
  const waitingIn = yield* readWaiting(policy, visible, lanes, most);
  const found = yield* all<LaneRow>(
    lanesNamed(
      reading,
      lanes.map(({ repo }) => repo),
    ),
  );
  const rows = new Map(found.map((row) => [row.repo, row]));
  const thatHave = (flagged: "has_running" | "has_freezes" | "has_paused"): string[] =>
    found.filter((row) => row[flagged] === 1).map(({ repo }) => repo);
  const pauses = new Lists<PausedRow>({ which: "first", inLane: most }, room.paused);
  const pausedIn = thatHave("has_paused");
  if (pausedIn.length > 0)
    yield* inPages<PausedRow>(
      (last) => pausedBehind(pausedIn, last),
      (page) => {
        pauses.add(page.filter(({ shown }) => shown === 1));
        return undefined;
      },
    );
  const freezes = new Lists<FreezeRow>({ which: "last", inLane: FREEZES_IN_LANE }, room.freezes);
  const frozenIn = thatHave("has_freezes");
  if (frozenIn.length > 0)
    yield* inPages<FreezeRow>((last) => activeFreezesBehind(frozenIn, last?.freeze_id ?? 0), freezes.add);
  const runningIn = thatHave("has_running");
  const running =
    runningIn.length > 0 ? yield* readRunning(visible, runningIn) : new Map<string, Lane["running"]>();

  const laneOf = ({ repo, queued }: SizedLane, row: LaneRow | undefined): Lane => {
    const frozen = freezes.in(repo);
    const paused = pauses.in(repo);
    const waiting = waitingIn(repo);
    const active = frozen.rows.map(({ repo: _, ...freeze }) => ({
      ...freeze,
      reason: shownText(freeze.reason),
      frozen_at: toIsoOrNull(freeze.frozen_at),
    }));
    const newest = policy.freeze ? active.at(-1) : undefined;
    return {
      active_task: shownTask(row),
      running: running.get(repo) ?? [],
      waiting,
      paused: paused.rows.map(({ repo: _, shown: __, ...task }) => ({
        ...task,
        paused_at: toIso(task.paused_at),
        pause_reason: shownText(task.pause_reason),
      })),
      freezes: active,
      ...unlistedOf({
        waiting: queued > most ? queued - waiting.length : 0,
        paused: paused.unlisted,
        freezes: frozen.unlisted,
      }),
      frozen: policy.freeze && (!visible.freezes || newest !== undefined),
      frozen_reason: newest?.reason ?? null,
      frozen_at: newest?.frozen_at ?? null,
      stuck: [],
    };
  };
  const read = lanes.map((sized) => {
    const { repo } = sized;
    const row = rows.get(repo);
    const lane = laneOf(sized, row);
    const isShown =
      projects.has(repo) ||
      row?.busy === 1 ||
      (row !== undefined && (lane.waiting.length > 0 || [running, freezes].some((shown) => shown.has(repo))));
    return { sized, row, lane: isShown ? lane : undefined };
  });
  const tasksHeldBy = (lane: Lane, ...reasons: readonly Lane["waiting"][number]["reason"][]): number[] =>
    lane.waiting.flatMap(({ task_id, reason }) =>
      task_id !== null && reasons.includes(reason) ? [task_id] : [],
    );
  const held = read.flatMap(({ lane }) => (lane ? tasksHeldBy(lane, "dependency", "freeze") : []));
  const dependents =
    policy.dependencies && seesLanes && visible.dependencies && held.length > 0
      ? yield* dependentAmong(held)
      : new Set<number>();
  return read.map(({ sized: { repo, queued }, row, lane }) => {
    const isDependent = (task: number | null): task is number => task !== null && dependents.has(task);
    const passed = new Set(lane?.paused.map(({ task_id }) => task_id));
    const waiting = lane?.waiting.map(({ task_id }) => task_id).filter(isDependent) ?? [];
    return {
      repo,
      lane,
      clues: {
        dependent: ascending(lane ? tasksHeldBy(lane, "dependency", "freeze").filter(isDependent) : []),
        slow: ascending(waiting.filter((id) => !passed.has(id))),
        suspects: row?.suspect === 1 ? ascending([row.task_id, row.head_id].filter((id) => id !== null)) : [],
        left: ascending(lane ? tasksHeldBy(lane, "finished") : []),
        isWhole: queued <= most,
      },
    };
  });
}
