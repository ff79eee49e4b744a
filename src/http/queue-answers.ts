/** Answers of `GET /queue` that callers share. Callers who may know the same repositories and ask for the same ones get one
 *  computation and one text, which is kept while the queue is unchanged. A caller never gets a state that is older than its
 *  call: it shares a computation that is under way only if the queue has not changed since that one's begin, else the next.
 *  All texts together, kept or still being read, stay below a limit: then kept ones go first, and then the callers that
 *  read the oldest. */

import { Readable } from "node:stream";
import type { Reach } from "../contract/names/repo-pattern.ts";
import type { Gate } from "../gate/gate.ts";
import { overloaded } from "./limits/answer-memory.ts";
import { queueChunks } from "./queue-text.ts";

/** A kept text is given for this many milliseconds: leases are extended without a change of the queue. */
const KEEP_MS = 5_000;
/** After a computation of a changing queue, this many times its length pass before the next, so that dashboards take no
 *  more than a part of the process. */
const REST = { times: 2, atMostMs: 2_000, afterMs: 20 };
/** Questions whose answers are kept at once: sets of repositories. */
const MOST_QUESTIONS = 200;

type Source = Pick<Gate, "queueTexts" | "queueState" | "queueTag">;

interface Question {
  readonly repos: readonly string[] | undefined;
  readonly reach: Reach;
}

/** The text of an answer. */
export interface QueueText {
  readonly chunks: readonly Buffer[];
  readonly bytes: number;
  /** Identifies the state for those who may know all of it. */
  readonly tag: string | undefined;
}

interface Kept extends QueueText {
  readonly state: string | undefined;
  readonly madeAt: number;
}

/** A computation, and how many wait for it. */
interface Work {
  /** The state at its begin; undefined before that, and where it cannot be told. */
  state: string | undefined;
  hasBegun: boolean;
  wanted: number;
  readonly stop: AbortController;
  readonly text: Promise<Kept>;
}

/** The computations for one question. */
interface Line {
  kept?: Kept | undefined;
  running?: Work | undefined;
  next?: Work | undefined;
  /** No computation begins before. */
  restUntil: number;
}

const sleep = (ms: number): Promise<void> => new Promise((wake) => setTimeout(wake, ms));

export class QueueAnswers {
  readonly #source: Source;
  readonly #most: number;
  readonly #lines = new Map<string, Line>();
  /** The callers that read each text. Kept texts are in it too, the oldest first. */
  readonly #texts = new Map<QueueText, Set<Readable>>();
  #bytes = 0;

  /** @param most bytes of all texts */
  constructor(source: Source, most: number) {
    this.#source = source;
    this.#most = most;
  }

  /** @throws what computing the queue throws; StoreFault abandoned once the caller is gone */
  async ask(question: Question, gone: AbortSignal): Promise<QueueText> {
    const state = await this.#source.queueState();
    const line = this.#lineOf(question);
    const { kept, running } = line;
    if (kept?.state !== undefined && kept.state === state && performance.now() - kept.madeAt < KEEP_MS)
      return kept;
    if (!running) return this.#join((line.running = this.#start(line, question)), gone);
    const isCurrent = !running.hasBegun || (state !== undefined && running.state === state);
    if (isCurrent && !running.stop.signal.aborted) return this.#join(running, gone);
    if (line.next?.stop.signal.aborted) line.next = undefined;
    return this.#join((line.next ??= this.#start(line, question, running)), gone);
  }

  /** The text for one caller, a chunk at a time as the caller takes it. */
  read(text: QueueText): Readable {
    let next = 0;
    const reader = new Readable({
      highWaterMark: 0,
      read() {
        this.push(text.chunks[next++] ?? null);
      },
    });
    const readers = this.#texts.get(text) ?? this.#add(text);
    readers.add(reader);
    reader.once("close", () => {
      readers.delete(reader);
      this.#forgetUnused(text);
    });
    return reader;
  }

  #lineOf({ repos, reach }: Question): Line {
    const key = JSON.stringify([repos, reach]);
    const line = this.#lines.get(key) ?? { restUntil: 0 };
    // The latest question is the last to be forgotten.
    this.#lines.delete(key);
    this.#lines.set(key, line);
    if (this.#lines.size > MOST_QUESTIONS)
      for (const [other, { kept, running }] of this.#lines) {
        if (this.#lines.size <= MOST_QUESTIONS) break;
        if (running || other === key) continue;
        this.#lines.delete(other);
        if (kept) this.#forgetUnused(kept);
      }
    return line;
  }

  async #join(work: Work, gone: AbortSignal): Promise<QueueText> {
    work.wanted += 1;
    const leave = (): void => {
      work.wanted -= 1;
      if (work.wanted === 0) work.stop.abort();
    };
    gone.addEventListener("abort", leave, { once: true });
    try {
      if (gone.aborted) leave();
      return await work.text;
    } finally {
      gone.removeEventListener("abort", leave);
    }
  }

  /** @param after the computation that must end before */
  #start(line: Line, question: Question, after?: Work): Work {
    const stop = new AbortController();
    const run = async (): Promise<Kept> => {
      await after?.text.catch(() => undefined);
      if (line.next === work) {
        line.running = work;
        line.next = undefined;
      }
      try {
        const rest = line.restUntil - performance.now();
        if (rest > 0) await sleep(rest);
        return await this.#compute(line, question, work);
      } finally {
        if (line.running === work) line.running = line.next;
      }
    };
    const work: Work = {
      state: undefined,
      hasBegun: false,
      wanted: 0,
      stop,
      // Begins in a later turn, once `work` is there.
      text: Promise.resolve().then(run),
    };
    work.text.catch(() => undefined);
    return work;
  }

  async #compute(line: Line, { repos, reach }: Question, work: Work): Promise<Kept> {
    const began = performance.now();
    work.state = await this.#source.queueState();
    const tag = await this.#source.queueTag(repos, reach);
    work.hasBegun = true;
    const queue = await this.#source.queueTexts(repos, reach, work.stop.signal);
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of queueChunks(queue)) {
      bytes += chunk.length;
      if (bytes > this.#most) throw overloaded();
      chunks.push(chunk);
    }
    const now = performance.now();
    const took = now - began;
    if (took > REST.afterMs) line.restUntil = now + Math.min(took * REST.times, REST.atMostMs);
    const text: Kept = { chunks, bytes, tag, state: work.state, madeAt: now };
    const before = line.kept;
    line.kept = work.state === undefined ? undefined : text;
    if (before) this.#forgetUnused(before);
    if (line.kept) this.#add(text);
    return text;
  }

  #add(text: QueueText): Set<Readable> {
    const readers = new Set<Readable>();
    this.#texts.set(text, readers);
    this.#bytes += text.bytes;
    this.#makeRoom(text);
    return readers;
  }

  /** Keeps the texts below the limit. */
  #makeRoom(newest: QueueText): void {
    for (const line of this.#lines.values()) {
      if (this.#bytes <= this.#most) return;
      const { kept } = line;
      if (!kept || kept === newest) continue;
      line.kept = undefined;
      this.#forgetUnused(kept);
    }
    for (const [text, readers] of this.#texts) {
      if (this.#bytes <= this.#most) return;
      if (text === newest) continue;
      for (const reader of readers) reader.destroy();
      this.#texts.delete(text);
      this.#bytes -= text.bytes;
    }
  }

  #forgetUnused(text: QueueText): void {
    if (this.#texts.get(text)?.size !== 0) return;
    for (const { kept } of this.#lines.values()) if (kept === text) return;
    this.#texts.delete(text);
    this.#bytes -= text.bytes;
  }
}
