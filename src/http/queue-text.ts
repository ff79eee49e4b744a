/** A large queue as JSON text, a little at a time, so that writing it out never stalls the others.
 *  The shape is the model's; a small queue goes the ordinary way. */

import { Readable } from "node:stream";
import type { Lane, Queue } from "../contract/queue.ts";

/** What is written out as one piece at most. */
const AT_ONCE = { lanes: 100, jobs: 1_000 };
/** What one turn of the event loop writes out: a few milliseconds' worth. */
const CHARACTERS_AT_ONCE = 256 * 1024;

const endOfTurn = (): Promise<void> => new Promise((wake) => setImmediate(wake));

/** A lane in pieces of so many waiting jobs. */
function* lanePieces({ waiting, ...lane }: Lane): Generator<string> {
  yield `${JSON.stringify(lane).slice(0, -"}".length)},"waiting":[`;
  for (let at = 0; at < waiting.length; at += AT_ONCE.jobs) {
    const some = JSON.stringify(waiting.slice(at, at + AT_ONCE.jobs)).slice("[".length, -"]".length);
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
    if (lane.waiting.length <= AT_ONCE.jobs) yield name + JSON.stringify(lane);
    else {
      yield name;
      yield* lanePieces(lane);
    }
  }
  yield "}}}";
}

/** What is written out in a turn, turn by turn. */
async function* turns(queue: Queue): AsyncGenerator<string> {
  let text = "";
  for (const piece of pieces(queue)) {
    text += piece;
    if (text.length < CHARACTERS_AT_ONCE) continue;
    yield text;
    text = "";
    await endOfTurn();
  }
  yield text;
}

const isLarge = (per_repo: Readonly<Record<string, Lane>>): boolean => {
  const lanes = Object.values(per_repo);
  return lanes.length > AT_ONCE.lanes || lanes.some(({ waiting }) => waiting.length > AT_ONCE.jobs);
};

/** The queue itself when it is written out at once, or a stream of its text. */
export const queueAnswer = (queue: Queue): Queue | Readable =>
  isLarge(queue.serial_gate.per_repo) ? Readable.from(turns(queue)) : queue;
