/** The bar at the top: where one is, the search, whether the page is connected, and who one is. */

import type { JSX } from "preact";
import { movedAt } from "../../state/log.ts";
import { connection, silence } from "../../state/live.ts";
import { movement } from "../../state/board.ts";
import { forgetToken, token, tokenRefused } from "../../state/http.ts";
import { hrefOf, route } from "../../state/route.ts";
import { caller } from "../../state/session.ts";
import { lengthOf } from "../../../../src/contract/people-text.ts";
import { Age } from "../common/parts.tsx";
import { Icon } from "../common/icon.tsx";
import { openDialog } from "./dialogs.ts";

const CONNECTION_WORDS = {
  connecting: ["connecting", "The page asks the service for the first time."],
  live: ["connected", "The page follows the service's event stream."],
  polling: ["connected, polling", "There is no event stream: the page asks every two seconds."],
  stale: ["stale", "The service does not answer. What you see is old."],
} as const;

/** Whether the page hears the service. */
const Connection = (): JSX.Element => {
  const now = connection.value;
  const [word, title] = CONNECTION_WORDS[now];
  return (
    <span class={`badge badge-${now}`} title={title} data-fact="connection">
      <span class="dot" />
      <span role="status">{word}</span>
      {now === "stale" && <span class="badge-more">for {lengthOf(silence.value)}</span>}
    </span>
  );
};

const MOVEMENT_WORDS = {
  moving: ["work is moving", "A job started or ended within the last five minutes."],
  still: ["nothing moves", "Jobs are ready or running, and none has started or ended for five minutes."],
  idle: ["nothing to do", "No job is running, and none is ready."],
  unknown: ["movement unknown", "This token may not read the events, which would tell."],
} as const;

/** Whether work moves, which is another fact. */
const Movement = (): JSX.Element => {
  const now = connection.value === "connecting" ? "unknown" : movement.value;
  const [word, title] = MOVEMENT_WORDS[now];
  return (
    <span class={`badge badge-${now}`} title={title} data-fact="movement">
      <span class="dot" />
      <span>{connection.value === "connecting" ? "…" : word}</span>
      {now === "still" && (
        <span class="badge-more">
          for <Age since={movedAt.value} />
        </span>
      )}
    </span>
  );
};

const signOut = (): void => {
  forgetToken();
  tokenRefused.value = "";
};

export const Header = (): JSX.Element => {
  const { q, show, sort, idle } = route.value;
  const { name = null, role = "" } = caller.value ?? {};
  return (
    <header class="bar">
      <a class="wordmark" href={hrefOf({ q, show, sort, idle })} aria-label="serial-gate: all lanes">
        <svg viewBox="0 0 20 20" width="20" height="20" aria-hidden="true">
          <path d="M2 10h6M12 10h6" />
          <path class="gate" d="M10 3v14" />
        </svg>
        serial-gate
      </a>
      <div class="bar-facts">
        <Connection />
        <Movement />
      </div>
      <div class="bar-tools">
        <button
          type="button"
          class="button small ghost palette-button"
          onClick={() => {
            openDialog("palette");
          }}
        >
          <Icon name="search" /> Go to… <kbd>Ctrl K</kbd>
        </button>
        <button
          type="button"
          class="button small ghost"
          aria-label="Keyboard help"
          title="Keyboard help (?)"
          onClick={() => {
            openDialog("help");
          }}
        >
          <Icon name="help" />
        </button>
        {name !== null && (
          <span class="who" title={`Token ${name}, role ${role}`}>
            <bdi>{name}</bdi> <span class="faint">{role}</span>
          </span>
        )}
        {token.value !== null && (
          <button type="button" class="button small ghost" onClick={signOut}>
            Forget token
          </button>
        )}
      </div>
    </header>
  );
};
