/** Which of the page's own dialogs is open. That of an action is open while something is asked: state/acting.ts. */

import { signal } from "@preact/signals";

export type DialogName = "palette" | "help";

export const dialog = signal<DialogName | null>(null);

export const openDialog = (name: DialogName): void => {
  dialog.value = name;
};

export const closeDialog = (): void => {
  dialog.value = null;
};
