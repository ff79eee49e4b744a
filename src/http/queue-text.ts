/** A large queue as JSON text, a few lanes at a time, so that writing it out never stalls the others.
 *  The shape is the model's; a small queue goes the ordinary way. */

import { Readable } from "node:stream";
import type { Queue } from "../gate/model.ts";

const LANES_AT_ONCE = 100;

function* pieces({ serial_gate: { per_repo, ...gate }, ...rest }: Queue): Generator<string> {
  const open = JSON.stringify({ ...rest, serial_gate: gate }).slice(0, -"}}".length);
  const lanes = Object.entries(per_repo);
  yield `${open},"per_repo":{`;
  for (let at = 0; at < lanes.length; at += LANES_AT_ONCE) {
    const some = lanes.slice(at, at + LANES_AT_ONCE);
    const text = some.map(([repo, lane]) => `${JSON.stringify(repo)}:${JSON.stringify(lane)}`).join(",");
    yield at === 0 ? text : `,${text}`;
  }
  yield "}}}";
}

/** The queue itself when it is written out at once, or a stream of its text. */
export const queueAnswer = (queue: Queue): Queue | Readable =>
  Object.keys(queue.serial_gate.per_repo).length > LANES_AT_ONCE ? Readable.from(pieces(queue)) : queue;
