/** A follower of GET /events/stream, as a browser's EventSource is one: it reads lines and remembers the last id. */

import { onTestFinished } from "vitest";
import type { HistoryEvent } from "../../src/contract/events.ts";
import type { TestService } from "./service.ts";

export interface Sent {
  readonly id: number;
  readonly event: string;
  readonly data: HistoryEvent;
}

export interface Follower {
  readonly status: number;
  readonly headers: Headers;
  /** The next event; undefined at the end of the stream. What is not whole is none. */
  next(): Promise<Sent | undefined>;
  /** The next comment; undefined at the end. Events before it are passed over. */
  comment(): Promise<string | undefined>;
  /** Hangs up. */
  cut(): void;
}

const fieldsOf = (block: string): Record<string, string> =>
  Object.fromEntries(
    block.split("\n").map((line) => {
      const [, name = "", value = ""] = /^(\w*): ?(.*)$/s.exec(line) ?? [];
      return [name, value];
    }),
  );

export const follow = async (
  url: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<Follower> => {
  const gone = new AbortController();
  const response = await fetch(url, { headers, signal: gone.signal });
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  const blocks: string[] = [];
  let rest = "";
  const nextBlock = async (): Promise<string | undefined> => {
    while (blocks.length === 0) {
      const read = await reader?.read().catch(() => undefined);
      if (!read || read.done) return undefined;
      const parts = (rest + read.value).split("\n\n");
      rest = parts.pop() ?? "";
      blocks.push(...parts);
    }
    return blocks.shift();
  };
  return {
    status: response.status,
    headers: response.headers,
    next: async () => {
      for (let block = await nextBlock(); block !== undefined; block = await nextBlock()) {
        const { id, event, data } = fieldsOf(block);
        if (id !== undefined && event !== undefined && data !== undefined)
          return { id: Number(id), event, data: JSON.parse(data) as HistoryEvent };
      }
      return undefined;
    },
    comment: async () => {
      let block = await nextBlock();
      while (block !== undefined && !block.startsWith(":")) block = await nextBlock();
      return block?.slice(1).trim();
    },
    cut: () => {
      gone.abort();
    },
  };
};

/** The same of a service's stream, cut when the test ends. */
export const followEvents = async (
  { service }: TestService,
  query = "",
  headers: Record<string, string> = {},
): Promise<Follower> => {
  const follower = await follow(`${service.url}/events/stream${query}`, headers);
  onTestFinished(() => {
    follower.cut();
  });
  return follower;
};
