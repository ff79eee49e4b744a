/** A task's life, event by event: what, who and why, each with the time that passed since the one before. */

import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import type { Life } from "../../state/history.ts";
import { hrefOf } from "../../state/route.ts";
import type { Task } from "../../state/types.ts";
import { happened, whoDid } from "../../model/happened.ts";
import { ageOf, clock, day, exact, taskName, timeOf } from "../../model/words.ts";
import { Empty, Text } from "../common/parts.tsx";

const FIRST = 60;

export const LifeList = ({ life, task }: { life: Life; task: Task }): JSX.Element => {
  const isOpen = useSignal(false);
  const all = [...life.earlier, ...life.events];
  if (all.length === 0) return <Empty>No event of it is kept.</Empty>;
  const shown = isOpen.value ? all : all.slice(-FIRST);
  const skipped = all.length - shown.length;
  return (
    <>
      {skipped > 0 && (
        <button type="button" class="button ghost small" onClick={() => (isOpen.value = true)}>
          Show {skipped} earlier events
        </button>
      )}
      <ol class="life">
        {shown.map((event, n) => {
          const at = timeOf(event.at);
          const before = timeOf(shown[n - 1]?.at);
          const isOwn = event.task_id === task.id;
          const who = whoDid(event);
          return (
            <li key={n} class={isOwn ? "" : "of-another"}>
              {at === null ? (
                <span />
              ) : (
                <time dateTime={event.at} title={exact(at)}>
                  <span class="life-day">{day(at)}</span> {clock(at)}
                </time>
              )}
              <span class="life-after">{at !== null && before !== null && `+${ageOf(before, at)}`}</span>
              <span class="life-what">
                {!isOwn && event.task_id !== null && (
                  <a class="work-item" href={hrefOf({ task: event.task_id })}>
                    <bdi>{taskName(event.work_item_id, event.task_id)}</bdi>
                  </a>
                )}{" "}
                <Text>{happened(event)}</Text>
                {event.reason !== null && (
                  <span class="life-why">
                    <Text>{event.reason}</Text>
                  </span>
                )}
              </span>
              <span
                class="life-who"
                title={who.endsWith("?") ? "The caller said so, and had no token." : undefined}
              >
                <Text>{who}</Text>
              </span>
            </li>
          );
        })}
      </ol>
    </>
  );
};
