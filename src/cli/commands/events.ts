/** serial-gate events and blame: the event log, and the life of one work item. */

import type { Command } from "commander";
import type { Client } from "../../client/client.ts";
import type { EventPage, HistoryEvent, RowEvent } from "../../contract/events.ts";
import type { Task } from "../../contract/tasks.ts";
import {
  example,
  idOf,
  idOption,
  repoOption,
  selectedTask,
  wholeNumber,
  type TaskOptions,
} from "../arguments.ts";
import type { CliContext } from "../context.ts";
import { stopSignal } from "../interrupt.ts";
import { outputOption, print, say, type Answer, type OutputOptions } from "../output/format.ts";
import { labelInRepo, nameOf } from "../output/label.ts";
import { tableOf, type Column } from "../output/table.ts";
import type { Style } from "../output/terminal.ts";
import { exactLengthOf, shownTime } from "../output/time.ts";
import { connect, findTask, refuseUnknownRepo } from "../service.ts";
import { follow, resetIn, type Selection } from "../updates.ts";

/** An event, or what the orchestrator's rows tell of the time before the first one. */
type Told = HistoryEvent | RowEvent;

const isFromRows = (event: Told): event is RowEvent => "source" in event;

/** The details of an event that the sentences use. */
interface Detail {
  readonly foreign?: true;
  readonly stage?: string;
  readonly from?: string;
  readonly to?: string;
  readonly until?: string | null;
  readonly agent?: string;
  readonly worker?: string | null;
  readonly attempt?: number;
  readonly freeze_id?: number;
  readonly run_after?: string;
}

const jobOf = ({ job_id }: Told, { agent }: Detail): string =>
  `job ${job_id ?? "?"}${agent === undefined ? "" : ` (${agent})`}`;

const SENTENCES: Readonly<Record<string, (event: Told, detail: Detail) => string>> = {
  "task.created": (_, { stage }) => `created${stage === undefined ? "" : ` in ${stage}`}`,
  "task.stage": (_, { from, to }) => `moved from ${from ?? "?"} to ${to ?? "?"}`,
  "task.cancelled": (_, { from }) => `cancelled${from === undefined ? "" : ` (was in ${from})`}`,
  "task.paused": (_, { until }) => `paused${until ? ` until ${shownTime(until)}` : ""}`,
  "task.resumed": () => "resumed",
  "task.answered": () => "answered",
  "repo.frozen": ({ repo }, { freeze_id }) => `${repo ?? "?"} frozen (freeze ${freeze_id ?? "?"})`,
  "repo.unfrozen": ({ repo }, { freeze_id }) => `${repo ?? "?"} unfrozen (freeze ${freeze_id ?? "?"})`,
  "job.created": (event, detail) => `${jobOf(event, detail)} queued`,
  "job.claimed": (event, detail) =>
    `${jobOf(event, detail)} ${isFromRows(event) ? "started" : "claimed"}${detail.worker ? ` by ${detail.worker}` : ""}${
      detail.attempt === undefined ? "" : `, attempt ${detail.attempt}`
    }`,
  "job.completed": (event, detail) => `${jobOf(event, detail)} completed`,
  "job.delayed": (event, detail) =>
    detail.run_after === undefined
      ? `${jobOf(event, detail)} failed, will be retried`
      : `${jobOf(event, detail)} released until ${shownTime(detail.run_after)}`,
  "job.failed": (event, detail) => `${jobOf(event, detail)} failed`,
  "job.released": (event, detail) => `${jobOf(event, detail)} released`,
  "job.lapsed": (event, detail) => `${jobOf(event, detail)} queued again: its lease expired`,
  "job.due": (event, detail) => `${jobOf(event, detail)} queued again: its delay ended`,
  "job.retried": (event, detail) => `${jobOf(event, detail)} queued again by a retry`,
  "job.cancelled": (event, detail) => `${jobOf(event, detail)} cancelled`,
};

/** An unknown kind, of a newer service, is shown as it is. */
const sentence = (event: Told): string => SENTENCES[event.kind]?.(event, event.detail ?? {}) ?? event.kind;

const style = ({ kind }: Told): Style | undefined => {
  if (/failed|delayed|lapsed|cancelled|\.frozen/.test(kind)) return "red";
  return kind.includes("paused") ? "yellow" : undefined;
};

/** A name that nobody checked has a question mark. */
const whoOf = (event: Told): string | null => {
  if (isFromRows(event)) return "(from the orchestrator)";
  const { foreign } = (event.detail ?? {}) as Detail;
  if (event.actor === null) return foreign === true ? "(another program)" : null;
  return event.by_source === "claimed" ? `${event.actor}?` : event.actor;
};

const AT: Column<Told> = { head: "AT", cell: ({ at }) => shownTime(at) };
const WORK_ITEM: Column<Told> = { head: "WORK ITEM", cell: ({ work_item_id }) => work_item_id };
const WHAT: Column<Told> = { head: "WHAT", cell: sentence, style };
const WHO: Column<Told> = { head: "WHO", cell: whoOf };
const WHY: Column<Told> = { head: "WHY", cell: ({ reason }) => reason };
const IDS: readonly Column<Told>[] = [
  { head: "EVENT", cell: (event) => (isFromRows(event) ? null : event.id), wide: true },
  { head: "KIND", cell: ({ kind }) => kind, wide: true },
  { head: "TASK", cell: ({ task_id }) => task_id, wide: true },
  { head: "JOB", cell: ({ job_id }) => job_id, wide: true },
];

const EVENTS: readonly Column<Told>[] = [
  AT,
  { head: "REPO", cell: ({ repo }) => repo },
  WORK_ITEM,
  WHAT,
  WHO,
  WHY,
  ...IDS,
];

const LONGEST_PAGE = 1_000;

/** Every event after an event, page by page. */
async function* eventsAfter(
  client: Client,
  after: number,
  selection: Selection & { readonly about_task?: number },
): AsyncGenerator<readonly HistoryEvent[]> {
  for (let cursor = after; ;) {
    const { events, next_cursor } = await client.events({ ...selection, after: cursor, limit: LONGEST_PAGE });
    if (events.length > 0) yield events;
    if (events.length < LONGEST_PAGE) return;
    cursor = next_cursor;
  }
}

const answerOf = (events: readonly HistoryEvent[], withHead: boolean): Answer<HistoryEvent> => ({
  response: { events },
  items: events,
  name: ({ id }) => nameOf("event", id),
  lines: (screen, wide) => {
    if (events.length === 0) return [];
    const lines = tableOf(EVENTS, events, screen, wide);
    return withHead ? lines : lines.slice(1);
  },
});

interface EventsOptions extends OutputOptions {
  readonly repo?: string;
  readonly workItem?: string;
  readonly follow?: true;
  readonly after?: number;
  readonly last: number;
}

const eventsCommand = (program: Command, context: CliContext): void => {
  program
    .command("events")
    .description("show the event log: every change of a task, a job or a freeze")
    .option("--repo <repo>", "only this repository")
    .option("--work-item <work-item>", "only this work item")
    .option("--last <n>", "show the last N events", wholeNumber(0, LONGEST_PAGE), 20)
    .option("--after <event>", "show every event after this event id", idOf("event", 0))
    .option("--follow", "keep printing new events (Ctrl-C to stop)")
    .addOption(outputOption())
    .addHelpText("after", example("serial-gate events --repo acme/web --follow"))
    .action(async ({ repo, workItem, follow: following, after, last, output }: EventsOptions) => {
      const client = connect(context);
      const stop = following ? stopSignal(context) : undefined;
      const sayReset = (newest: number): void => {
        say(context, `Events may be missing: the event log has changed. Continuing after event ${newest}.`);
      };
      const selection: Selection = { repo, work_item: workItem };
      const begin = async (): Promise<{ events: readonly HistoryEvent[]; cursor: number }> => {
        if (after === undefined) {
          const { events, next_cursor } = await client.events({ ...selection, last });
          return { events, cursor: next_cursor };
        }
        const events: HistoryEvent[] = [];
        try {
          for await (const page of eventsAfter(client, after, selection)) events.push(...page);
        } catch (error) {
          const newest = following ? resetIn(error) : undefined;
          if (newest === undefined) throw error;
          sayReset(newest);
          return { events, cursor: newest };
        }
        return { events, cursor: events.at(-1)?.id ?? after };
      };
      const { events, cursor } = await begin();
      if (events.length === 0 && !following) {
        await refuseUnknownRepo(client, repo);
        say(context, "No events.");
      }
      // An endless answer is one document a line.
      const format = following && (output === "json" || output === "yaml") ? "ndjson" : output;
      await print(context, format, answerOf(events, true));
      if (!stop) return;
      const options = { after: cursor, selection, signal: stop, onReset: sayReset };
      for await (const more of follow(client, options)) await print(context, format, answerOf(more, false));
    });
};

/** The time since the event before. */
const after = (events: readonly Told[]): Column<Told> => {
  const before = new Map(events.map((event, index) => [event, events[index - 1]]));
  return {
    head: "AFTER",
    cell: (event) => {
      const ms = Date.parse(event.at) - Date.parse(before.get(event)?.at ?? "");
      return Number.isNaN(ms) ? null : exactLengthOf(ms);
    },
  };
};

const blameCommand = (program: Command, context: CliContext): void => {
  program
    .command("blame")
    .description("show the life of a work item: every change, who made it and why")
    .argument("[work-item]", "work item")
    .addOption(repoOption())
    .addOption(idOption())
    .addOption(outputOption())
    .addHelpText("after", example("serial-gate blame WEB-8"))
    .action(async (workItem: string | undefined, { output, ...named }: OutputOptions & TaskOptions) => {
      const client = connect(context);
      const task = await findTask(client, selectedTask("blame", workItem, named));
      const { earlier = [], recording_began, events } = await lifeOf(client, task);
      const told = [...earlier, ...events];
      await print(context, output, {
        response: { task, earlier, recording_began, events },
        items: told,
        name: (event) => (isFromRows(event) ? event.kind : nameOf("event", event.id)),
        lines: (screen, wide) =>
          told.length === 0
            ? []
            : tableOf([AT, after(told), WORK_ITEM, WHAT, WHO, WHY, ...IDS], told, screen, wide),
      });
      if (told.length === 0)
        say(
          context,
          `No history for ${labelInRepo(task)}${
            recording_began === undefined ? "" : ` (recording began ${shownTime(recording_began)})`
          }.`,
        );
    });
};

/** The whole life of a task: the first page begins with the time before the event log. */
const lifeOf = async (
  client: Client,
  { id }: Pick<Task, "id">,
): Promise<Pick<EventPage, "earlier" | "recording_began" | "events">> => {
  const first = await client.events({ about_task: id, limit: LONGEST_PAGE });
  const events = [...first.events];
  if (events.length === LONGEST_PAGE)
    for await (const page of eventsAfter(client, first.next_cursor, { about_task: id })) events.push(...page);
  return { ...first, events };
};

export const historyCommands = (program: Command, context: CliContext): void => {
  eventsCommand(program, context);
  blameCommand(program, context);
};
