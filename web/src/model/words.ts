/** Times, counts and effects in words. */

import { lengthOf } from "../../../src/contract/people-text.ts";
import type { Effect } from "../state/types.ts";

/** Milliseconds since 1970; null for a time that is not known. */
export const timeOf = (iso: string | null | undefined): number | null => {
  const time = Date.parse(iso ?? "");
  return Number.isNaN(time) ? null : time;
};

/** `3 h 12 min`; below a second `0 s`. */
export const ageOf = (since: number, now: number): string => lengthOf(Math.max(0, now - since));

const EXACT = new Intl.DateTimeFormat(undefined, {
  dateStyle: "medium",
  timeStyle: "medium",
  hourCycle: "h23",
});

/** The whole time, by the reader's clock and in UTC. */
export const exact = (time: number): string =>
  `${EXACT.format(time)} (${new Date(time).toISOString().replace("T", " ").slice(0, 19)} UTC)`;

const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const DAY = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric" });

/** `14:05`, with the day where it is another one than the last shown. */
export const clock = (time: number): string => CLOCK.format(time);
export const day = (time: number): string => DAY.format(time);

const INTEGER = new Intl.NumberFormat();
export const count = (value: number): string => INTEGER.format(value);

/** `1 lane`, `2 lanes`. */
export const many = (value: number, one: string, more = `${one}s`): string =>
  `${count(value)} ${value === 1 ? one : more}`;

/** `a`, `a and b`, `a, b and c`. */
export const listed = (names: readonly string[]): string =>
  names.length < 2 ? (names[0] ?? "") : `${names.slice(0, -1).join(", ")} and ${names.at(-1) ?? ""}`;

export const taskName = (workItem: string | null, task: number | null, job?: number): string =>
  workItem ?? (task === null ? `job ${job ?? ""}` : `task ${task}`);

export const REASON_WORDS: Readonly<Record<string, string>> = {
  paused: "paused",
  finished: "its task is finished",
  freeze: "frozen",
  dependency: "waits for a dependency",
  "active-task": "behind the lane's task",
  ready: "ready",
};

const MOST_NAMED = 6;

type Verdicts = Effect["now_claimable"];

const namesOf = (verdicts: Verdicts, home: string | undefined, isCut: boolean): string => {
  const names = verdicts.map(({ work_item_id, task_id, job_id, repo }) => {
    const name = taskName(work_item_id, task_id, job_id);
    return repo === home ? name : `${name} in ${repo}`;
  });
  const more = names.length - MOST_NAMED;
  return more > 0
    ? listed([...names.slice(0, MOST_NAMED), `${isCut ? "at least " : ""}${count(more)} more`])
    : listed(names);
};

/** The effect in sentences: `ORCH-123 becomes ready.`
 *  @param tense `would` before the call, `did` after it
 *  @param home the repository that needs no mention */
export const effectSentences = (
  { now_claimable, now_held, cut = false }: Effect,
  tense: "would" | "did",
  home?: string,
): string[] => {
  const plural = (verdicts: Verdicts, one: string, more: string): string =>
    verdicts.length === 1 ? one : more;
  const ready =
    tense === "would"
      ? plural(now_claimable, "becomes ready", "become ready")
      : plural(now_claimable, "is ready now", "are ready now");
  const sentences: string[] = [];
  if (now_claimable.length > 0) sentences.push(`${namesOf(now_claimable, home, cut)} ${ready}.`);
  for (const reason of new Set(now_held.map((verdict) => verdict.reason))) {
    const verdicts = now_held.filter((verdict) => verdict.reason === reason);
    const held = plural(
      verdicts,
      tense === "would" ? "is held" : "is held now",
      tense === "would" ? "are held" : "are held now",
    );
    sentences.push(`${namesOf(verdicts, home, cut)} ${held} (${reason ?? ""}).`);
  }
  return sentences.length > 0 ? sentences : ["No waiting job is affected."];
};
