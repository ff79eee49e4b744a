/** The lane's history as a picture: a line for each task, drawn from the events. The slider walks back through time; the
 *  pointer and the arrow keys show the facts of each span. */

import { useComputed, useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { now } from "../../state/clock.ts";
import { readLane, readOlder, type LaneHistory } from "../../state/history.ts";
import { sentenceOf } from "../../state/http.ts";
import { go } from "../../state/route.ts";
import type { Lane } from "../../state/types.ts";
import { timelineOf, type Span, type TaskLine } from "../../model/timeline.ts";
import { ageOf, clock, day, exact, many, timeOf } from "../../model/words.ts";
import { Empty, Fault } from "../common/parts.tsx";

const ROW = 22;
const TOP = 22;
const LABEL = 112;
const RIGHT = 20;
const MOST_TASKS = 40;
/** A busy lane is read again once it is quiet for this long. */
const AT_MOST_EVERY_MS = 1_500;

const WINDOWS = [
  ["10 min", 600_000],
  ["1 h", 3_600_000],
  ["6 h", 21_600_000],
  ["1 d", 86_400_000],
  ["7 d", 604_800_000],
] as const;

/** The smallest window that shows half of what there is. */
const fittingWindow = (length: number): number =>
  (WINDOWS.find(([, ms]) => ms >= length * 0.9) ?? WINDOWS[WINDOWS.length - 1])?.[1] ?? 3_600_000;

/** One thing that can be looked at, with its facts. */
interface Fact {
  readonly key: string;
  readonly words: string;
}

const wordsOf = ({ from, to, facts, cut }: Span, at: number): string =>
  `${facts} · ${cut ? "before " : ""}${exact(from)} to ${to === null ? "now" : exact(to)} · ${ageOf(from, to ?? at)}`;

const TICK_STEPS = [
  60_000, 120_000, 300_000, 900_000, 3_600_000, 7_200_000, 14_400_000, 43_200_000, 86_400_000,
];

const ticksOf = (from: number, to: number): number[] => {
  const step = TICK_STEPS.find((each) => (to - from) / each <= 7) ?? 86_400_000;
  const offset = new Date(from).getTimezoneOffset() * 60_000;
  const first = Math.ceil((from - offset) / step) * step + offset;
  return Array.from({ length: Math.max(0, Math.ceil((to - first) / step)) }, (_, n) => first + n * step);
};

const overlaps = ({ from, to }: { from: number; to: number | null }, start: number, end: number): boolean =>
  from < end && (to ?? Infinity) > start;

interface Scale {
  readonly x: (time: number) => number;
  readonly start: number;
  readonly end: number;
}

const HEIGHTS: Readonly<Record<Span["kind"], readonly [y: number, height: number]>> = {
  waits: [10, 2],
  holds: [4, 14],
  job: [6.5, 9],
  paused: [4, 14],
  frozen: [0, 0],
};

const Bar = ({
  span,
  y,
  scale,
  isShown,
  onShow,
}: {
  span: Span;
  y: number;
  scale: Scale;
  isShown: boolean;
  onShow: () => void;
}): JSX.Element => {
  const left = scale.x(Math.max(span.from, scale.start));
  const right = scale.x(Math.min(span.to ?? now.value, scale.end));
  const [offset, height] = HEIGHTS[span.kind];
  return (
    <rect
      class={`span span-${span.kind} ${isShown ? "is-shown" : ""}`}
      x={left}
      y={y + offset}
      width={Math.max(right - left, 2)}
      height={height}
      rx={span.kind === "waits" ? 1 : 2.5}
      onPointerEnter={onShow}
    />
  );
};

const Picture = ({
  tasks,
  freezes,
  scale,
  width,
  repo,
}: {
  tasks: readonly TaskLine[];
  freezes: readonly Span[];
  scale: Scale;
  width: number;
  repo: string;
}): JSX.Element => {
  const shown = useSignal<string | null>(null);
  const height = TOP + tasks.length * ROW + 8;
  const seenFreezes = freezes.filter((freeze) => overlaps(freeze, scale.start, scale.end));
  const facts: Fact[] = [
    ...seenFreezes.map((freeze, n) => ({ key: `f${n}`, words: wordsOf(freeze, now.value) })),
    ...tasks.flatMap(({ name, spans, marks }, line) => [
      ...spans
        .map((span, n) => ({ span, n }))
        .filter(({ span }) => overlaps(span, scale.start, scale.end))
        .map(({ span, n }) => ({ key: `${line}.${n}`, words: `${name}: ${wordsOf(span, now.value)}` })),
      ...marks.map((mark, n) => ({
        key: `${line}m${n}`,
        words: `${name}: ${mark.facts} · ${exact(mark.at)}`,
      })),
    ]),
  ];
  const at = facts.findIndex(({ key }) => key === shown.value);
  const move = (by: number): void => {
    const next = facts[(Math.max(at, by > 0 ? -1 : 0) + by + facts.length) % facts.length];
    if (next) shown.value = next.key;
  };
  return (
    <>
      <svg
        class="timeline"
        width={width}
        height={height}
        viewBox={`0 0 ${width} ${height}`}
        tabindex={0}
        role="img"
        aria-label={`Timeline of ${repo}: ${many(tasks.length, "task")}, ${many(seenFreezes.length, "freeze")}. The arrow keys read its spans.`}
        onKeyDown={(event) => {
          if (event.key === "ArrowRight" || event.key === "ArrowDown") move(1);
          else if (event.key === "ArrowLeft" || event.key === "ArrowUp") move(-1);
          else return;
          event.preventDefault();
          event.stopPropagation();
        }}
      >
        <defs>
          <pattern
            id="hatch-paused"
            width="5"
            height="5"
            patternUnits="userSpaceOnUse"
            patternTransform="rotate(45)"
          >
            <rect width="5" height="5" class="hatch-ground" />
            <rect width="2" height="5" class="hatch-paused" />
          </pattern>
          <pattern
            id="hatch-frozen"
            width="6"
            height="6"
            patternUnits="userSpaceOnUse"
            patternTransform="rotate(-45)"
          >
            <rect width="1.5" height="6" class="hatch-frozen" />
          </pattern>
        </defs>
        {ticksOf(scale.start, scale.end).map((tick) => (
          <g key={tick} class="tick">
            <line x1={scale.x(tick)} x2={scale.x(tick)} y1={TOP - 4} y2={height} />
            <text x={scale.x(tick)} y={12}>
              {scale.end - scale.start > 172_800_000 ? day(tick) : clock(tick)}
            </text>
          </g>
        ))}
        {tasks.map(({ task_id, name, spans, marks }, line) => {
          const y = TOP + line * ROW;
          return (
            <g key={task_id}>
              <text
                class="task-label"
                x={0}
                y={y + 15}
                onClick={() => {
                  go({ task: task_id });
                }}
              >
                {name.length > 14 ? `${name.slice(0, 13)}…` : name}
              </text>
              {spans.map((span, n) =>
                overlaps(span, scale.start, scale.end) ? (
                  <Bar
                    key={n}
                    span={span}
                    y={y}
                    scale={scale}
                    isShown={shown.value === `${line}.${n}`}
                    onShow={() => (shown.value = `${line}.${n}`)}
                  />
                ) : null,
              )}
              {marks.map((mark, n) =>
                mark.at >= scale.start && mark.at <= scale.end ? (
                  <circle
                    key={`m${n}`}
                    class={`mark ${shown.value === `${line}m${n}` ? "is-shown" : ""}`}
                    cx={scale.x(mark.at)}
                    cy={y + 11}
                    r={4}
                    onPointerEnter={() => (shown.value = `${line}m${n}`)}
                  />
                ) : null,
              )}
            </g>
          );
        })}
        {seenFreezes.map((freeze, n) => {
          const left = scale.x(Math.max(freeze.from, scale.start));
          const right = scale.x(Math.min(freeze.to ?? now.value, scale.end));
          return (
            <g key={n} class={`freeze ${shown.value === `f${n}` ? "is-shown" : ""}`}>
              <rect
                class="freeze-area"
                x={left}
                y={TOP - 6}
                width={Math.max(right - left, 2)}
                height={height - TOP + 6}
              />
              <rect
                class="freeze-head"
                x={left}
                y={TOP - 8}
                width={Math.max(right - left, 3)}
                height={6}
                rx={2}
                onPointerEnter={() => (shown.value = `f${n}`)}
              />
            </g>
          );
        })}
      </svg>
      <p class="timeline-facts" role="status">
        {at < 0 ? "Point at a span, or use the arrow keys." : <bdi>{facts[at]?.words}</bdi>}
      </p>
    </>
  );
};

const LEGEND = [
  ["waits", "waits"],
  ["holds", "has the lane"],
  ["job", "a job runs"],
  ["paused", "paused"],
  ["frozen", "frozen"],
  ["mark", "overtaken"],
] as const;

/** The width of an element, as it is. */
const useWidth = () => {
  const place = useRef<HTMLDivElement>(null);
  const width = useSignal(0);
  useEffect(() => {
    const element = place.current;
    if (!element) return;
    const seen = new ResizeObserver(() => {
      width.value = element.clientWidth;
    });
    seen.observe(element);
    return () => {
      seen.disconnect();
    };
  }, []);
  return { place, width };
};

export const LaneTimeline = ({ repo, lane }: { repo: string; lane: Lane | undefined }): JSX.Element => {
  const history = useSignal<LaneHistory | null>(null);
  const fault = useSignal<string | null>(null);
  const length = useSignal<number | null>(null);
  /** Null for now; else the end of the window. */
  const end = useSignal<number | null>(null);
  const { place, width } = useWidth();
  const load = (reading: Promise<LaneHistory>): void => {
    reading.then(
      (read) => {
        fault.value = null;
        history.value = read;
      },
      (error: unknown) => (fault.value = sentenceOf(error)),
    );
  };
  // A lane that moved has new events; one that is walked back through keeps its place.
  useEffect(() => {
    if (history.peek() !== null && end.peek() !== null) return;
    const due = setTimeout(
      () => {
        load(readLane(repo));
      },
      history.peek() === null ? 0 : AT_MOST_EVERY_MS,
    );
    return () => {
      clearTimeout(due);
    };
  }, [repo, lane]);
  const first = useComputed(() => timeOf(history.value?.events[0]?.at) ?? now.value);
  const timeline = useMemo(
    () => timelineOf(history.value?.events ?? [], first.value, lane),
    [history.value, lane],
  );
  if (fault.value !== null && history.value === null) return <Fault>{fault.value}</Fault>;
  const known = history.value;
  if (known === null) return <div class="timeline-place" ref={place} />;
  const span = length.value ?? fittingWindow(now.value - first.value);
  const to = end.value ?? now.value;
  const scale: Scale = {
    start: to - span,
    end: to,
    x: (time) => LABEL + ((time - (to - span)) / span) * Math.max(width.value - LABEL - RIGHT, 50),
  };
  const { tasks, freezes } = timeline;
  const seen = tasks.filter((task) => overlaps(task, scale.start, scale.end));
  const shown = seen.slice(-MOST_TASKS);
  return (
    <div class="timeline-place" ref={place}>
      <div class="timeline-tools">
        <div class="filters" role="group" aria-label="Length of the window">
          {WINDOWS.map(([words, ms]) => (
            <button
              key={ms}
              type="button"
              class="filter"
              aria-pressed={span === ms}
              onClick={() => {
                length.value = ms;
              }}
            >
              {words}
            </button>
          ))}
        </div>
        <label class="slider">
          <span class="off-screen">Walk back through time</span>
          <input
            type="range"
            min={Math.min(first.value, now.value - 1)}
            max={now.value}
            step={1_000}
            value={to}
            aria-valuetext={end.value === null ? "now" : exact(to)}
            onInput={({ currentTarget }) => {
              const time = Number(currentTarget.value);
              end.value = now.value - time < span / 200 ? null : time;
            }}
          />
          <output>{end.value === null ? "now" : `${day(to)} ${clock(to)}`}</output>
        </label>
      </div>
      {shown.length === 0 && freezes.length === 0 ? (
        <Empty>Nothing happened in this time.</Empty>
      ) : (
        <Picture
          tasks={shown}
          freezes={freezes}
          scale={scale}
          width={Math.max(width.value, 300)}
          repo={repo}
        />
      )}
      <p class="legends">
        {LEGEND.map(([kind, words]) => (
          <span key={kind} class="legend">
            <i class={`swatch swatch-${kind}`} />
            {words}
          </span>
        ))}
        <span class="faint">
          {seen.length > shown.length && `the last ${MOST_TASKS} of ${seen.length} tasks · `}
          {known.isWhole
            ? "all events that are kept"
            : `the newest ${many(known.events.length, "event")}, since ${day(first.value)} ${clock(first.value)}`}
        </span>
        {known.hasMore && (
          <button
            type="button"
            class="button small ghost"
            onClick={() => {
              end.value ??= now.value;
              load(readOlder(repo, known));
            }}
          >
            Read older events
          </button>
        )}
      </p>
    </div>
  );
};
