/** Asks for a token where the service has tokens. It is kept for this tab and sent to this service only. */

import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { keepToken, tokenRefused } from "../../state/http.ts";
import { Fault } from "../common/parts.tsx";

export const TokenPage = (): JSX.Element => {
  const typed = useSignal("");
  return (
    <main class="door">
      <form
        class="door-form"
        onSubmit={(event) => {
          event.preventDefault();
          if (typed.value.trim() !== "") keepToken(typed.value.trim());
        }}
      >
        <h1>serial-gate</h1>
        <p>This service asks for a token. It is kept for this tab only.</p>
        <label class="field">
          <span>Token</span>
          <input
            type="password"
            name="token"
            autocomplete="off"
            autofocus
            maxLength={500}
            value={typed.value}
            onInput={({ currentTarget }) => (typed.value = currentTarget.value)}
          />
        </label>
        {tokenRefused.value !== null && tokenRefused.value !== "" && <Fault>{tokenRefused.value}</Fault>}
        <button type="submit" class="button primary">
          Open
        </button>
        <p class="faint">
          An operator makes one with <code>serial-gate token new NAME --role viewer</code>.
        </p>
      </form>
    </main>
  );
};
