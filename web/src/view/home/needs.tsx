/** The first thing on the page: what needs a person, each with why, since when, and the way out. */

import { useSignal, useSignalEffect } from "@preact/signals";
import type { JSX } from "preact";
import { ask } from "../../state/acting.ts";
import { movedAt } from "../../state/log.ts";
import { movement, needs, paused, ready, running, waitingCount } from "../../state/board.ts";
import { explanationOf } from "../../state/explanations.ts";
import { lanes, summary } from "../../state/queue.ts";
import { hrefOf } from "../../state/route.ts";
import { may } from "../../state/session.ts";
import type { Explanation } from "../../state/types.ts";
import {
  cancelJob,
  pauseTask,
  resumeTask,
  retryJob,
  unfreezeRepo,
  type Action,
} from "../../model/actions.ts";
import { adviceOf } from "../../model/advice.ts";
import type { Need, NeedKind } from "../../model/needs.ts";
import { count, many, taskName } from "../../model/words.ts";
import { ActionButton, Age, RepoLink, State, TaskLink, Text } from "../common/parts.tsx";

const KINDS: Readonly<Record<NeedKind, (n: number) => string>> = {
  stuck: (n) => (n === 1 ? "1 task is stuck" : `${count(n)} tasks are stuck`),
  frozen: (n) => (n === 1 ? "1 repository is frozen" : `${count(n)} repositories are frozen`),
  failed: (n) => `${many(n, "job")} failed for good`,
  unclaimed: (n) => `${many(n, "ready job")} ${n === 1 ? "is" : "are"} not claimed`,
  paused: (n) => `${many(n, "task")} ${n === 1 ? "is" : "are"} paused for more than a day`,
};

const kindsOf = (all: readonly Need[]): NeedKind[] => [...new Set(all.map(({ kind }) => kind))];

/** How many things there are of a kind; a repository with two freezes is one. */
const numberOf = (all: readonly Need[], kind: NeedKind): number =>
  new Set(all.filter((need) => need.kind === kind).map((need) => (kind === "frozen" ? need.repo : need.key)))
    .size;

/** The page's first sentence: `2 tasks are stuck and 1 repository is frozen.` */
export const headline = (): string => {
  const all = needs.value;
  if (summary.value?.degraded) return "The gate is degraded.";
  if (all.length === 0) return "Nothing needs you.";
  const parts = kindsOf(all).map((kind) => KINDS[kind](numberOf(all, kind)));
  const shown = parts.slice(0, 2).join(parts.length > 2 ? ", " : " and ");
  return parts.length > 2 ? `${shown}, and more.` : `${shown}.`;
};

const actionOf = (need: Need): Action | undefined => {
  const { repo, task_id, work_item_id, job_id, freeze_id, kind, agent } = need;
  if (kind === "frozen") return freeze_id === null ? undefined : unfreezeRepo(repo, freeze_id);
  if (kind === "paused" && task_id !== null) return resumeTask({ task_id, work_item_id, repo });
  if (kind === "failed" && job_id !== null)
    return retryJob({ job_id, repo, of: `${agent ?? "job"} of ${taskName(work_item_id, task_id)}` });
  return undefined;
};

/** The ways out of a stuck task: those that the service's explanation advises, and a pause for what waits behind it. */
const WaysOut = ({ need }: { need: Need }): JSX.Element | null => {
  const { repo, task_id, work_item_id, behind } = need;
  const explained = useSignal<Explanation | null>(null);
  useSignalEffect(() => {
    const lane = lanes.value.get(repo);
    if (task_id === null || !lane) return;
    explanationOf(task_id, lane).then(
      (explanation) => (explained.value = explanation),
      () => undefined,
    );
  });
  if (task_id === null) return null;
  if (!explained.value) return <span class="button placeholder">…</span>;
  const advised = adviceOf(explained.value).slice(0, 1);
  const actions = [...advised, ...(behind > 0 ? [pauseTask({ task_id, work_item_id, repo })] : [])];
  return (
    <>
      {actions.map((action, n) => (
        <ActionButton key={action.title} action={action} primary={n === 0} />
      ))}
      {actions.length === 0 && (
        <a class="button" href={hrefOf({ task: task_id })}>
          Why?
        </a>
      )}
    </>
  );
};

const Buttons = ({ need }: { need: Need }): JSX.Element => {
  const action = actionOf(need);
  const { kind } = need;
  if (kind === "stuck" && (may("produce") || may("operate"))) return <WaysOut need={need} />;
  const job = need.job_id;
  return (
    <>
      {action && (
        <ActionButton action={action} primary label={kind === "frozen" ? "Unfreeze…" : action.label} />
      )}
      {kind === "failed" && job !== null && (
        <ActionButton
          action={cancelJob({ job_id: job, repo: need.repo, of: need.agent ?? "job" })}
          label="Cancel it…"
        />
      )}
    </>
  );
};

const BEHIND: Readonly<Partial<Record<NeedKind, (n: number) => string>>> = {
  stuck: (n) => `${many(n, "job")} behind it`,
  frozen: (n) => `${many(n, "job")} held by it`,
};

const NeedRow = ({ need }: { need: Need }): JSX.Element => {
  const { kind, repo, task_id, work_item_id, job_id, by, because, since, behind, behindSince, agent } = need;
  const name = taskName(work_item_id, task_id, job_id ?? undefined);
  return (
    <li class={`need need-${kind}`}>
      <State state={kind}>{kind === "unclaimed" ? "ready" : kind}</State>
      <div class="need-what">
        <p class="need-name">
          {task_id === null ? null : <TaskLink id={task_id} name={name} />}
          {kind === "frozen" ? null : <span class="faint"> in </span>}
          <RepoLink name={repo} />
          {by !== null && (
            <span class="faint">
              {" "}
              by <Text>{by}</Text>
            </span>
          )}
        </p>
        <p class="need-why">
          {kind === "unclaimed" ? (
            <>
              job {job_id} (<Text>{agent ?? ""}</Text>) could start, and no worker has claimed it
            </>
          ) : (
            <Text>{because ?? "no reason was given"}</Text>
          )}
        </p>
      </div>
      <p class="need-since">
        {(since ?? behindSince) !== null && <Age since={since ?? behindSince} />}
        {behind > 0 && <span class="need-behind">{BEHIND[kind]?.(behind)}</span>}
      </p>
      <div class="need-buttons">
        <Buttons need={need} />
      </div>
    </li>
  );
};

const FIRST = 6;

const ALL_WORDS: Readonly<Partial<Record<NeedKind, string>>> = {
  frozen: "Unfreeze",
  paused: "Resume",
  failed: "Retry",
};

const AT_ONCE = 50;

const Group = ({ kind, all }: { kind: NeedKind; all: readonly Need[] }): JSX.Element => {
  const isOpen = useSignal(false);
  const shown = isOpen.value ? all.slice(0, 200) : all.slice(0, FIRST);
  const actions = all.flatMap((need) => actionOf(need) ?? []);
  const [first] = actions;
  const verb = ALL_WORDS[kind];
  return (
    <>
      {shown.map((need) => (
        <NeedRow key={need.key} need={need} />
      ))}
      {(all.length > shown.length || actions.length > 1) && (
        <li class="need-more">
          {all.length > shown.length && !isOpen.value && (
            <button type="button" class="button ghost small" onClick={() => (isOpen.value = true)}>
              Show all {count(all.length)} that are {kind === "unclaimed" ? "ready" : kind}
            </button>
          )}
          {actions.length > 1 && first && verb !== undefined && may(first.right) && (
            <button
              type="button"
              class="button small ghost"
              onClick={() => {
                ask(...actions.slice(0, AT_ONCE));
              }}
            >
              {verb} {actions.length > AT_ONCE ? `the first ${AT_ONCE}` : `all ${actions.length}`}…
            </button>
          )}
        </li>
      )}
    </>
  );
};

const Degraded = (): JSX.Element | null =>
  summary.value?.degraded ? (
    <p class="notice notice-bad" role="alert">
      <strong>The gate is degraded.</strong> A part of the database cannot be read. A repository whose freezes
      are unknown counts as frozen. The service's log names what it cannot read.
    </p>
  ) : null;

const Off = (): JSX.Element | null => {
  const gate = summary.value?.gate;
  if (!gate) return null;
  const off = [
    ...(gate.enabled ? [] : ["the gate (SERIAL_GATE_ENABLED)"]),
    ...(gate.freeze_enabled ? [] : ["freezes (SERIAL_GATE_FREEZE_ENABLED)"]),
    ...(gate.pause_enabled ? [] : ["pauses (SERIAL_GATE_PAUSE_ENABLED)"]),
  ];
  if (off.length === 0 && gate.repos === "") return null;
  return (
    <p class="notice">
      {off.length > 0 && <>Switched off: {off.join(", ")}. </>}
      {gate.repos !== "" && (
        <>
          The gate applies to <Text>{gate.repos}</Text> only.
        </>
      )}
    </p>
  );
};

/** How much runs and waits, in one line. */
const Pulse = (): JSX.Element => {
  return (
    <p class="pulse">
      <span>
        <b>{count(running.value)}</b> running
      </span>
      <span>
        <b>{count(waitingCount.value)}</b> waiting
      </span>
      <span>
        <b>{count(ready.value)}</b> ready
      </span>
      <span>
        <b>{count(paused.value)}</b> paused
      </span>
      <span class="faint">in {many(lanes.value.size, "lane")}</span>
      {movedAt.value !== null && movement.value !== "idle" && (
        <span class="faint">
          last start or end <Age since={movedAt.value} suffix=" ago" />
        </span>
      )}
    </p>
  );
};

export const Needs = (): JSX.Element => {
  const all = needs.value;
  return (
    <section class="needs-section" aria-labelledby="needs-title">
      <h1 id="needs-title" class={all.length === 0 && !summary.value?.degraded ? "calm" : ""}>
        {headline()}
      </h1>
      <Pulse />
      <Degraded />
      <Off />
      {all.length > 0 && (
        <ul class="needs">
          {kindsOf(all).map((kind) => (
            <Group key={kind} kind={kind} all={all.filter((need) => need.kind === kind)} />
          ))}
        </ul>
      )}
    </section>
  );
};
