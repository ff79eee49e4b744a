import { expect, it } from "vitest";
import { Batcher } from "../../../src/gate/runtime/batcher.ts";
import { LongPoll } from "../../../src/gate/runtime/long-poll.ts";
import { StoreFault } from "../../../src/store/port.ts";

const endOfTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A batcher of numbers, and the batches that it flushed. */
const batcherOf = (
  options: { readonly fails?: number; readonly fault?: unknown; readonly shares?: boolean } = {},
) => {
  const batches: number[][] = [];
  const alone: number[] = [];
  const batcher = new Batcher<number, string>({
    keyOf: () => "",
    sizeOf: () => 1,
    together: async (requests) => {
      batches.push([...requests]);
      await endOfTurn();
      if (options.fails !== undefined && requests.includes(options.fails)) throw options.fault;
      return requests.map((request) => ({ value: `batch ${request}` }));
    },
    alone: (request) => {
      alone.push(request);
      return request === options.fails
        ? Promise.reject(new Error("no"))
        : Promise.resolve(`alone ${request}`);
    },
    ...(options.shares ? { answersAlso: () => true } : {}),
  });
  return { batcher, batches, alone };
};

it("flushes the requests of one turn together, 128 at most", async () => {
  const { batcher, batches } = batcherOf();
  const answers = await Promise.all(Array.from({ length: 300 }, (_, index) => batcher.submit(index)));
  expect(answers[299]).toBe("batch 299");
  expect(batches.map(({ length }) => length)).toEqual([128, 128, 44]);
});

it("refuses the failing request alone, and answers its neighbours", async () => {
  const { batcher, alone } = batcherOf({ fails: 1, fault: new Error("whose?") });
  const settled = await Promise.allSettled([0, 1, 2].map((request) => batcher.submit(request)));
  expect(settled.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
  expect(alone).toEqual([0, 1, 2]);
});

it("refuses the whole batch, and those behind it, when the store is away", async () => {
  const { batcher, batches, alone } = batcherOf({ fails: 0, fault: new StoreFault("unavailable", "away") });
  const settled = await Promise.allSettled(Array.from({ length: 200 }, (_, index) => batcher.submit(index)));
  expect(settled.every(({ status }) => status === "rejected")).toBe(true);
  expect([batches.length, alone.length]).toEqual([1, 0]);
});

it("answers requests behind a batch with its value, but not those that came during its flush", async () => {
  const { batcher, batches } = batcherOf({ shares: true });
  const early = Array.from({ length: 200 }, (_, index) => batcher.submit(index));
  while (batches.length === 0) await endOfTurn();
  const late = batcher.submit(999);
  expect((await Promise.all(early))[199]).toBe("batch 0");
  expect(await late).toBe("batch 999");
  expect(batches.map(({ length }) => length)).toEqual([128, 1]);
});

it("asks once for a thousand idle callers when a notification brings nothing", async () => {
  const poll = new LongPoll<string>(() => () => undefined);
  let asked = 0;
  const ask = (): Promise<undefined> => {
    asked += 1;
    return Promise.resolve(undefined);
  };
  const waiting = Array.from({ length: 1_000 }, () =>
    poll.wait({ key: "", ms: 60_000, ask, takeBack: () => Promise.resolve() }),
  );
  await endOfTurn();
  asked = 0;
  poll.notify();
  await endOfTurn();
  expect(asked).toBe(1);
  poll.close();
  expect(await Promise.all(waiting)).toEqual(Array.from({ length: 1_000 }));
});

it("takes back an answer whose caller hung up while it was asked for", async () => {
  const poll = new LongPoll<string>(() => () => undefined);
  const caller = new AbortController();
  const taken: string[] = [];
  const waiting = poll.wait({
    key: "",
    ms: 60_000,
    gone: caller.signal,
    ask: async () => {
      await endOfTurn();
      return "job";
    },
    takeBack: (answer) => Promise.resolve(void taken.push(answer)),
  });
  caller.abort();
  expect(await waiting).toBeUndefined();
  expect(taken).toEqual(["job"]);
});
