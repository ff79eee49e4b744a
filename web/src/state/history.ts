/** The events of one lane or one task, read when its page is opened, in bounded pages. */

import { pathOf, read } from "./http.ts";
import type { EventPage, LogEvent, RowEvent } from "./types.ts";

const PAGE = 500;
const MOST_PAGES = 8;

export interface LaneHistory {
  /** Oldest first. */
  readonly events: readonly LogEvent[];
  /** False when older events may be there. */
  readonly isWhole: boolean;
  /** False when no more of them are read. */
  readonly hasMore: boolean;
}

/** Reads the newest events of a lane.
 *  @throws as `send` */
export const readLane = async (repo: string): Promise<LaneHistory> => {
  const { events } = await read<EventPage>(pathOf("/events", { repo, last: PAGE }));
  const isWhole = events.length < PAGE;
  return { events, isWhole, hasMore: !isWhole };
};

/** Reads one page further back.
 *  @throws as `send` */
export const readOlder = async (repo: string, { events }: LaneHistory): Promise<LaneHistory> => {
  const before = events[0]?.id ?? 1;
  const page = await read<EventPage>(pathOf("/events", { repo, before, limit: PAGE }));
  const all = [...page.events, ...events];
  const isWhole = page.events.length < PAGE;
  return { events: all, isWhole, hasMore: !isWhole && all.length < PAGE * MOST_PAGES };
};

export interface Life {
  /** From before the log began, as the orchestrator's rows tell it. */
  readonly earlier: readonly RowEvent[];
  readonly events: readonly LogEvent[];
  readonly isWhole: boolean;
}

/** Reads a task's life.
 *  @throws as `send` */
export const readLife = async (task: number): Promise<Life> => {
  const first = await read<EventPage>(pathOf("/events", { about_task: task, limit: PAGE }));
  const events = [...first.events];
  let { next_cursor } = first;
  let size = first.events.length;
  for (let pages = 1; size === PAGE && pages < MOST_PAGES; pages += 1) {
    const page = await read<EventPage>(
      pathOf("/events", { about_task: task, after: next_cursor, limit: PAGE }),
    );
    events.push(...page.events);
    ({ next_cursor } = page);
    size = page.events.length;
  }
  return { earlier: first.earlier ?? [], events, isWhole: size < PAGE };
};
