/** Serialises a queue in slices, so that other requests are served in between. The shape is the contract's. */

import type { Lane, Queue } from "../contract/queue.ts";

/** The entries of a list that are serialised in one step. */
const ENTRIES = 1_000;
/** Characters per turn of the event loop: a few milliseconds of work. */
const CHARACTERS_PER_TURN = 256 * 1024;

const endOfTurn = (): Promise<void> => new Promise((wake) => setImmediate(wake));

/** A list, some entries at a time. */
function* listPieces(name: string, entries: readonly unknown[]): Generator<string> {
  yield `,"${name}":[`;
  for (let at = 0; at < entries.length; at += ENTRIES) {
    const some = JSON.stringify(entries.slice(at, at + ENTRIES)).slice("[".length, -"]".length);
    yield at === 0 ? some : `,${some}`;
  }
  yield "]";
}

const isLong = ({ waiting, paused, running, stuck }: Lane): boolean =>
  waiting.length + paused.length + running.length + stuck.length > ENTRIES;

function* lanePieces(lane: Lane): Generator<string> {
  if (!isLong(lane)) {
    yield JSON.stringify(lane);
    return;
  }
  const { waiting, paused, running, stuck, ...rest } = lane;
  yield JSON.stringify(rest).slice(0, -"}".length);
  for (const [name, entries] of Object.entries({ waiting, paused, running, stuck }))
    yield* listPieces(name, entries);
  yield "}";
}

function* pieces({ serial_gate: { per_repo, ...gate }, ...rest }: Queue): Generator<string> {
  yield `${JSON.stringify({ ...rest, serial_gate: gate }).slice(0, -"}}".length)},"per_repo":{`;
  let separator = "";
  for (const [repo, lane] of Object.entries(per_repo)) {
    yield `${separator}${JSON.stringify(repo)}:`;
    separator = ",";
    yield* lanePieces(lane);
  }
  yield "}}}";
}

/** The queue's JSON, a chunk a turn. */
export async function* queueChunks(queue: Queue): AsyncGenerator<Buffer> {
  let text = "";
  for (const piece of pieces(queue)) {
    text += piece;
    if (text.length < CHARACTERS_PER_TURN) continue;
    yield Buffer.from(text);
    text = "";
    await endOfTurn();
  }
  yield Buffer.from(text);
}
