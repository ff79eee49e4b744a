/** Go anywhere by typing: a lane, a task, a filter, an action. */

import { useComputed, useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { ask } from "../../state/acting.ts";
import { rows } from "../../state/board.ts";
import { SHOWS, SORTS, go, route } from "../../state/route.ts";
import { may } from "../../state/session.ts";
import { freezeRepo, pauseTask, unfreezeRepo } from "../../model/actions.ts";
import type { LaneRow } from "../../model/lanes.ts";
import { taskName } from "../../model/words.ts";
import { closeDialog, dialog, openDialog } from "./dialogs.ts";
import { useModal } from "./modal.ts";

interface Entry {
  readonly key: string;
  readonly kind: string;
  readonly text: string;
  readonly run: () => void;
}

const MOST = 40;

const home = { repo: null, task: null } as const;

const fixedEntries = (): Entry[] => [
  ...SHOWS.map((show) => ({
    key: `show ${show}`,
    kind: "show",
    text: show === "all" ? "all lanes" : `${show} lanes`,
    run: () => {
      go({ ...home, show });
    },
  })),
  ...SORTS.map((sort) => ({
    key: `sort ${sort}`,
    kind: "order",
    text: `by ${sort === "wait" ? "longest wait" : sort === "queue" ? "most waiting" : sort}`,
    run: () => {
      go({ ...home, sort });
    },
  })),
  {
    key: "help",
    kind: "page",
    text: "keyboard help",
    run: () => {
      openDialog("help");
    },
  },
];

const tasksOf = ({ lane }: LaneRow): { task_id: number; work_item_id: string | null }[] => [
  ...(lane.active_task ? [lane.active_task] : []),
  ...lane.waiting.flatMap(({ task_id, work_item_id }) =>
    task_id === null ? [] : [{ task_id, work_item_id }],
  ),
  ...lane.paused,
];

const taskEntries = (row: LaneRow, words: readonly string[]): Entry[] => {
  const seen = new Set<number>();
  return tasksOf(row).flatMap(({ task_id, work_item_id }) => {
    const name = taskName(work_item_id, task_id);
    if (seen.has(task_id) || !words.every((word) => name.toLowerCase().includes(word))) return [];
    seen.add(task_id);
    return [
      {
        key: `task ${task_id}`,
        kind: "task",
        text: `${name} in ${row.repo}`,
        run: () => {
          go({ task: task_id, repo: null });
        },
      },
    ];
  });
};

const laneEntry = ({ repo }: LaneRow): Entry => ({
  key: `lane ${repo}`,
  kind: "lane",
  text: repo,
  run: () => {
    go({ repo, task: null });
  },
});

/** The actions on the lane that is open. */
const actionEntries = (): Entry[] => {
  const { repo } = route.value;
  const row = rows.value.find((each) => each.repo === repo);
  if (repo === null) return [];
  const active = row?.lane.active_task;
  const actions = [
    freezeRepo(repo),
    ...(row?.lane.freezes ?? []).map(({ freeze_id }) => unfreezeRepo(repo, freeze_id)),
    ...(active ? [pauseTask({ ...active, repo })] : []),
  ];
  return actions
    .filter(({ right }) => may(right))
    .map((action) => ({
      key: action.title,
      kind: "act",
      text: action.title,
      run: () => {
        ask(action);
      },
    }));
};

const entriesFor = (text: string): Entry[] => {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const matches = (entry: Entry): boolean =>
    words.every((word) => `${entry.kind} ${entry.text}`.toLowerCase().includes(word));
  const found = [...actionEntries(), ...fixedEntries()].filter(matches);
  if (words.length === 0) return found;
  const lanes: Entry[] = [];
  const tasks: Entry[] = [];
  for (const row of rows.value) {
    if (lanes.length + tasks.length >= MOST) break;
    if (!words.every((word) => row.search.includes(word))) continue;
    const lane = laneEntry(row);
    if (matches(lane)) lanes.push(lane);
    tasks.push(...taskEntries(row, words).slice(0, MOST));
  }
  return [...lanes, ...tasks, ...found].slice(0, MOST);
};

const List = (): JSX.Element => {
  const text = useSignal("");
  const at = useSignal(0);
  // Computed when it is asked for: Enter may come before the list is drawn again.
  const found = useComputed(() => entriesFor(text.value));
  const entries = found.value;
  const choose = (entry: Entry | undefined): void => {
    if (!entry) return;
    closeDialog();
    entry.run();
  };
  return (
    <>
      <input
        type="text"
        role="combobox"
        aria-expanded="true"
        aria-controls="palette-list"
        aria-activedescendant={entries.length > 0 ? `palette-${at.value}` : undefined}
        aria-label="Go to a lane, a task or a filter"
        placeholder="A repository, a work item, a filter …"
        autocomplete="off"
        spellcheck={false}
        autofocus
        value={text.value}
        onInput={({ currentTarget }) => {
          text.value = currentTarget.value;
          at.value = 0;
        }}
        onKeyDown={(event) => {
          const { key } = event;
          if (key === "ArrowDown") at.value = Math.min(at.value + 1, found.value.length - 1);
          else if (key === "ArrowUp") at.value = Math.max(at.value - 1, 0);
          else if (key === "Enter") choose(found.value[at.value]);
          else return;
          event.preventDefault();
        }}
      />
      <ul id="palette-list" class="palette-list" role="listbox" aria-label="Found">
        {entries.map((entry, n) => (
          <li
            key={entry.key}
            id={`palette-${n}`}
            role="option"
            aria-selected={n === at.value}
            onPointerMove={() => (at.value = n)}
            onClick={() => {
              choose(entry);
            }}
          >
            <span class="faint">{entry.kind}</span> <bdi>{entry.text}</bdi>
          </li>
        ))}
      </ul>
      {entries.length === 0 && <p class="empty">Nothing matches.</p>}
    </>
  );
};

export const Palette = (): JSX.Element => {
  const isOpen = dialog.value === "palette";
  const place = useModal(isOpen, "input");
  return (
    <dialog
      ref={place}
      class="dialog palette"
      aria-label="Go to"
      onClose={() => {
        if (dialog.peek() === "palette") closeDialog();
      }}
      onClick={({ target }) => {
        if (target === place.current) closeDialog();
      }}
    >
      {isOpen && <List />}
    </dialog>
  );
};
