/** The tab's title and icon tell the state, so that it is seen from another tab. */

import { effect } from "@preact/signals";
import { needs } from "../state/board.ts";
import { connection } from "../state/live.ts";
import { isLoaded, summary } from "../state/queue.ts";

type Mood = "calm" | "frozen" | "bad" | "grey";

const COLOURS: Readonly<Record<Mood, string>> = {
  calm: "#1a7f4b",
  frozen: "#2384bd",
  bad: "#d0342c",
  grey: "#8a8984",
};

const iconOf = (mood: Mood): string => {
  const gate = mood === "calm" ? "M16 5v6M16 21v6" : "M16 5v22";
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><path d="M4 16h7M21 16h7" stroke="#8a8984" stroke-width="4" stroke-linecap="round"/><path d="${gate}" stroke="${COLOURS[mood]}" stroke-width="5" stroke-linecap="round"/></svg>`;
  return `data:image/svg+xml,${encodeURIComponent(svg)}`;
};

const moodOf = (): Mood => {
  if (!isLoaded.value || connection.value === "stale") return "grey";
  if (summary.value?.degraded) return "bad";
  const all = needs.value;
  if (all.some(({ kind }) => kind === "stuck" || kind === "failed")) return "bad";
  return all.some(({ kind }) => kind === "frozen") ? "frozen" : "calm";
};

const titleOf = (): string => {
  if (!isLoaded.value) return "serial-gate";
  if (connection.value === "stale") return "stale · serial-gate";
  if (summary.value?.degraded) return "degraded · serial-gate";
  const count = (kind: string): number => needs.value.filter((need) => need.kind === kind).length;
  const parts = [
    [count("stuck") + count("failed"), "stuck"],
    [count("frozen"), "frozen"],
    [count("unclaimed") + count("paused"), "waiting"],
  ] as const;
  const told = parts.filter(([number]) => number > 0).map(([number, word]) => `${number} ${word}`);
  return told.length === 0 ? "serial-gate" : `${told.join(", ")} · serial-gate`;
};

export const startTitle = (): void => {
  effect(() => {
    document.title = titleOf();
  });
  let shown: Mood | undefined;
  effect(() => {
    const mood = moodOf();
    if (mood === shown) return;
    shown = mood;
    document.querySelector('link[rel="icon"]')?.setAttribute("href", iconOf(mood));
  });
};
