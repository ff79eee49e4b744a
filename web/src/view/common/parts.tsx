/** Small parts that every page uses: names, times, states, buttons of actions, and copying. */

import { useSignal } from "@preact/signals";
import type { ComponentChildren, JSX } from "preact";
import { ask } from "../../state/acting.ts";
import { now } from "../../state/clock.ts";
import { hrefOf } from "../../state/route.ts";
import { may } from "../../state/session.ts";
import type { Action } from "../../model/actions.ts";
import { ageOf, exact } from "../../model/words.ts";
import { Icon, type IconName } from "./icon.tsx";

/** Text that somebody else wrote, kept to itself: its direction does not turn what stands beside it. */
export const Text = ({ children, class: name = "" }: { children: string; class?: string }): JSX.Element => (
  <bdi class={name}>{children}</bdi>
);

/** A repository, its owner quieter than its name. */
export const Repo = ({ name }: { name: string }): JSX.Element => {
  const at = name.lastIndexOf("/") + 1;
  return (
    <bdi class="repo" title={name}>
      {at > 0 && <span class="repo-owner">{name.slice(0, at)}</span>}
      <span class="repo-name">{name.slice(at)}</span>
    </bdi>
  );
};

export const RepoLink = ({ name }: { name: string }): JSX.Element => (
  <a class="quiet" href={hrefOf({ repo: name })}>
    <Repo name={name} />
  </a>
);

export const TaskLink = ({
  id,
  name,
  class: more = "",
}: {
  id: number;
  name: string;
  class?: string;
}): JSX.Element => (
  <a class={`work-item ${more}`} href={hrefOf({ task: id })} title={name}>
    <bdi>{name}</bdi>
  </a>
);

/** How long ago, with the exact time on hover. */
export const Age = ({ since, suffix = "" }: { since: number | null; suffix?: string }): JSX.Element => {
  if (since === null) return <span class="faint">–</span>;
  return (
    <time dateTime={new Date(since).toISOString()} title={exact(since)}>
      {ageOf(since, now.value)}
      {suffix}
    </time>
  );
};

const STATE_ICONS: Readonly<Record<string, IconName>> = {
  stuck: "stuck",
  failed: "stuck",
  frozen: "freeze",
  running: "running",
  ready: "ready",
  unclaimed: "ready",
  waiting: "waiting",
  paused: "pause",
  idle: "idle",
};

/** A state as a mark and a word; colour alone says nothing. */
export const State = ({ state, children }: { state: string; children?: ComponentChildren }): JSX.Element => (
  <span class={`state state-${state}`}>
    <Icon name={STATE_ICONS[state] ?? "idle"} />
    <span>{children ?? state}</span>
  </span>
);

/** The button of an action that the caller may do; nothing otherwise. */
export const ActionButton = ({
  action,
  primary = false,
  label,
}: {
  action: Action;
  primary?: boolean;
  label?: string;
}): JSX.Element | null =>
  may(action.right) ? (
    <button
      type="button"
      class={`button ${primary ? "primary" : ""}`}
      title={action.title}
      onClick={() => {
        ask(action);
      }}
    >
      <bdi>{label ?? action.label}</bdi>
    </button>
  ) : null;

/** Copies, also on a page without TLS, where there is no clipboard API. */
const copy = async (text: string, near: Element | null): Promise<void> => {
  if (isSecureContext) {
    await navigator.clipboard.writeText(text);
    return;
  }
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "off-screen";
  // Inside of an open dialog: everything outside of it is inert.
  (near?.closest("dialog") ?? document.body).append(area);
  area.select();
  // eslint-disable-next-line @typescript-eslint/no-deprecated -- the only way without TLS
  const isDone = document.execCommand("copy");
  area.remove();
  if (!isDone) throw new Error("The browser did not copy.");
};

const SHOWN_MS = 1_600;

export const CopyButton = ({ text, label }: { text: () => string; label: string }): JSX.Element => {
  const said = useSignal<"copied" | "not copied" | null>(null);
  return (
    <button
      type="button"
      class="button small"
      onClick={({ currentTarget }) => {
        copy(text(), currentTarget).then(
          () => (said.value = "copied"),
          () => (said.value = "not copied"),
        );
        setTimeout(() => (said.value = null), SHOWN_MS);
      }}
    >
      <Icon name="copy" />
      {/* Both texts take the room of the longer one, so that nothing moves. */}
      <span class="swap">
        <span aria-hidden={said.value !== null} class={said.value === null ? "" : "away"}>
          {label}
        </span>
        <span role="status" class={said.value === null ? "away" : ""}>
          {said.value ?? ""}
        </span>
      </span>
    </button>
  );
};

export const Section = ({
  title,
  note,
  id,
  children,
}: {
  title: string;
  note?: ComponentChildren;
  id: string;
  children: ComponentChildren;
}): JSX.Element => (
  <section aria-labelledby={id}>
    <header class="section-head">
      <h2 id={id}>{title}</h2>
      {note !== undefined && <p class="section-note">{note}</p>}
    </header>
    {children}
  </section>
);

/** An empty place says so, and why. */
export const Empty = ({ children }: { children: ComponentChildren }): JSX.Element => (
  <p class="empty">{children}</p>
);

export const Fault = ({ children }: { children: string }): JSX.Element => (
  <p class="fault" role="alert">
    {children}
  </p>
);
