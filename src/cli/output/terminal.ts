/** The stream that an answer is written to: a terminal with a size and colours, or a file. */

import { styleText } from "node:util";
import type { Env } from "../../config/env.ts";

export type Style = Parameters<typeof styleText>[0];

export interface Screen {
  readonly isTerminal: boolean;
  readonly columns: number;
  readonly rows: number;
  readonly paint: (style: Style | undefined, text: string) => string;
}

/** @param env NO_COLOR (no-color.org) and TERM=dumb switch colours off */
export const screenOf = (stream: NodeJS.WriteStream, env: Env): Screen => {
  const isTerminal = stream.isTTY;
  const hasColours = isTerminal && !env.NO_COLOR && env.TERM !== "dumb";
  return {
    isTerminal,
    columns: stream.columns || 80,
    rows: stream.rows || 24,
    paint: (style, text) => (hasColours && style !== undefined ? styleText(style, text) : text),
  };
};
