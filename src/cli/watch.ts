/** Shows an answer again and again: on a terminal in its place, elsewhere one after the other as it changes. */

import { type Client, isUnanswered } from "../client/client.ts";
import { updates } from "./updates.ts";
import { stopping } from "./interrupt.ts";
import { print, say, type Answer, type Format } from "./output/format.ts";
import type { CliContext } from "./context.ts";
import { cut, screenOf } from "./output/terminal.ts";

interface Look<Item> extends Answer<Item> {
  /** What is no data. */
  readonly words: readonly string[];
}

/** The other screen of a terminal, without a cursor; what was there before comes back at the end. */
const ENTER = "\u001b[?1049h\u001b[?25l";
const LEAVE = "\u001b[?25h\u001b[?1049l";
const HOME = "\u001b[H";
const REST_OF_LINE = "\u001b[K";
const REST_OF_SCREEN = "\u001b[J";

/** Lines in the place of those before, no more and no longer than the terminal is. */
const frame = (lines: readonly string[], columns: number, rows: number): string => {
  const room = rows - 1;
  const shown =
    lines.length <= room ? lines : [...lines.slice(0, room - 1), `… ${lines.length - room + 1} more lines`];
  return `${HOME}${shown.map((line) => `${cut(line, columns)}${REST_OF_LINE}\n`).join("")}${REST_OF_SCREEN}`;
};

const onTerminal = async <Item>(
  around: CliContext,
  looks: AsyncIterable<Look<Item> | string>,
  wide: boolean,
): Promise<void> => {
  const { stdout, env } = around;
  let last: Look<Item> | undefined;
  let trouble = "";
  const draw = (): void => {
    const screen = screenOf(stdout, env);
    const lines = [
      ...(last?.lines(screen, wide) ?? []),
      ...(last?.words ?? []),
      "",
      screen.paint("dim", trouble === "" ? "ctrl-C ends" : trouble),
    ];
    stdout.write(frame(lines, screen.columns, screen.rows));
  };
  stdout.write(ENTER);
  stdout.on("resize", draw);
  try {
    for await (const look of looks) {
      if (typeof look === "string") trouble = look;
      else [last, trouble] = [look, ""];
      draw();
    }
  } finally {
    stdout.off("resize", draw);
    stdout.write(LEAVE);
  }
};

const elsewhere = async <Item>(
  around: CliContext,
  looks: AsyncIterable<Look<Item> | string>,
  format: Format,
): Promise<void> => {
  let before = "";
  for await (const look of looks) {
    if (typeof look === "string") {
      say(around, look);
      continue;
    }
    const now = JSON.stringify(look.items);
    if (now === before) continue;
    before = now;
    await print(around, format, look);
    say(around, ...look.words);
  }
};

/** @param look its first failure ends the watch; while the service is away later, the watch waits for it
 *  @throws Ending when somebody stops it */
export const watch = async <Item>(
  around: CliContext,
  client: Client,
  format: Format,
  look: (signal: AbortSignal) => Promise<Look<Item>>,
): Promise<void> => {
  const signal = stopping(around);
  const first = await look(signal);
  async function* looks(): AsyncGenerator<Look<Item> | string> {
    yield first;
    for await (const _ of updates(client, signal)) {
      try {
        yield await look(signal);
      } catch (error) {
        if (!isUnanswered(error)) throw error;
        yield "The service does not answer; trying again.";
      }
    }
  }
  const isDrawn = around.stdout.isTTY && (format === "table" || format === "wide");
  await (isDrawn ? onTerminal(around, looks(), format === "wide") : elsewhere(around, looks(), format));
};
