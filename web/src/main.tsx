/** The dashboard of serial-gate. */

import { render } from "preact";
import { startClock } from "./state/clock.ts";
import { startLive } from "./state/live.ts";
import { startRoute } from "./state/route.ts";
import { startSession } from "./state/session.ts";
import { watchFailures } from "./state/board.ts";
import { App } from "./view/app.tsx";
import { startKeys } from "./view/shell/keys.ts";
import { startTitle } from "./view/title.ts";
import "./style/tokens.css";
import "./style/base.css";
import "./style/shell.css";
import "./style/home.css";
import "./style/lanes.css";
import "./style/pages.css";
import "./style/timeline.css";

startClock();
startRoute();
startSession();
startLive();
watchFailures();
startTitle();
startKeys();

const place = document.querySelector("#app");
if (place) render(<App />, place);
