/** The keyboard: one listener. A key that is typed into a field, or with a dialog open, is that one's. */

import { ask, asked } from "../../state/acting.ts";
import { cursor, pick, picked, rows, selected } from "../../state/board.ts";
import { go, route } from "../../state/route.ts";
import { may } from "../../state/session.ts";
import { freezeRepo, pauseTask, unfreezeRepo } from "../../model/actions.ts";
import type { LaneRow } from "../../model/lanes.ts";
import { dialog, openDialog } from "./dialogs.ts";

const isTyping = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement && target.matches("input:not([type=checkbox]), textarea, select");

/** The lane of the page, or the one that the cursor is at. */
const current = (): LaneRow | undefined => {
  const repo = route.value.repo ?? cursor.value;
  return rows.value.find((row) => row.repo === repo);
};

const move = (by: number): void => {
  const { rows: shown } = selected.value;
  const at = shown.findIndex(({ repo }) => repo === cursor.value);
  const next = shown[at < 0 ? 0 : Math.min(Math.max(at + by, 0), shown.length - 1)];
  if (next) cursor.value = next.repo;
};

const isHome = (): boolean => route.value.repo === null && route.value.task === null;

const freeze = (): void => {
  const row = current();
  if (!row) return;
  const actions = row.lane.frozen
    ? row.lane.freezes.map(({ freeze_id }) => unfreezeRepo(row.repo, freeze_id))
    : [freezeRepo(row.repo)];
  if (actions[0] && may(actions[0].right)) ask(...actions);
};

const pause = (): void => {
  const row = current();
  const task = row?.lane.active_task;
  if (row && task && may("operate")) ask(pauseTask({ ...task, repo: row.repo }));
};

/** Closes what is open last: the selection, the search, the page. */
const back = (): void => {
  if (picked.value.size > 0) picked.value = new Set();
  else if (!isHome()) go({ repo: null, task: null });
  else if (route.value.q !== "") go({ q: "" });
  else cursor.value = null;
};

const ACTIONS: Readonly<Record<string, () => void>> = {
  "/": () => {
    const search = (): void => {
      document.querySelector<HTMLInputElement>("#search")?.select();
    };
    // At once where it is there already: the next key may come in the same moment.
    if (isHome()) search();
    else {
      go({ repo: null, task: null });
      requestAnimationFrame(search);
    }
  },
  "?": () => {
    openDialog("help");
  },
  j: () => {
    move(1);
  },
  k: () => {
    move(-1);
  },
  x: () => {
    const repo = cursor.value;
    if (repo !== null) pick(repo, !picked.value.has(repo));
  },
  f: freeze,
  p: pause,
  g: () => {
    go({ repo: null, task: null });
  },
  Escape: back,
};

export const startKeys = (): void => {
  addEventListener("keydown", (event) => {
    if (asked.value !== null || dialog.value !== null) return;
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      event.preventDefault();
      openDialog("palette");
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (isTyping(event.target)) {
      if (event.key === "Escape") (event.target as HTMLElement).blur();
      return;
    }
    const isOnControl =
      event.target instanceof Element && event.target.closest("a, button, summary") !== null;
    if (event.key === "Enter" && !isOnControl && isHome() && cursor.value !== null) {
      go({ repo: cursor.value });
      return;
    }
    const action = ACTIONS[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  });
};
