/** Shows an answer again whenever it changes: redrawn in place on a terminal, one after the other elsewhere. */

import { type Client, isUnanswered } from "../client/client.ts";
import type { CliContext } from "./context.ts";
import { stopSignal } from "./interrupt.ts";
import { print, say, type Answer, type Format } from "./output/format.ts";
import { screenOf } from "./output/terminal.ts";
import { cut } from "./output/text.ts";
import { LOG_REPLACED, updates } from "./updates.ts";

interface View<Item> extends Answer<Item> {
  /** Lines for a person, which are no data. */
  readonly words: readonly string[];
}

/** The terminal's alternate screen without a cursor; leaving it brings back the screen before. */
const ENTER = "\u001b[?1049h\u001b[?25l";
const LEAVE = "\u001b[?25h\u001b[?1049l";
const HOME = "\u001b[H";
const REST_OF_LINE = "\u001b[K";
const REST_OF_SCREEN = "\u001b[J";

/** Lines over those drawn before, cut to the terminal's size. */
const frame = (lines: readonly string[], columns: number, rows: number): string => {
  const room = rows - 1;
  const shown =
    lines.length <= room ? lines : [...lines.slice(0, room - 1), `… ${lines.length - room + 1} more lines`];
  return `${HOME}${shown.map((line) => `${cut(line, columns)}${REST_OF_LINE}\n`).join("")}${REST_OF_SCREEN}`;
};

const onTerminal = async <Item>(
  { stdout, env }: CliContext,
  views: AsyncIterable<View<Item> | string>,
  wide: boolean,
): Promise<void> => {
  let last: View<Item> | undefined;
  let trouble = "";
  const draw = (): void => {
    const screen = screenOf(stdout, env);
    const lines = [
      ...(last?.lines(screen, wide) ?? []),
      ...(last?.words ?? []),
      "",
      screen.paint("dim", trouble === "" ? "Ctrl-C to stop" : trouble),
    ];
    stdout.write(frame(lines, screen.columns, screen.rows));
  };
  stdout.write(ENTER);
  stdout.on("resize", draw);
  try {
    for await (const view of views) {
      if (typeof view === "string") trouble = view;
      else [last, trouble] = [view, ""];
      draw();
    }
  } finally {
    stdout.off("resize", draw);
    stdout.write(LEAVE);
  }
};

const elsewhere = async <Item>(
  context: CliContext,
  views: AsyncIterable<View<Item> | string>,
  format: Format,
): Promise<void> => {
  let before = "";
  for await (const view of views) {
    if (typeof view === "string") {
      say(context, view);
      continue;
    }
    const now = JSON.stringify(view.items);
    if (now === before) continue;
    before = now;
    await print(context, format, view);
    say(context, ...view.words);
  }
};

interface WatchOptions<Item> {
  readonly client: Client;
  readonly format: Format;
  /** The one repository that is watched; undefined for several. */
  readonly repo: string | undefined;
  readonly read: (signal: AbortSignal) => Promise<View<Item>>;
}

/** Runs until somebody stops it. A failure of the first read ends it; later it waits for the service to answer again.
 *  @throws ExitError when it is stopped */
export const watch = async <Item>(
  context: CliContext,
  { client, format, repo, read }: WatchOptions<Item>,
): Promise<void> => {
  const signal = stopSignal(context);
  const first = await read(signal);
  async function* views(): AsyncGenerator<View<Item> | string> {
    yield first;
    for await (const update of updates(client, repo, signal)) {
      if (update === "reset") {
        yield LOG_REPLACED;
        continue;
      }
      try {
        yield await read(signal);
      } catch (error) {
        if (!isUnanswered(error)) throw error;
        yield "The service does not answer; trying again.";
      }
    }
  }
  const isDrawn = context.stdout.isTTY && (format === "table" || format === "wide");
  await (isDrawn ? onTerminal(context, views(), format === "wide") : elsewhere(context, views(), format));
};
