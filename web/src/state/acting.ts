/** Acting: a dry run first, then the call itself under a key, so that sending it again does it once. */

import { signal } from "@preact/signals";
import { bodyOf, type Action, type Answer, type Note } from "../model/actions.ts";
import { Refusal, newKey, pathOf, read, sentenceOf } from "./http.ts";
import { refreshAfter } from "./live.ts";

/** The actions that are asked about; null while the dialog is closed. */
export const asked = signal<readonly Action[] | null>(null);

export const ask = (...actions: readonly Action[]): void => {
  if (actions.length > 0) asked.value = actions;
};

export interface Outcome {
  readonly action: Action;
  readonly answer: Answer | null;
  /** The refusal in words; null for a success. */
  readonly fault: string | null;
  /** True when no answer came: it may have been done, and may be sent again. */
  readonly isOpen: boolean;
}

const EMPTY: Note = { reason: "", answer: "" };
const AT_ONCE = 4;

const inTurn = async <T>(actions: readonly Action[], each: (action: Action) => Promise<T>): Promise<T[]> => {
  const results: T[] = [];
  for (let at = 0; at < actions.length; at += AT_ONCE)
    results.push(...(await Promise.all(actions.slice(at, at + AT_ONCE).map(each))));
  return results;
};

const post = async (action: Action, note: Note, more: { dry?: boolean; key?: string }): Promise<Outcome> => {
  const path = pathOf(action.path, { ...action.query, ...(more.dry ? { dry_run: true } : {}) });
  try {
    const answer = await read<Answer>(path, {
      method: "POST",
      body: bodyOf(action, note),
      headers: more.key === undefined ? {} : { "idempotency-key": more.key },
    });
    return { action, answer, fault: null, isOpen: false };
  } catch (error) {
    const isOpen = !(error instanceof Refusal) || error.status >= 500;
    return { action, answer: null, fault: sentenceOf(error), isOpen };
  }
};

export const tryOut = (actions: readonly Action[]): Promise<Outcome[]> =>
  inTurn(actions, (action) => post(action, EMPTY, { dry: true }));

/** One key for each action of a dialog: made once, used again when an answer was lost. */
export const keysFor = (actions: readonly Action[]): ReadonlyMap<Action, string> =>
  new Map(actions.map((action) => [action, newKey()]));

/** Carries the actions out, and reads the lanes that they changed. */
export const act = async (
  actions: readonly Action[],
  note: Note,
  keys: ReadonlyMap<Action, string>,
): Promise<Outcome[]> => {
  const outcomes = await inTurn(actions, (action) => {
    const key = keys.get(action);
    return post(action, note, key === undefined ? {} : { key });
  });
  const repos = outcomes.flatMap(({ action, answer }) => [
    ...(action.repo === null ? [] : [action.repo]),
    ...(answer?.effect
      ? [...answer.effect.now_claimable, ...answer.effect.now_held].map(({ repo }) => repo)
      : []),
  ]);
  await refreshAfter([...new Set(repos)].filter((repo) => repo !== ""));
  return outcomes;
};
