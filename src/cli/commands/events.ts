/** serial-gate events and blame: what happened, who did it and why. */

import type { Command } from "commander";
import type { Client } from "../../client/client.ts";
import type { HistoryEvent } from "../../contract/events.ts";
import type { Task } from "../../contract/tasks.ts";
import { example, wholeNumber } from "../arguments.ts";
import { follow, type Selection } from "../updates.ts";
import { stopping } from "../interrupt.ts";
import { outputOption, print, say, type Answer, type Printed } from "../output/format.ts";
import type { CliContext } from "../context.ts";
import { tableOf, type Column, type Style } from "../output/terminal.ts";
import { connect, findTask, refuseUnknownRepo } from "../service.ts";
import { lengthOf, shownTime } from "../output/time.ts";

/** What the service keeps beside an event, as far as the sentences need it. */
interface Detail {
  readonly stage?: string;
  readonly from?: string;
  readonly to?: string;
  readonly until?: string | null;
  readonly agent?: string;
  readonly worker?: string | null;
  readonly attempt?: number;
  readonly freeze_id?: number;
}

const jobOf = ({ job_id }: HistoryEvent, { agent }: Detail): string =>
  `job ${job_id ?? "?"}${agent === undefined ? "" : ` (${agent})`}`;

const SENTENCES: Readonly<Record<string, (event: HistoryEvent, detail: Detail) => string>> = {
  "task.created": (_, { stage }) => `created${stage === undefined ? "" : ` in ${stage}`}`,
  "task.stage": (_, { from, to }) => `moved from ${from ?? "?"} to ${to ?? "?"}`,
  "task.cancelled": (_, { from }) => `cancelled${from === undefined ? "" : ` (was in ${from})`}`,
  "task.paused": (_, { until }) => `paused${until ? ` until ${shownTime(until)}` : ""}`,
  "task.resumed": () => "resumed",
  "repo.frozen": ({ repo }, { freeze_id }) => `${repo ?? "?"} frozen (freeze ${freeze_id ?? "?"})`,
  "repo.unfrozen": ({ repo }, { freeze_id }) => `${repo ?? "?"} unfrozen (freeze ${freeze_id ?? "?"})`,
  "job.created": (event, detail) => `${jobOf(event, detail)} queued`,
  "job.claimed": (event, detail) =>
    `${jobOf(event, detail)} claimed${detail.worker ? ` by ${detail.worker}` : ""}, attempt ${detail.attempt ?? "?"}`,
  "job.completed": (event, detail) => `${jobOf(event, detail)} completed`,
  "job.delayed": (event, detail) => `${jobOf(event, detail)} went wrong, to be tried again`,
  "job.failed": (event, detail) => `${jobOf(event, detail)} failed`,
  "job.released": (event, detail) => `${jobOf(event, detail)} given back`,
  "job.lapsed": (event, detail) => `${jobOf(event, detail)} given back, its lease ran out`,
  "job.due": (event, detail) => `${jobOf(event, detail)} is due again`,
  "job.retried": (event, detail) => `${jobOf(event, detail)} queued again`,
  "job.cancelled": (event, detail) => `${jobOf(event, detail)} cancelled`,
};

/** A kind that this program does not know yet is shown as it is. */
const sentence = (event: HistoryEvent): string =>
  SENTENCES[event.kind]?.(event, event.detail ?? {}) ?? event.kind;

const style = ({ kind }: HistoryEvent): Style | undefined => {
  if (/failed|delayed|lapsed|cancelled|\.frozen/.test(kind)) return "red";
  return kind.includes("paused") ? "yellow" : undefined;
};

const AT: Column<HistoryEvent> = { head: "AT", cell: ({ at }) => shownTime(at) };
const WORK_ITEM: Column<HistoryEvent> = { head: "WORK ITEM", cell: ({ work_item_id }) => work_item_id };
const WHAT: Column<HistoryEvent> = { head: "WHAT", cell: sentence, style };
const WHO: Column<HistoryEvent> = { head: "WHO", cell: ({ actor }) => actor };
const WHY: Column<HistoryEvent> = { head: "WHY", cell: ({ reason }) => reason };
const IDS: readonly Column<HistoryEvent>[] = [
  { head: "EVENT", cell: ({ id }) => id, wide: true },
  { head: "KIND", cell: ({ kind }) => kind, wide: true },
  { head: "TASK", cell: ({ task_id }) => task_id, wide: true },
  { head: "JOB", cell: ({ job_id }) => job_id, wide: true },
];

const EVENTS: readonly Column<HistoryEvent>[] = [
  AT,
  { head: "REPO", cell: ({ repo }) => repo },
  WORK_ITEM,
  WHAT,
  WHO,
  WHY,
  ...IDS,
];

const LONGEST_PAGE = 1_000;

/** Every event behind an id. */
async function* eventsAfter(
  client: Client,
  after: number,
  selection: Selection,
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
  name: ({ id }) => id,
  lines: (screen, wide) => {
    if (events.length === 0) return [];
    const lines = tableOf(EVENTS, events, screen, wide);
    return withHead ? lines : lines.slice(1);
  },
});

interface EventsOptions extends Printed {
  readonly repo?: string;
  readonly workItem?: string;
  readonly follow?: true;
  readonly after?: number;
  readonly last: number;
}

const eventsCommand = (program: Command, around: CliContext): void => {
  program
    .command("events")
    .description("show what happened: every change of a task, a job or a freeze")
    .option("--repo <repo>", "only in this repository")
    .option("--work-item <work-item>", "only to this work item")
    .option("--last <count>", "the newest so many", wholeNumber(0, LONGEST_PAGE), 20)
    .option("--after <event>", "all that came after the event of this id", wholeNumber(0))
    .option("--follow", "go on with what happens, until ctrl-C")
    .addOption(outputOption())
    .addHelpText("after", example("serial-gate events --repo acme/web --follow"))
    .action(async ({ repo, workItem, follow: following, after, last, output }: EventsOptions) => {
      const client = connect(around);
      const stop = following ? stopping(around) : undefined;
      const selection: Selection = {
        ...(repo === undefined ? {} : { repo }),
        ...(workItem === undefined ? {} : { work_item: workItem }),
      };
      const begin = async (): Promise<{ events: readonly HistoryEvent[]; cursor: number }> => {
        if (after === undefined) {
          const { events, next_cursor } = await client.events({ ...selection, last });
          return { events, cursor: next_cursor };
        }
        const events: HistoryEvent[] = [];
        for await (const page of eventsAfter(client, after, selection)) events.push(...page);
        return { events, cursor: events.at(-1)?.id ?? after };
      };
      const { events, cursor } = await begin();
      if (events.length === 0 && !following) {
        await refuseUnknownRepo(client, repo);
        say(around, "Nothing happened.");
      }
      // A document that goes on is one line for each event.
      const format = following && (output === "json" || output === "yaml") ? "ndjson" : output;
      await print(around, format, answerOf(events, true));
      if (!stop) return;
      for await (const more of follow(client, cursor, selection, stop))
        await print(around, format, answerOf(more, false));
    });
};

/** What somebody does to let others pass. */
const MAKES_WAY: readonly string[] = ["task.paused", "task.resumed", "task.cancelled"];

/** What happened to a work item, to those that it depends on and to those ahead of it, and the freezes of their
 *  repositories meanwhile. */
const lifeOf = async (
  client: Client,
  { id, repo, work_item_id, depends_on }: Task,
): Promise<HistoryEvent[]> => {
  if (work_item_id === null) return [];
  const [first] = (await client.events({ repo, work_item: work_item_id, after: 0, limit: 1 })).events;
  const family = [{ repo, work_item_id }, ...depends_on];
  const concerns = (event: HistoryEvent): boolean =>
    event.kind.startsWith("repo.") ||
    (event.work_item_id === work_item_id && event.repo === repo) ||
    (event.repo === repo && (event.task_id ?? id) < id && MAKES_WAY.includes(event.kind)) ||
    (event.kind.startsWith("task.") &&
      family.some((task) => task.repo === event.repo && task.work_item_id === event.work_item_id));
  // A task that another program made has no first event: all that is recorded may concern it.
  const before = first?.kind === "task.created" ? first.id - 1 : 0;
  const life: HistoryEvent[] = [];
  for (const each of new Set(family.map((task) => task.repo)))
    for await (const page of eventsAfter(client, before, { repo: each })) life.push(...page.filter(concerns));
  return life.sort((a, b) => a.id - b.id);
};

/** How long after the one before it. */
const after = (events: readonly HistoryEvent[]): Column<HistoryEvent> => {
  const before = new Map(events.map((event, index) => [event.id, events[index - 1]]));
  return {
    head: "AFTER",
    cell: ({ id, at }) => {
      const ms = Date.parse(at) - Date.parse(before.get(id)?.at ?? "");
      return Number.isNaN(ms) ? null : lengthOf(ms);
    },
  };
};

const blameCommand = (program: Command, around: CliContext): void => {
  program
    .command("blame")
    .description("tell the whole life of a work item: what happened to it, who did it and why")
    .argument("<work-item>", "a work item, or a task's id")
    .option("--repo <repo>", "the repository, where several have the work item")
    .addOption(outputOption())
    .addHelpText("after", example("serial-gate blame WEB-8"))
    .action(async (word: string, { repo, output }: Printed & { readonly repo?: string }) => {
      const client = connect(around);
      const task = await findTask(client, word, repo);
      const events = await lifeOf(client, task);
      await print(around, output, {
        response: { task, events },
        items: events,
        name: ({ id }) => id,
        lines: (screen, wide) =>
          events.length === 0
            ? []
            : tableOf([AT, after(events), WORK_ITEM, WHAT, WHO, WHY, ...IDS], events, screen, wide),
      });
      if (events.length === 0)
        say(around, `Nothing is recorded of ${task.work_item_id ?? `task ${task.id}`} in ${task.repo}.`);
    });
};

export const historyCommands = (program: Command, around: CliContext): void => {
  eventsCommand(program, around);
  blameCommand(program, around);
};
