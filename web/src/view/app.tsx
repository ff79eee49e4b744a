/** The page: what is shown for the address and for what is known so far. */

import type { JSX } from "preact";
import { isLoaded, queueFault } from "../state/queue.ts";
import { connection, silence } from "../state/live.ts";
import { route } from "../state/route.ts";
import { caller, callerFault, needsToken } from "../state/session.ts";
import { lengthOf } from "../../../src/contract/people-text.ts";
import { Charts } from "./home/charts.tsx";
import { Lanes } from "./home/lanes.tsx";
import { Needs } from "./home/needs.tsx";
import { LanePage } from "./lane/lane.tsx";
import { ActionDialog } from "./shell/action-dialog.tsx";
import { Header } from "./shell/header.tsx";
import { Help } from "./shell/help.tsx";
import { Palette } from "./shell/palette.tsx";
import { TokenPage } from "./shell/token.tsx";
import { TaskPage } from "./task/task.tsx";

const Home = (): JSX.Element => (
  <div class="home">
    <div class="top">
      <Needs />
      <Charts />
    </div>
    <Lanes />
  </div>
);

const Loading = (): JSX.Element => {
  const fault = callerFault.value ?? queueFault.value;
  return (
    <div class="loading-page">
      {fault === null ? (
        <p class="loading" role="status">
          Reading the lanes …
        </p>
      ) : (
        <div class="loading" role="alert">
          <h1>The lanes cannot be read.</h1>
          <p>{fault}</p>
          <p>The page tries again by itself.</p>
        </div>
      )}
    </div>
  );
};

const Stale = (): JSX.Element | null =>
  connection.value === "stale" ? (
    <p class="stale" role="alert">
      The service has not answered for {lengthOf(silence.value)}. What you see is as it was then.
    </p>
  ) : null;

const Content = (): JSX.Element => {
  const { repo, task } = route.value;
  if (caller.value === null || !isLoaded.value) return <Loading />;
  if (task !== null) return <TaskPage key={task} id={task} />;
  if (repo !== null) return <LanePage key={repo} repo={repo} />;
  return <Home />;
};

export const App = (): JSX.Element =>
  needsToken.value ? (
    <TokenPage />
  ) : (
    <>
      <a class="skip" href="#main">
        To the content
      </a>
      <Header />
      <Stale />
      <main id="main" tabIndex={-1}>
        <Content />
      </main>
      <ActionDialog />
      <Palette />
      <Help />
    </>
  );
