/** Why a task waits: the service's own sentences, the chain to the root cause as a picture, and the ways out. */

import type { JSX } from "preact";
import { hrefOf } from "../../state/route.ts";
import type { Explanation } from "../../state/types.ts";
import { adviceOf } from "../../model/advice.ts";
import { effectSentences, timeOf } from "../../model/words.ts";
import { ActionButton, Age, CopyButton, Section, Text } from "../common/parts.tsx";
import { Icon, type IconName } from "../common/icon.tsx";

const REASON_ICONS: Readonly<Record<string, IconName>> = {
  freeze: "freeze",
  dependency: "arrow",
  "active-task": "waiting",
  paused: "pause",
  failed: "stuck",
  running: "running",
  queued: "ready",
  delayed: "waiting",
  idle: "idle",
  cycle: "stuck",
  finished: "close",
};

const LINK_WORDS: Readonly<Record<string, string>> = {
  "active-task": "waits for the task ahead",
  dependency: "depends on",
  freeze: "is held by a freeze",
  paused: "is paused",
  finished: "is finished",
};

const toneOf = (reason: string): string =>
  reason === "freeze"
    ? "frozen"
    : reason === "failed" || reason === "cycle"
      ? "stuck"
      : reason === "paused"
        ? "paused"
        : reason === "running"
          ? "running"
          : "waiting";

/** The chain: each task waits for the next, down to what must move. */
const Chain = ({ explanation: { chain, task, root } }: { explanation: Explanation }): JSX.Element | null => {
  const last = chain.at(-1);
  if (!last || chain.length === 0) return null;
  const idOf = (workItem: string | null, repo: string): number | undefined =>
    workItem === task.work_item_id && repo === task.repo
      ? task.id
      : root.causes.find((cause) => cause.work_item_id === workItem && cause.repo === repo)?.task_id;
  return (
    <ol class="chain" aria-label="What waits for what, down to the root cause">
      {chain.map(({ work_item_id, repo, reason }, n) => {
        const id = idOf(work_item_id, repo);
        return (
          <li key={n} class="chain-node">
            <span class="chain-task">
              {id === undefined ? (
                <bdi>{work_item_id ?? "a task"}</bdi>
              ) : (
                <a class="work-item" href={hrefOf({ task: id })}>
                  <bdi>{work_item_id ?? `task ${id}`}</bdi>
                </a>
              )}
              <a class="quiet faint" href={hrefOf({ repo })}>
                <bdi>{repo}</bdi>
              </a>
            </span>
            <span class={`chain-link tone-${toneOf(reason)}`}>
              <Icon name={REASON_ICONS[reason] ?? "arrow"} />
              {LINK_WORDS[reason] ?? reason}
            </span>
          </li>
        );
      })}
      <li class={`chain-node chain-root tone-${toneOf(last.reason)}`}>
        <Icon name={REASON_ICONS[last.reason] ?? "stuck"} />
        <Text>{last.on}</Text>
      </li>
    </ol>
  );
};

const ENDED_BY: Readonly<Record<string, string>> = {
  call: "a person must act",
  orchestrator: "the orchestrator must go on",
  worker: "a worker must go on",
  clock: "it ends by itself",
  program: "another program must go on",
  repair: "the database must be repaired",
};

export const Why = ({ explanation }: { explanation: Explanation }): JSX.Element => {
  const { root, stuck, jobs, not_in_force } = explanation;
  const actions = adviceOf(explanation);
  const reasons = jobs.flatMap((job) => job.reasons.map((reason) => ({ ...reason, job: job.job_id })));
  const { fix } = root;
  return (
    <Section title={stuck ? "Stuck" : "Where it stands"} id="why-title">
      <div class={`why ${stuck ? "why-stuck" : ""}`}>
        <p class="why-headline">
          <Text>{root.headline}</Text>
        </p>
        {root.causes.map((cause, n) => (
          <p key={n} class="why-cause">
            <Text>{cause.detail}</Text>{" "}
            <span class="faint">
              ({ENDED_BY[cause.ended_by] ?? cause.ended_by}
              {cause.since !== null && (
                <>
                  {"; since "}
                  <Age since={timeOf(cause.since)} />
                </>
              )}
              )
            </span>
          </p>
        ))}
        {root.also.map((also) => (
          <p key={also} class="faint">
            <Text>{also}</Text>
          </p>
        ))}
        {not_in_force !== null && (
          <p class="bad">
            <Text>{not_in_force}</Text>
          </p>
        )}
        <Chain explanation={explanation} />
        {fix && (
          <div class="way-out">
            <p>
              To end it:{" "}
              {fix.commands.map((command) => (
                <code key={command}>
                  <bdi>{command}</bdi>
                </code>
              ))}
              {fix.condition !== null && (
                <span class="faint">
                  {", only if "}
                  <Text>{fix.condition}</Text>
                </span>
              )}
            </p>
            {fix.then !== null && (
              <p>
                <Text>{fix.then}</Text>
              </p>
            )}
          </div>
        )}
        <div class="buttons">
          {actions.slice(0, 6).map((action, n) => (
            <ActionButton key={action.title} action={action} primary={n === 0 && fix !== null} />
          ))}
          {fix && <CopyButton label="Copy the commands" text={() => fix.commands.join("\n")} />}
        </div>
      </div>
      {reasons.length > 0 && (
        <details class="reasons">
          <summary>
            {reasons.length === 1 ? "The reason" : `All ${reasons.length} reasons`} and what each remedy would
            do
          </summary>
          <ol>
            {reasons.map(({ reason, detail, since, by, fix: remedies, job }, n) => (
              <li key={n}>
                <p>
                  <b>{reason}</b> holds job {job}: <Text>{detail}</Text>{" "}
                  <span class="faint">
                    {since !== null && <Age since={timeOf(since)} />}
                    {by !== null && (
                      <>
                        {", by "}
                        <Text>{by}</Text>
                      </>
                    )}
                  </span>
                </p>
                <ul>
                  {remedies.map(({ command, effect }) => (
                    <li key={command}>
                      <code>
                        <bdi>{command}</bdi>
                      </code>{" "}
                      <span class="faint">
                        {effect
                          ? effectSentences(effect, "would").join(" ")
                          : "Its effect could not be tried."}
                      </span>
                    </li>
                  ))}
                </ul>
              </li>
            ))}
          </ol>
        </details>
      )}
    </Section>
  );
};
