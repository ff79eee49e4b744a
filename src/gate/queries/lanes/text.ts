/** The text of a lane in `GET /queue`, without its stuck tasks, and with the places of the times that change while the lane
 *  does not: a heartbeat extends a lease and moves no revision. The shape is the contract's. */

import type { Lane } from "../../../contract/queue.ts";

type Stuck = Lane["stuck"];

/** The entries of a list that are serialised in one step. */
const ENTRIES = 1_000;

/** The end of a lease in a text. */
interface LeaseTime {
  readonly job: number;
  /** In bytes. */
  readonly at: number;
  readonly length: number;
}

/** `,"acme/web":{…,"stuck":[]}`, in UTF-8. */
export interface LaneText {
  readonly bytes: Buffer;
  /** In the order of the text. */
  readonly leases: readonly LeaseTime[];
  /** The entries of its long lists. */
  readonly entries: number;
}

/** The end of the text of a lane: entries are put before it. */
const END = "]}";

/** A lane with more entries than one step serialises has its long lists last. */
const isLong = (entries: number): boolean => entries > ENTRIES;

const entriesOf = ({ waiting, paused, running, stuck }: Lane): number =>
  waiting.length + paused.length + running.length + stuck.length;

/** Members of an object, without its braces. */
const members = (value: object): string => JSON.stringify(value).slice(1, -1);

/** A list's entries, some at a time. */
function* listPieces(entries: readonly unknown[]): Generator<string> {
  for (let at = 0; at < entries.length; at += ENTRIES) {
    const some = JSON.stringify(entries.slice(at, at + ENTRIES)).slice("[".length, -"]".length);
    yield at === 0 ? some : `,${some}`;
  }
}

/** Text that grows, with the places in it. */
class Text {
  #text = "";
  #measured = { characters: 0, bytes: 0 };

  add(piece: string): void {
    this.#text += piece;
  }

  /** The byte at which the next piece begins. */
  get place(): number {
    const { characters, bytes } = this.#measured;
    const place = bytes + Buffer.byteLength(this.#text.slice(characters));
    this.#measured = { characters: this.#text.length, bytes: place };
    return place;
  }

  get bytes(): Buffer {
    return copyOf(this.#text);
  }
}

/** Memory of its own: a buffer out of Node's pool would keep the rest of its slab. */
const copyOf = (text: string): Buffer => {
  const bytes = Buffer.allocUnsafeSlow(Buffer.byteLength(text));
  bytes.write(text);
  return bytes;
};

const addRunning = (text: Text, running: Lane["running"]): LeaseTime[] => {
  const leases: LeaseTime[] = [];
  running.forEach((job, index) => {
    const { lease_expires_at, ...rest } = job;
    text.add(`${index === 0 ? "" : ","}{${members(rest)},"lease_expires_at":`);
    const at = text.place;
    const time = JSON.stringify(lease_expires_at);
    text.add(`${time}}`);
    leases.push({ job: job.job_id, at, length: Buffer.byteLength(time) });
  });
  return leases;
};

/** Writes a lane, with the stuck tasks that it has. */
export const textOf = (repo: string, lane: Lane): LaneText => {
  const text = new Text();
  const entries = entriesOf(lane);
  text.add(`,${JSON.stringify(repo)}:{`);
  const { waiting, paused, running, stuck, ...rest } = lane;
  let leases: LeaseTime[];
  if (isLong(entries)) {
    text.add(members(rest));
    for (const [name, list] of Object.entries({ waiting, paused })) {
      text.add(`,"${name}":[`);
      for (const piece of listPieces(list)) text.add(piece);
      text.add("]");
    }
    text.add(',"running":[');
    leases = addRunning(text, running);
    text.add("]");
  } else {
    const { active_task, ...others } = rest;
    text.add(`${members({ active_task })},"running":[`);
    leases = addRunning(text, running);
    text.add(`],${members({ waiting, paused, ...others })}`);
  }
  text.add(`,"stuck":${JSON.stringify(stuck)}}`);
  return { bytes: text.bytes, leases, entries };
};

/** Puts other ends of leases into a text. */
const withLeases = ({ bytes, leases }: LaneText, endOf: (job: number) => string | null): Buffer[] => {
  const pieces: Buffer[] = [];
  let from = 0;
  for (const { job, at, length } of leases) {
    const time = Buffer.from(JSON.stringify(endOf(job)));
    if (time.equals(bytes.subarray(at, at + length))) continue;
    pieces.push(bytes.subarray(from, at), time);
    from = at + length;
  }
  pieces.push(bytes.subarray(from));
  return pieces;
};

/** The pieces of a lane's text as of now, from one that has no stuck tasks.
 *  @param endOf the end of a running job's lease, as JSON has it */
export const piecesOf = (
  text: LaneText,
  stuck: Stuck,
  endOf: (job: number) => string | null,
): readonly (Buffer | string)[] => {
  const pieces = text.leases.length === 0 ? [text.bytes] : withLeases(text, endOf);
  if (stuck.length === 0) return pieces;
  if (isLong(text.entries + stuck.length) !== isLong(text.entries)) {
    const whole = Buffer.concat(pieces).toString().slice(1);
    const [[repo, lane] = []] = Object.entries(JSON.parse(`{${whole}}`) as Record<string, Lane>);
    return repo === undefined || !lane ? pieces : [textOf(repo, { ...lane, stuck }).bytes];
  }
  const last = pieces.at(-1);
  return last === undefined
    ? pieces
    : [...pieces.slice(0, -1), last.subarray(0, last.length - END.length), ...listPieces(stuck), END];
};
