/** The lanes of an answer without their contents, and the totals of their counters. Each answer reads it, however little
 *  changed: it comes in a few texts, because an object for each row takes three times as long. */

import type { Queue } from "../../../contract/queue.ts";
import { JOB_STATUSES } from "../../../contract/vocabulary.ts";
import { all, one, type Tx } from "../../../store/port.ts";
import { inlineInteger, raw, sql, type Statement } from "../../../store/sql.ts";
import type { Selection } from "../pages.ts";
import type { SizedLane } from "./named.ts";

export type Totals = Queue["jobs"] & { revision: number };

/** Names of lanes, in the order in which the database gives them. */
export interface LaneNames {
  readonly names: readonly string[];
  /** Their places in the order of a JSON object, without that of the lane without a name. */
  readonly inJsonOrder: readonly number[];
}

export interface LaneList extends LaneNames {
  /** Negative for a lane of which no text is kept: it shows rows of other lanes (store/triggers/mixed-lanes.ts), or has no row. */
  readonly revisions: readonly number[];
  readonly sizeOf: (index: number) => SizedLane;
  /** Triggers count the jobs by lane: counting them here would walk past every job that ever was. */
  readonly totals: Totals;
}

/** Lanes that one statement lists. */
const LANES_PAGE = 20_000;
/** Between two names. A name that has it makes one too many, and then the rows are read one by one. */
const SEPARATOR = "\u001e\u001f";
const UNKEPT = -1;

type Listed = Totals & {
  readonly lanes: number;
  readonly repos: string | null;
  readonly revisions: string | null;
  readonly sizes: string | null;
  /** The last one in the order of the database. */
  readonly last: string | null;
};

const SUMMED = ["revision", ...JOB_STATUSES] as const;

/** @param last undefined for the first page, which begins with the lane without a name */
const lanesBehind = (selected: Selection, last: string | undefined): Statement =>
  sql`SELECT l.* FROM gate_lanes l WHERE ${
    last === undefined ? sql`l.repo >= ${""}` : sql`l.repo > ${last}`
  }${selected("l")} ORDER BY l.repo LIMIT ${inlineInteger(LANES_PAGE)}`;

const listedBehind = (selected: Selection, last: string | undefined): Statement =>
  sql`SELECT COUNT(*) AS lanes, string_agg(n.repo, ${SEPARATOR}) AS repos,
    string_agg(CAST(CASE n.mixed WHEN 0 THEN n.revision ELSE ${inlineInteger(UNKEPT)} END AS TEXT), ',') AS revisions,
    string_agg(CAST(n.queued AS TEXT) || ',' || CAST(n.running AS TEXT), ',') AS sizes,
    MAX(n.repo) AS last, ${raw(SUMMED.map((each) => `COALESCE(SUM(n.${each}), 0) AS ${each}`).join(", "))}
    FROM (${lanesBehind(selected, last)}) AS n`;

function* readNames(selected: Selection, last: string | undefined): Tx<string[]> {
  return (yield* all<{ repo: string }>(lanesBehind(selected, last))).map(({ repo }) => repo);
}

/** True for a name that JSON objects have before the others, in the order of the numbers. */
const isIndex = (name: string): boolean => /^(?:0|[1-9]\d{0,9})$/.test(name) && Number(name) < 2 ** 32 - 1;

const placesOf = (names: readonly string[]): number[] => {
  const nameAt = (index: number): string => names[index] ?? "";
  const places = [...names.keys()]
    .filter((index) => nameAt(index) !== "")
    .sort((a, b) => (nameAt(a) < nameAt(b) ? -1 : 1));
  const indexes = places.filter((index) => isIndex(nameAt(index)));
  if (indexes.length === 0) return places;
  return [
    ...indexes.sort((a, b) => Number(nameAt(a)) - Number(nameAt(b))),
    ...places.filter((index) => !isIndex(nameAt(index))),
  ];
};

/** Texts of names whose lists are kept: the names seldom change, and a list of the same strings is looked up faster. */
const KEPT_LISTS = 20;
/** Longer texts are not kept. */
const KEPT_LENGTH = 4 * 1024 * 1024;

/** The lists of names that were read last, by the texts that they came in. */
export class KnownNames {
  readonly #lists = new Map<string, LaneNames>();

  get(text: string): LaneNames | undefined {
    return this.#lists.get(text);
  }

  keep(text: string, list: LaneNames): void {
    if (text.length > KEPT_LENGTH) return;
    const [oldest] = this.#lists.keys();
    if (this.#lists.size >= KEPT_LISTS && oldest !== undefined) this.#lists.delete(oldest);
    this.#lists.set(text, list);
  }
}

/** The numbers of a text with commas. Strings of their own would be garbage at once. */
const numbersIn = (text: string): number[] => {
  const numbers: number[] = [];
  const [zero, comma, minus] = [48, 44, 45];
  let number = 0;
  let sign = 1;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === comma) {
      numbers.push(sign * number);
      number = 0;
      sign = 1;
    } else if (code === minus) sign = -1;
    else number = number * 10 + code - zero;
  }
  if (text !== "") numbers.push(sign * number);
  return numbers;
};

/** Reads the lanes of an answer.
 *  @param idle names that are listed also without a row */
export function* readLaneList(selected: Selection, idle: readonly string[], known: KnownNames): Tx<LaneList> {
  const pages: (Listed & { readonly behind: string | undefined })[] = [];
  for (let last: Listed | undefined; !last || last.lanes === LANES_PAGE;) {
    const behind = last?.last ?? undefined;
    last = yield* one<Listed>(listedBehind(selected, behind));
    pages.push({ ...last, behind });
  }
  const textOf = (part: "repos" | "revisions" | "sizes"): string =>
    pages.flatMap((page) => page[part] ?? []).join(part === "repos" ? SEPARATOR : ",");
  // The numbers tell a lane without a name from none, and names with a row from those without.
  const lanes = pages.reduce((sum, page) => sum + page.lanes, 0);
  const key = [`${lanes}/${idle.length}`, textOf("repos"), ...idle].join(SEPARATOR);
  let list = known.get(key);
  if (!list) {
    const names: string[] = [];
    let isUsual = true;
    for (const { repos, lanes, behind } of pages) {
      const split = repos === null ? [] : repos.split(SEPARATOR);
      isUsual &&= split.length === lanes;
      for (const name of split.length === lanes ? split : yield* readNames(selected, behind))
        names.push(name);
    }
    const there = new Set(names);
    names.push(...idle.filter((name) => !there.has(name)));
    list = { names, inJsonOrder: placesOf(names) };
    if (isUsual) known.keep(key, list);
  }
  const revisions = numbersIn(textOf("revisions"));
  const { names } = list;
  while (revisions.length < names.length) revisions.push(UNKEPT);
  let sizes: readonly number[] | undefined;
  return {
    ...list,
    revisions,
    sizeOf: (index) => {
      sizes ??= numbersIn(textOf("sizes"));
      return { repo: names[index] ?? "", queued: sizes[2 * index] ?? 0, running: sizes[2 * index + 1] ?? 0 };
    },
    totals: Object.fromEntries(
      SUMMED.map((each) => [each, pages.reduce((sum, page) => sum + page[each], 0)]),
    ) as Totals,
  };
}
