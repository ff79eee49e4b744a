/** Says how far a long run is: a bar that is redrawn on a terminal, a line now and then elsewhere. */

const REDRAW_MS = 100;
const LINE_EVERY_MS = 2_000;
const BAR_WIDTH = 20;
const CLEAR_REST_OF_LINE = "\x1b[K";

/** How far it is. */
export interface Progress {
  readonly done: number;
  readonly of: number;
  /** What else is worth seeing. */
  readonly text: string;
}

const bar = ({ done, of }: Progress): string => {
  const filled = Math.floor((done / of) * BAR_WIDTH);
  return `[${"█".repeat(filled)}${"·".repeat(BAR_WIDTH - filled)}]`;
};

/** Shows the progress until the returned function is called, which shows it for the last time.
 *  @param read called whenever it is shown */
export const showProgress = (stream: NodeJS.WriteStream, read: () => Progress): (() => void) => {
  const draw = (): void => {
    const progress = read();
    const line = `${progress.done}/${progress.of} ${progress.text}`;
    if (!stream.isTTY) stream.write(`${line}\n`);
    // A line that wraps could not be drawn over.
    else stream.write(`\r${`${bar(progress)} ${line}`.slice(0, stream.columns - 1)}${CLEAR_REST_OF_LINE}`);
  };
  const timer = setInterval(draw, stream.isTTY ? REDRAW_MS : LINE_EVERY_MS);
  return () => {
    clearInterval(timer);
    draw();
    if (stream.isTTY) stream.write("\n");
  };
};
