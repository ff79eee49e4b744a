/** Acting: the dry run's effect in words first, then a reason, then the service's answer. The page shows nothing that the
 *  service has not said. */

import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { act, asked, keysFor, tryOut, type Outcome } from "../../state/acting.ts";
import { token } from "../../state/http.ts";
import { lanes } from "../../state/queue.ts";
import { asCurl, type Action, type Note } from "../../model/actions.ts";
import { effectSentences, many } from "../../model/words.ts";
import { CopyButton, Fault, Text } from "../common/parts.tsx";
import { useModal } from "./modal.ts";

const REASONS_LENGTH = 4_000;

/** The outcomes in words: of one action all of it, of many a line each. */
const Outcomes = ({
  outcomes,
  tense,
}: {
  outcomes: readonly Outcome[];
  tense: "would" | "did";
}): JSX.Element => (
  <ul class="outcomes">
    {outcomes.map(({ action, answer, fault }) => (
      <li key={action.title} class={fault === null ? "" : "bad"}>
        {answer ? (
          <>
            <Text>{action.says(answer, tense)}</Text>
            {answer.effect && (
              <ul class="effects">
                {effectSentences(answer.effect, tense, action.repo ?? undefined).map((sentence) => (
                  <li key={sentence}>
                    <Text>{sentence}</Text>
                  </li>
                ))}
              </ul>
            )}
          </>
        ) : (
          <Text>{`${outcomes.length > 1 ? `${action.title}: ` : ""}${fault ?? ""}`}</Text>
        )}
      </li>
    ))}
  </ul>
);

/** The text to type before it acts: the repository's name, or how many they are. */
const confirmationOf = (actions: readonly Action[]): string | null => {
  const [first] = actions;
  const name = first?.confirm ?? null;
  if (name === null) return null;
  return actions.length === 1 ? name : many(actions.length, "repository", "repositories");
};

const titleOf = (actions: readonly Action[]): string => {
  const [first] = actions;
  if (!first) return "";
  return actions.length === 1
    ? first.title
    : `${first.label.replace(/ .*|…/g, "")}: ${many(actions.length, "call")}`;
};

const verbOf = (actions: readonly Action[]): string => {
  const label = actions[0]?.label.replace("…", "") ?? "";
  return actions.length === 1 ? label : `${label.split(" ")[0] ?? ""} all ${actions.length}`;
};

const Form = ({ actions, onClose }: { actions: readonly Action[]; onClose: () => void }): JSX.Element => {
  const [first] = actions;
  const trial = useSignal<readonly Outcome[] | null>(null);
  const done = useSignal<readonly Outcome[] | null>(null);
  const isActing = useSignal(false);
  const reason = useSignal("");
  const answer = useSignal("");
  const typed = useSignal("");
  const keys = useMemo(() => keysFor(actions), [actions]);
  const title = useRef<HTMLHeadingElement>(null);
  // The effect is of this moment: a lane that moves meanwhile is tried again.
  const touched = actions.length === 1 ? lanes.value.get(first?.repo ?? "") : undefined;
  useEffect(() => {
    if (done.peek() !== null || isActing.peek()) return;
    let isOld = false;
    void tryOut(actions).then((outcomes) => {
      if (!isOld) trial.value = outcomes;
    });
    return () => {
      isOld = true;
    };
  }, [actions, touched]);
  const note: Note = { reason: reason.value, answer: answer.value };
  const confirmation = confirmationOf(actions);
  const tried = trial.value;
  const isRefused = tried?.every(({ fault }) => fault !== null) ?? false;
  const isReady =
    tried !== null &&
    !isRefused &&
    !isActing.value &&
    (confirmation === null || typed.value === confirmation) &&
    (!first?.needsReason || reason.value.trim() !== "");
  const submit = (): void => {
    if (!isReady && done.value === null) return;
    isActing.value = true;
    const again = done.value?.filter(({ isOpen }) => isOpen).map(({ action }) => action);
    void act(again ?? actions, note, keys).then((outcomes) => {
      isActing.value = false;
      done.value = [...(done.value ?? []).filter(({ isOpen }) => !isOpen), ...outcomes];
      title.current?.focus();
    });
  };
  const isOpen = done.value?.some((outcome) => outcome.isOpen) ?? false;
  const origin = location.origin;
  return (
    <form
      method="dialog"
      class="dialog-form"
      onSubmit={(event) => {
        event.preventDefault();
        if (done.value === null || isOpen) submit();
        else onClose();
      }}
    >
      <h2 id="action-title" tabIndex={-1} ref={title}>
        <Text>{titleOf(actions)}</Text>
      </h2>
      {done.value === null ? (
        <>
          <div class="effect" aria-live="polite" aria-busy={tried === null}>
            <p class="effect-head">
              {tried === null ? "Trying it out …" : "What it would do, tried just now:"}
            </p>
            {tried && <Outcomes outcomes={tried} tense="would" />}
            {tried && tried.length > 1 && <p class="faint">Each tried by itself.</p>}
          </div>
          {first?.wantsAnswer && (
            <label class="field">
              <span>
                Answer <span class="faint">for its workers; its next claim hands it out</span>
              </span>
              <textarea
                rows={2}
                maxLength={REASONS_LENGTH}
                value={answer.value}
                onInput={({ currentTarget }) => (answer.value = currentTarget.value)}
              />
            </label>
          )}
          <label class="field">
            <span>
              Reason{" "}
              {first?.needsReason ? (
                <span class="bad">(needed)</span>
              ) : (
                <span class="faint">for the record</span>
              )}
            </span>
            <textarea
              rows={2}
              maxLength={REASONS_LENGTH}
              value={reason.value}
              autofocus
              onInput={({ currentTarget }) => (reason.value = currentTarget.value)}
            />
          </label>
          {confirmation !== null && (
            <label class="field">
              <span>
                Type{" "}
                <code>
                  <bdi>{confirmation}</bdi>
                </code>{" "}
                to confirm
              </span>
              <input
                type="text"
                name="confirmation"
                autocomplete="off"
                spellcheck={false}
                value={typed.value}
                onInput={({ currentTarget }) => (typed.value = currentTarget.value)}
              />
            </label>
          )}
        </>
      ) : (
        <div class="effect effect-done" role="status">
          <p class="effect-head">
            {isOpen ? "No answer came for some: they may have been done." : "Done. The service says:"}
          </p>
          <Outcomes outcomes={done.value} tense="did" />
          {isOpen && <Fault>Sending it again is safe: it is done once.</Fault>}
        </div>
      )}
      <footer class="dialog-buttons">
        {done.value === null && first && (
          <span class="copies">
            <CopyButton
              label="Copy as command"
              text={() => actions.map((action) => action.command(note)).join("\n")}
            />
            <CopyButton
              label="Copy as curl"
              text={() =>
                actions.map((action) => asCurl(action, note, origin, token.value !== null)).join("\n")
              }
            />
          </span>
        )}
        {done.value === null || isOpen ? (
          <>
            <button type="button" class="button" onClick={onClose}>
              {isOpen ? "Close" : "Do nothing"}
            </button>
            <button
              type="submit"
              class={`button primary ${first?.danger ? "danger" : ""}`}
              disabled={!isReady && !isOpen}
            >
              <bdi>{isActing.value ? "Acting …" : isOpen ? "Send again" : verbOf(actions)}</bdi>
            </button>
          </>
        ) : (
          <button type="submit" class="button primary" autofocus>
            Close
          </button>
        )}
      </footer>
    </form>
  );
};

export const ActionDialog = (): JSX.Element => {
  const actions = asked.value;
  const place = useModal(actions, "[autofocus]");
  const close = (): void => {
    asked.value = null;
  };
  return (
    <dialog ref={place} class="dialog" aria-labelledby="action-title" onClose={close}>
      {actions && <Form key={actions.map(({ title }) => title).join()} actions={actions} onClose={close} />}
    </dialog>
  );
};
