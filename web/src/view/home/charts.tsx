/** The last day in three small charts, with exact values under the pointer and as a table. */

import { useComputed, useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { serviceNow } from "../../state/clock.ts";
import { log } from "../../state/log.ts";
import { lanes } from "../../state/queue.ts";
import { may } from "../../state/session.ts";
import { activityOf, REASONS, type Activity } from "../../model/activity.ts";
import { clock, count, day, many } from "../../model/words.ts";
import { lengthOf } from "../../../../src/contract/people-text.ts";
import type { Plot, Series } from "./plot.ts";

const REFRESH_MS = 15_000;

const COLOURS: Readonly<Record<string, string>> = {
  "active-task": "--k-lane",
  dependency: "--c-ready",
  freeze: "--c-frozen",
  paused: "--c-paused",
  ready: "--c-running",
};

interface ChartParts {
  readonly title: string;
  readonly look: Plot["look"];
  /** Milliseconds since 1970. */
  readonly times: readonly number[];
  readonly series: readonly Series[];
  readonly words: (value: number) => string;
}

const valuesAt = (
  series: readonly Series[],
  index: number,
  words: (value: number) => string,
): JSX.Element[] =>
  series.map(({ label, colour, values }) => (
    <span key={label} class="legend">
      <i style={{ background: `var(${colour})` }} />
      {label} <b>{words(values[index] ?? 0)}</b>
    </span>
  ));

const Table = ({ title, times, series, words }: ChartParts): JSX.Element => {
  const step = Math.max(1, Math.floor(times.length / 24));
  return (
    <details class="as-table">
      <summary>
        <span class="off-screen">{title} </span>as a table
      </summary>
      <table>
        <thead>
          <tr>
            <th scope="col">Time</th>
            {series.map(({ label }) => (
              <th key={label} scope="col">
                {label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {times.map((time, n) =>
            n % step === 0 ? (
              <tr key={time}>
                <th scope="row">
                  {day(time)} {clock(time)}
                </th>
                {series.map(({ label, values }) => (
                  <td key={label}>{words(values[n] ?? 0)}</td>
                ))}
              </tr>
            ) : null,
          )}
        </tbody>
      </table>
    </details>
  );
};

const Chart = (parts: ChartParts): JSX.Element => {
  const { title, look, times, series, words } = parts;
  const place = useRef<HTMLDivElement>(null);
  const hovered = useSignal<number | null>(null);
  useEffect(() => {
    let end: (() => void) | undefined;
    let isGone = false;
    void import("./plot.ts").then(({ draw }) => {
      if (isGone || !place.current) return;
      end = draw(place.current, {
        times: times.map((time) => time / 1_000),
        series,
        look,
        words,
        onHover: (index) => (hovered.value = index),
      });
    });
    return () => {
      isGone = true;
      end?.();
    };
  }, [times, series, look, words]);
  const at = Math.min(hovered.value ?? times.length - 1, times.length - 1);
  const time = times[at];
  return (
    <figure class="chart">
      <figcaption>
        <h3>{title}</h3>
        <span class="faint">
          {hovered.value === null || time === undefined ? "now" : `${day(time)} ${clock(time)}`}
        </span>
      </figcaption>
      <div class="plot" ref={place} aria-hidden="true" />
      <p class="legends">{valuesAt(series, at, words)}</p>
      <Table {...parts} />
    </figure>
  );
};

const age = (ms: number): string => (ms <= 0 ? "0" : lengthOf(ms));

/** The numbers, and what of the day the log covers. */
interface Shown {
  readonly activity: Activity;
  readonly note: string;
}

const read = (): Shown | null => {
  const known = log.peek();
  if (known === null) return null;
  const { from, cut, events } = known;
  return {
    activity: activityOf(known, lanes.peek(), serviceNow()),
    note: cut
      ? `Only since ${day(from)} ${clock(from)}: the day has more than the ${many(events.length, "event")} that the page reads.`
      : "From the event log.",
  };
};

export const Charts = (): JSX.Element | null => {
  const shown = useSignal<Shown | null>(null);
  const isRead = useComputed(() => log.value !== null);
  // The log and the lanes move many times a second on a busy service; the charts need not.
  useEffect(() => {
    const look = (): void => {
      shown.value = read();
    };
    look();
    const timer = setInterval(look, REFRESH_MS);
    return () => {
      clearInterval(timer);
    };
  }, [isRead.value]);
  if (!may("read")) return null;
  const { activity, note } = shown.value ?? {};
  return (
    <section class="charts-section" aria-labelledby="charts-title">
      <header class="section-head">
        <h2 id="charts-title">The last day</h2>
        <p class="section-note">{note}</p>
      </header>
      <div class="charts">
        {activity && (
          <>
            <Chart
              title="Waiting, by reason"
              look="stacked"
              times={activity.times}
              series={REASONS.map((reason) => ({
                label: reason,
                colour: COLOURS[reason] ?? "--text",
                values: activity.waits[reason],
              }))}
              words={count}
            />
            <Chart
              title="Starts and finishes an hour"
              look="bars"
              times={activity.hours}
              series={[
                { label: "started", colour: "--k-started", values: activity.starts },
                { label: "done", colour: "--c-running", values: activity.finishes },
              ]}
              words={count}
            />
            <Chart
              title="Longest wait"
              look="line"
              times={activity.times}
              series={[{ label: "waited", colour: "--c-stuck", values: activity.longest }]}
              words={age}
            />
          </>
        )}
      </div>
    </section>
  );
};
