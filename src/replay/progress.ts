/** Progress of a long run: a bar redrawn on a terminal, a line every two seconds elsewhere. */

const REDRAW_MS = 100;
const LINE_EVERY_MS = 2_000;
const BAR_WIDTH = 20;
const CLEAR_REST_OF_LINE = "\x1b[K";

export interface Progress {
  readonly done: number;
  readonly of: number;
  /** Shown after the count. */
  readonly text: string;
}

const bar = ({ done, of }: Progress): string => {
  const filled = Math.floor((done / of) * BAR_WIDTH);
  return `[${"█".repeat(filled)}${"·".repeat(BAR_WIDTH - filled)}]`;
};

/** Shows the progress until the returned function is called; that call shows it once more.
 *  @param read called for every update */
export const showProgress = (stream: NodeJS.WriteStream, read: () => Progress): (() => void) => {
  const draw = (): void => {
    const progress = read();
    const line = `${progress.done}/${progress.of} ${progress.text}`;
    if (!stream.isTTY) stream.write(`${line}\n`);
    // A line that wraps could not be overwritten.
    else stream.write(`\r${`${bar(progress)} ${line}`.slice(0, stream.columns - 1)}${CLEAR_REST_OF_LINE}`);
  };
  const timer = setInterval(draw, stream.isTTY ? REDRAW_MS : LINE_EVERY_MS);
  return () => {
    clearInterval(timer);
    draw();
    if (stream.isTTY) stream.write("\n");
  };
};
