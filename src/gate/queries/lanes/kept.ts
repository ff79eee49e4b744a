/** The texts of lanes that are kept while nothing in them changes. The rows decide: each answer reads the revision of every
 *  lane, in its own snapshot, and takes only texts of that revision (docs/adr/0036). Together they stay below a limit; a lane
 *  that has no room is read for each answer, which takes longer and changes nothing else. */

import type { Reason } from "../../../contract/vocabulary.ts";
import type { Clues } from "./read.ts";
import type { LaneText } from "./text.ts";

/** The state that a text is of. */
export interface LaneKey {
  /** See `readyEpochReader`. */
  readonly epoch: string;
  readonly revision: number;
  /** How many waiting jobs and paused tasks it lists. */
  readonly most: number;
}

export interface KeptLane {
  /** Undefined for a lane that is not shown. */
  readonly text: LaneText | undefined;
  readonly clues: Clues;
  readonly counts: LaneCounts;
}

/** The entries of a lane in numbers. */
export interface LaneCounts {
  /** Waiting jobs by the reason that holds them; `none` for ready ones. */
  readonly waiting: ReadonlyMap<Reason | "none", number>;
  readonly paused: number;
  readonly listed: { readonly paused: number; readonly freezes: number };
}

interface Entry extends LaneKey {
  readonly lane: KeptLane;
  readonly bytes: number;
  /** The last answer that used it. */
  usedBy: number;
}

/** Bytes of an entry beside its text: the objects, the name of the lane, and an id or a count each. */
const OVERHEAD = { entry: 400, number: 16 };

const sizeOf = (repo: string, { text, clues, counts }: KeptLane): number =>
  OVERHEAD.entry +
  2 * repo.length +
  (text ? text.bytes.length + 4 * OVERHEAD.number * text.leases.length : 0) +
  OVERHEAD.number *
    (clues.dependent.length +
      clues.slow.length +
      clues.suspects.length +
      clues.left.length +
      counts.waiting.size);

export class KeptLanes {
  readonly #most: number;
  readonly #lanes = new Map<string, Entry>();
  #bytes = 0;
  #answers = 0;
  #roomMadeBy = 0;

  /** @param most bytes of all texts, about */
  constructor(most: number) {
    this.#most = most;
  }

  /** Begins an answer. */
  begin(): KeptForAnswer {
    return new KeptForAnswer(this, (this.#answers += 1));
  }

  get(answer: number, repo: string, key: LaneKey): KeptLane | undefined {
    const entry = this.#lanes.get(repo);
    if (entry?.revision !== key.revision || entry.epoch !== key.epoch || entry.most !== key.most)
      return undefined;
    if (entry.usedBy < answer) entry.usedBy = answer;
    return entry.lane;
  }

  put(answer: number, repo: string, key: LaneKey, lane: KeptLane): void {
    const before = this.#lanes.get(repo);
    // An answer may take long: another one has read a later state meanwhile.
    if (before?.epoch === key.epoch && before.revision > key.revision) return;
    if (before) this.#forget(repo, before);
    const bytes = sizeOf(repo, lane);
    if (this.#bytes + bytes > this.#most) this.#makeRoom(answer);
    if (this.#bytes + bytes > this.#most) return;
    this.#lanes.set(repo, { ...key, lane, bytes, usedBy: answer });
    this.#bytes += bytes;
  }

  /** Forgets the lanes that the answer to a question about all lanes did not find.
   *  @param lanes how many it found */
  forgetUnused(answer: number, lanes: number): void {
    if (this.#lanes.size > lanes)
      for (const [repo, entry] of this.#lanes) if (entry.usedBy < answer) this.#forget(repo, entry);
  }

  /** Forgets the lanes that the latest answers did not use, once an answer. Those in use stay: to take turns in too little
   *  room would keep none. */
  #makeRoom(answer: number): void {
    if (this.#roomMadeBy >= answer) return;
    this.#roomMadeBy = answer;
    for (const [repo, entry] of this.#lanes) if (entry.usedBy < answer - IN_USE) this.#forget(repo, entry);
  }

  #forget(repo: string, { bytes }: Entry): void {
    this.#lanes.delete(repo);
    this.#bytes -= bytes;
  }
}

/** A lane is in use for this many answers after the one that used it: questions about different lanes take turns. */
const IN_USE = 20;

/** The kept lanes, as one answer uses them. */
class KeptForAnswer {
  readonly #kept: KeptLanes;
  readonly #answer: number;

  constructor(kept: KeptLanes, answer: number) {
    this.#kept = kept;
    this.#answer = answer;
  }

  get(repo: string, key: LaneKey): KeptLane | undefined {
    return this.#kept.get(this.#answer, repo, key);
  }

  put(repo: string, key: LaneKey, lane: KeptLane): void {
    this.#kept.put(this.#answer, repo, key, lane);
  }

  /** Ends an answer about all lanes. */
  endOfAll(lanes: number): void {
    this.#kept.forgetUnused(this.#answer, lanes);
  }
}
export type { KeptForAnswer };
