/** Serialises a large queue in slices, so that other requests are served in between. A small queue is serialised as any
 *  other answer. The shape is the contract's. */

import { Readable } from "node:stream";
import type { Lane, Queue } from "../contract/queue.ts";

/** The largest piece that is serialised in one step. */
const PIECE = { lanes: 100, jobs: 1_000 };
/** Characters per turn of the event loop: a few milliseconds of work. */
const CHARACTERS_PER_TURN = 256 * 1024;

const endOfTurn = (): Promise<void> => new Promise((wake) => setImmediate(wake));

/** A lane with its waiting jobs, PIECE.jobs at a time. */
function* lanePieces({ waiting, ...lane }: Lane): Generator<string> {
  yield `${JSON.stringify(lane).slice(0, -"}".length)},"waiting":[`;
  for (let at = 0; at < waiting.length; at += PIECE.jobs) {
    const some = JSON.stringify(waiting.slice(at, at + PIECE.jobs)).slice("[".length, -"]".length);
    yield at === 0 ? some : `,${some}`;
  }
  yield "]}";
}

function* pieces({ serial_gate: { per_repo, ...gate }, ...rest }: Queue): Generator<string> {
  yield `${JSON.stringify({ ...rest, serial_gate: gate }).slice(0, -"}}".length)},"per_repo":{`;
  let separator = "";
  for (const [repo, lane] of Object.entries(per_repo)) {
    const name = `${separator}${JSON.stringify(repo)}:`;
    separator = ",";
    if (lane.waiting.length <= PIECE.jobs) yield name + JSON.stringify(lane);
    else {
      yield name;
      yield* lanePieces(lane);
    }
  }
  yield "}}}";
}

/** Joins pieces to one chunk per turn. */
async function* turns(queue: Queue): AsyncGenerator<string> {
  let text = "";
  for (const piece of pieces(queue)) {
    text += piece;
    if (text.length < CHARACTERS_PER_TURN) continue;
    yield text;
    text = "";
    await endOfTurn();
  }
  yield text;
}

const isLarge = (per_repo: Readonly<Record<string, Lane>>): boolean => {
  const lanes = Object.values(per_repo);
  return lanes.length > PIECE.lanes || lanes.some(({ waiting }) => waiting.length > PIECE.jobs);
};

/** The queue as a reply's body: itself if it is small, else a stream of its JSON. */
export const queueBody = (queue: Queue): Queue | Readable =>
  isLarge(queue.serial_gate.per_repo) ? Readable.from(turns(queue)) : queue;
