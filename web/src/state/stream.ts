/** Server-Sent Events over fetch: a browser's EventSource cannot send a token. It parses the wire format; reconnecting is
 *  live.ts's. */

export interface Message {
  readonly id: string | undefined;
  readonly kind: string;
  /** Undefined for a comment, which only says that the connection is alive. */
  readonly data: string | undefined;
}

/** The most text that one message may have before the stream is given up. */
const LONGEST_MESSAGE = 4 * 1024 * 1024;

const fieldIn = (block: string, name: string): string | undefined => {
  const lines = block.split("\n").filter((line) => line.startsWith(`${name}:`));
  if (lines.length === 0) return undefined;
  return lines.map((line) => line.slice(name.length + 1).replace(/^ /, "")).join("\n");
};

const messageOf = (block: string): Message => ({
  id: fieldIn(block, "id"),
  kind: fieldIn(block, "event") ?? "message",
  data: fieldIn(block, "data"),
});

/** The messages of a response's body, comments included, until it ends.
 *  @throws Error when a message has no end */
export async function* messages(body: ReadableStream<Uint8Array>): AsyncGenerator<Message> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let text = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      text += decoder.decode(value, { stream: true }).replaceAll("\r", "");
      const blocks = text.split("\n\n");
      text = blocks.pop() ?? "";
      if (text.length > LONGEST_MESSAGE) throw new Error("A message of the event stream has no end.");
      for (const block of blocks) yield messageOf(block);
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
