/** The keys. */

import type { JSX } from "preact";
import { closeDialog, dialog } from "./dialogs.ts";
import { useModal } from "./modal.ts";

const KEYS = [
  ["/", "search the lanes"],
  ["j, k", "next and previous lane"],
  ["Enter", "open the lane"],
  ["x", "select the lane, for an action on many"],
  ["f", "freeze or unfreeze the lane"],
  ["p", "pause the task that has the lane"],
  ["g", "back to all lanes"],
  ["Ctrl K, ⌘ K", "go to a lane, a task or a filter by name"],
  ["Esc", "close, clear, or go back"],
  ["?", "this help"],
] as const;

export const Help = (): JSX.Element => {
  const place = useModal(dialog.value === "help");
  return (
    <dialog
      ref={place}
      class="dialog"
      aria-labelledby="help-title"
      onClose={() => {
        if (dialog.peek() === "help") closeDialog();
      }}
    >
      <h2 id="help-title">Keys</h2>
      <dl class="keys">
        {KEYS.map(([key, words]) => (
          <div key={key}>
            <dt>
              {key.split(", ").map((each) => (
                <kbd key={each}>{each}</kbd>
              ))}
            </dt>
            <dd>{words}</dd>
          </div>
        ))}
      </dl>
      <p class="faint">
        The same from a terminal: <code>serial-gate --help</code>. Every call is at <a href="/docs">/docs</a>.
      </p>
      <footer class="dialog-buttons">
        <button type="button" class="button primary" onClick={closeDialog}>
          Close
        </button>
      </footer>
    </dialog>
  );
};
