/** The address as state: filters, the lane and the task that are shown. A link that is sent shows the same. */

import { signal } from "@preact/signals";

export const SHOWS = ["all", "stuck", "frozen", "waiting", "running", "paused"] as const;
export type Show = (typeof SHOWS)[number];

export const SORTS = ["trouble", "wait", "queue", "name"] as const;
export type Sort = (typeof SORTS)[number];

export interface Route {
  readonly q: string;
  readonly show: Show;
  readonly sort: Sort;
  readonly idle: boolean;
  /** The lane that is shown. */
  readonly repo: string | null;
  /** The task that is shown. */
  readonly task: number | null;
}

const among = <T extends string>(values: readonly [T, ...T[]], text: string | null): T =>
  values.find((value) => value === text) ?? values[0];

const parse = (search: string): Route => {
  const query = new URLSearchParams(search);
  const task = query.get("task");
  return {
    q: query.get("q") ?? "",
    show: among(SHOWS, query.get("show")),
    sort: among(SORTS, query.get("sort")),
    idle: query.has("idle"),
    repo: query.get("repo"),
    task: task !== null && /^[1-9]\d{0,15}$/.test(task) ? Number(task) : null,
  };
};

/** The address of a route, without what is as by default. */
export const hrefOf = (route: Partial<Route>): string => {
  const pairs: string[][] = [];
  if (route.q) pairs.push(["q", route.q]);
  if (route.show && route.show !== SHOWS[0]) pairs.push(["show", route.show]);
  if (route.sort && route.sort !== SORTS[0]) pairs.push(["sort", route.sort]);
  if (route.idle) pairs.push(["idle", "1"]);
  if (route.repo !== undefined && route.repo !== null) pairs.push(["repo", route.repo]);
  if (route.task !== undefined && route.task !== null) pairs.push(["task", String(route.task)]);
  return pairs.length === 0 ? "/" : `/?${new URLSearchParams(pairs).toString()}`;
};

export const route = signal<Route>(parse(location.search));

/** Moves the address. A replaced entry is for what is typed: going back does not repeat letters. */
export const go = (change: Partial<Route>, how: "push" | "replace" = "push"): void => {
  const next = { ...route.value, ...change };
  if (hrefOf(next) === hrefOf(route.value)) return;
  if (how === "push") history.pushState(null, "", hrefOf(next));
  else history.replaceState(null, "", hrefOf(next));
  route.value = next;
};

export const startRoute = (): void => {
  addEventListener("popstate", () => {
    route.value = parse(location.search);
  });
  // Links of the page move the address without loading it again; with a modifier the browser opens them as usual.
  document.addEventListener("click", (event) => {
    if (event.defaultPrevented || event.button !== 0) return;
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = event.target instanceof Element ? event.target.closest("a") : null;
    if (link?.target !== "" || link.origin !== location.origin || link.pathname !== "/") return;
    event.preventDefault();
    history.pushState(null, "", link.href);
    route.value = parse(link.search);
    scrollTo(0, 0);
  });
};
