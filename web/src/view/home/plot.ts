/** uPlot with this page's colours. A module of its own, so that it is loaded after the page has been painted. */

import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";

export interface Series {
  readonly label: string;
  /** A custom property of the style sheet. */
  readonly colour: string;
  readonly values: readonly number[];
}

export interface Plot {
  /** Seconds since 1970. */
  readonly times: readonly number[];
  readonly series: readonly Series[];
  readonly look: "bars" | "stacked" | "line";
  readonly words: (value: number) => string;
  /** Called with the index under the pointer; null when it leaves. */
  readonly onHover: (index: number | null) => void;
}

const stackedOf = (series: readonly Series[]): number[][] => {
  const sums: number[][] = [];
  for (const { values } of series) {
    const below = sums.at(-1);
    sums.push(values.map((value, n) => value + (below?.[n] ?? 0)));
  }
  return sums;
};

const bars = (index: number, of: number): uPlot.Series.PathBuilder | undefined =>
  uPlot.paths.bars?.({ size: [0.7 / of, 40], align: index === 0 ? -1 : 1 });

const HOUR_MS = 3_600_000;
const TIME_STEPS = [1 / 60, 1 / 12, 0.25, 0.5, 1, 2, 4, 6, 12, 24, 48, 168, 720].map(
  (hours) => hours * HOUR_MS,
);

/** Three round lengths of time for an axis. */
const roundTimes = (_: uPlot, __: number, ___: number, most: number): number[] => {
  const step = TIME_STEPS.find((each) => most / each <= 3.5) ?? most;
  return Array.from({ length: Math.floor(most / step) + 1 }, (____, n) => n * step);
};

/** Draws, and returns how to take it away. */
export const draw = (element: HTMLElement, { times, series, look, words, onHover }: Plot): (() => void) => {
  const style = getComputedStyle(element);
  const colour = (name: string): string => style.getPropertyValue(name).trim();
  const values = look === "stacked" ? stackedOf(series) : series.map((each) => [...each.values]);
  const axis: uPlot.Axis = {
    stroke: colour("--faint"),
    font: `11px ${style.fontFamily}`,
    grid: { stroke: colour("--line"), width: 1 },
    ticks: { show: false },
  };
  // The largest sum is drawn first, so that the smaller ones lie on it.
  const order = values.map((_, n) => n);
  if (look === "stacked") order.reverse();
  const plot = new uPlot(
    {
      width: element.clientWidth,
      height: element.clientHeight,
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, points: { show: look === "line" } },
      scales: {
        y: { range: (_, __, most) => [0, Math.max(look === "line" ? HOUR_MS / 60 : 1, most * 1.1)] },
      },
      padding: [6, 4, 0, 0],
      axes: [
        { ...axis, grid: { show: false }, size: 22, space: 70, values: "{HH}:{mm}" },
        {
          ...axis,
          size: 44,
          space: 26,
          ...(look === "line" ? { splits: roundTimes } : {}),
          values: (_, splits) => splits.map((split) => (Number.isInteger(split) ? words(split) : "")),
        },
      ],
      series: [
        {},
        ...order.map((n): uPlot.Series => {
          const shown = colour(series[n]?.colour ?? "--text");
          const paths = look === "bars" ? bars(n, series.length) : uPlot.paths.stepped?.({ align: 1 });
          return {
            stroke: shown,
            width: look === "line" ? 1.5 : 1,
            ...(look === "line" ? {} : { fill: shown }),
            ...(paths ? { paths } : {}),
            points: { show: false },
          };
        }),
      ],
      hooks: {
        setCursor: [
          (self) => {
            onHover(self.cursor.idx ?? null);
          },
        ],
      },
    },
    [[...times], ...order.map((n) => values[n] ?? [])],
    element,
  );
  const sized = new ResizeObserver(() => {
    plot.setSize({ width: element.clientWidth, height: element.clientHeight });
  });
  sized.observe(element);
  return () => {
    sized.disconnect();
    plot.destroy();
  };
};
