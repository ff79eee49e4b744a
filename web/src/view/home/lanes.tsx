/** Every lane: search, filters, order, and a list of which only what is in sight is in the document. */

import { useComputed, useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { ask } from "../../state/acting.ts";
import { counts, cursor, picked, selected } from "../../state/board.ts";
import { lanes } from "../../state/queue.ts";
import { SHOWS, go, route, type Show, type Sort } from "../../state/route.ts";
import { may } from "../../state/session.ts";
import { freezeRepo, pauseLane, resumeLane, unfreezeRepo, type Action } from "../../model/actions.ts";
import { count, many } from "../../model/words.ts";
import { Icon } from "../common/icon.tsx";
import { Empty } from "../common/parts.tsx";
import { LaneItem, hasBar } from "./lane-row.tsx";

const SHOW_WORDS: Readonly<Record<Show, string>> = {
  all: "All",
  stuck: "Stuck",
  frozen: "Frozen",
  waiting: "Waiting",
  running: "Running",
  paused: "Paused",
};

const SORT_WORDS: Readonly<Record<Sort, string>> = {
  trouble: "Troubled first",
  wait: "Longest wait",
  queue: "Most waiting",
  name: "Name",
};

/** Pixels: [a row, its bar]. The same as in lanes.css. */
const WIDE = [52, 28] as const;
const NARROW = [118, 46] as const;

const narrow = matchMedia("(max-width: 760px)");

const Tools = (): JSX.Element => {
  const { q, show, sort } = route.value;
  return (
    <div class="lane-tools">
      <label class="search">
        <Icon name="search" />
        <input
          id="search"
          type="search"
          placeholder="Search repositories, work items, workers"
          aria-label="Search lanes"
          value={q}
          maxLength={200}
          spellcheck={false}
          autocomplete="off"
          onInput={({ currentTarget }) => {
            go({ q: currentTarget.value }, "replace");
          }}
        />
        <kbd>/</kbd>
      </label>
      <div class="filters" role="group" aria-label="Show">
        {SHOWS.map((each) => (
          <button
            key={each}
            type="button"
            class="filter"
            aria-pressed={show === each}
            onClick={() => {
              go({ show: each });
            }}
          >
            {SHOW_WORDS[each]} <span class="filter-count">{count(counts.value[each])}</span>
          </button>
        ))}
      </div>
      <label class="sort">
        <span class="off-screen">Order</span>
        <select
          value={sort}
          onChange={({ currentTarget }) => {
            go({ sort: currentTarget.value as Sort });
          }}
        >
          {Object.entries(SORT_WORDS).map(([value, words]) => (
            <option key={value} value={value}>
              {words}
            </option>
          ))}
        </select>
      </label>
    </div>
  );
};

/** The rows' places, and which of them are in sight. */
const useWindow = () => {
  const list = useRef<HTMLOListElement>(null);
  const isNarrow = useSignal(narrow.matches);
  const sight = useSignal<readonly [from: number, to: number]>([0, 1_200]);
  const tops = useComputed(() => {
    const [row, bar] = isNarrow.value ? NARROW : WIDE;
    const { rows } = selected.value;
    const places = new Float64Array(rows.length + 1);
    rows.forEach((each, index) => {
      places[index + 1] = (places[index] ?? 0) + row + (hasBar(each) ? bar : 0);
    });
    return places;
  });
  useEffect(() => {
    let frame = 0;
    const look = (): void => {
      frame = 0;
      const element = list.current;
      if (!element) return;
      const from = -element.getBoundingClientRect().top;
      // In steps, so that a row is rendered once and not at each pixel.
      const step = 200;
      const start = Math.floor((from - 400) / step) * step;
      const next = [start, start + innerHeight + 1_000] as const;
      if (next[0] !== sight.peek()[0] || next[1] !== sight.peek()[1]) sight.value = next;
    };
    const later = (): void => {
      frame ||= requestAnimationFrame(look);
    };
    const turn = (): void => {
      isNarrow.value = narrow.matches;
      later();
    };
    look();
    addEventListener("scroll", later, { passive: true });
    addEventListener("resize", later);
    narrow.addEventListener("change", turn);
    const grown = new ResizeObserver(later);
    grown.observe(document.body);
    return () => {
      removeEventListener("scroll", later);
      removeEventListener("resize", later);
      narrow.removeEventListener("change", turn);
      grown.disconnect();
      cancelAnimationFrame(frame);
    };
  }, []);
  return { list, sight, tops };
};

/** The first row that ends behind a place. */
const firstBehind = (tops: Float64Array, place: number): number => {
  let low = 0;
  let high = tops.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((tops[middle + 1] ?? Infinity) > place) high = middle;
    else low = middle + 1;
  }
  return low;
};

const List = (): JSX.Element => {
  const { list, sight, tops } = useWindow();
  const { rows } = selected.value;
  const places = tops.value;
  const [from, to] = sight.value;
  const first = firstBehind(places, from);
  const last = Math.min(rows.length, firstBehind(places, to) + 1);
  // Brings the row of the cursor into sight, wherever it is.
  useLayoutEffect(() => {
    const index = rows.findIndex(({ repo }) => repo === cursor.value);
    const element = list.current;
    if (index < 0 || !element) return;
    const top = element.getBoundingClientRect().top + (places[index] ?? 0);
    const bottom = element.getBoundingClientRect().top + (places[index + 1] ?? 0);
    const margin = 120;
    if (top < margin) scrollBy(0, top - margin);
    else if (bottom > innerHeight - margin) scrollBy(0, bottom - innerHeight + margin);
  }, [cursor.value]);
  return (
    <ol ref={list} class="lanes" style={{ height: `${places[rows.length] ?? 0}px` }}>
      {rows.slice(first, last).map((row, n) => (
        <LaneItem
          key={row.repo}
          row={row}
          index={first + n}
          of={rows.length}
          top={places[first + n] ?? 0}
          height={(places[first + n + 1] ?? 0) - (places[first + n] ?? 0)}
        />
      ))}
    </ol>
  );
};

const MOST_AT_ONCE = 50;

/** The actions on every selected lane. */
const PickedBar = (): JSX.Element | null => {
  const repos = [...picked.value].filter((repo) => lanes.value.has(repo));
  if (repos.length === 0) return null;
  const some = repos.slice(0, MOST_AT_ONCE);
  const button = (label: string, actions: readonly Action[], isAllowed: boolean): JSX.Element | null =>
    isAllowed && actions.length > 0 ? (
      <button
        type="button"
        class="button"
        onClick={() => {
          ask(...actions);
        }}
      >
        {label}
      </button>
    ) : null;
  const freezes = some.flatMap((repo) =>
    (lanes.value.get(repo)?.freezes ?? []).map(({ freeze_id }) => unfreezeRepo(repo, freeze_id)),
  );
  return (
    <div class="picked-bar" role="region" aria-label="Selected lanes">
      <strong>{many(repos.length, "lane")} selected</strong>
      {repos.length > MOST_AT_ONCE && <span class="faint">the first {MOST_AT_ONCE} are acted on</span>}
      {button("Pause all tasks…", some.map(pauseLane), may("operate"))}
      {button("Resume all tasks…", some.map(resumeLane), may("operate"))}
      {button("Freeze…", some.map(freezeRepo), may("produce"))}
      {button("Unfreeze…", freezes.slice(0, MOST_AT_ONCE), may("operate"))}
      {!may("produce") && <span class="faint">This token may only look.</span>}
      <button type="button" class="button ghost" onClick={() => (picked.value = new Set())}>
        Clear
      </button>
    </div>
  );
};

const nothing = (): string => {
  const { q, show } = route.value;
  if (q !== "") return `Nothing matches “${q}”.`;
  if (show !== "all") return `No lane is ${SHOW_WORDS[show].toLowerCase()}.`;
  return "No lane has work. A lane appears with its first task: POST /tasks, or serial-gate task add.";
};

export const Lanes = (): JSX.Element => {
  const { rows, folded } = selected.value;
  return (
    <section class="lanes-section" aria-labelledby="lanes-title">
      <header class="section-head">
        <h2 id="lanes-title">Lanes</h2>
        <p class="section-note">{many(rows.length, "lane")}</p>
      </header>
      <Tools />
      <div class="lane-head" aria-hidden="true">
        <span />
        <span>Repository</span>
        <span>State</span>
        <span>Has the lane</span>
        <span>Waiting, in order, and paused</span>
        <span>Longest wait</span>
      </div>
      {rows.length === 0 ? <Empty>{nothing()}</Empty> : <List />}
      {(folded > 0 || route.value.idle) && (
        <button
          type="button"
          class="button ghost fold"
          aria-expanded={route.value.idle}
          onClick={() => {
            go({ idle: !route.value.idle });
          }}
        >
          {route.value.idle ? "Fold idle lanes" : `${many(folded, "idle lane")} …`}
        </button>
      )}
      <PickedBar />
    </section>
  );
};
