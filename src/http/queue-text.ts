/** Puts the texts of lanes together to the answer of `GET /queue`, in chunks, so that other requests are served in between. */

import type { Gate } from "../gate/gate.ts";

/** Bytes per chunk, and per turn of the event loop: a millisecond of work at most. */
const CHUNK = 256 * 1024;

type QueueTexts = Awaited<ReturnType<Gate["queueTexts"]>>;

const endOfTurn = (): Promise<void> => new Promise((wake) => setImmediate(wake));

function* pieces({
  head: { serial_gate, ...head },
  degraded,
  lanes,
}: QueueTexts): Generator<Buffer | string> {
  yield `${JSON.stringify({ ...head, degraded, serial_gate }).slice(0, -"}}".length)},"per_repo":{`;
  let isFirst = true;
  for (const piece of lanes) {
    // There is no comma in front of the first lane.
    yield isFirst ? Buffer.from(piece).subarray(1) : piece;
    isFirst = false;
  }
  yield "}}}";
}

/** The queue's JSON, a chunk a turn. Each has memory of its own: a kept text is copied, and may be forgotten meanwhile. */
export async function* queueChunks(queue: QueueTexts): AsyncGenerator<Buffer> {
  let chunk = Buffer.allocUnsafeSlow(CHUNK);
  let used = 0;
  for (const piece of pieces(queue)) {
    const bytes = typeof piece === "string" ? Buffer.from(piece) : piece;
    for (let at = 0; at < bytes.length;) {
      const taken = Math.min(bytes.length - at, CHUNK - used);
      bytes.copy(chunk, used, at, at + taken);
      used += taken;
      at += taken;
      if (used < CHUNK) continue;
      yield chunk;
      await endOfTurn();
      chunk = Buffer.allocUnsafeSlow(CHUNK);
      used = 0;
    }
  }
  yield used < CHUNK / 2 ? Buffer.from(chunk.subarray(0, used)) : chunk.subarray(0, used);
}
