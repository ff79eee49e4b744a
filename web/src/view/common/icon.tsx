/** The icons: 16 by 16, in the colour of the text. */

import type { JSX } from "preact";

const PATHS = {
  stuck: "M8 1.8 14.6 13.4H1.4ZM8 6v3.4M8 11.2v.6",
  freeze: "M8 1.5v13M2.4 4.75l11.2 6.5M13.6 4.75 2.4 11.25M6.2 2.6 8 4.2l1.8-1.6M6.2 13.4 8 11.8l1.8 1.6",
  running: "M5 3.2v9.6l8-4.8Z",
  ready: "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2M5.4 8.2l1.9 1.9 3.4-3.9",
  waiting: "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2M8 4.8V8l2.2 1.6",
  pause: "M5.4 3.4v9.2M10.6 3.4v9.2",
  idle: "M3.5 8h9",
  copy: "M5.5 5.5h7v7h-7ZM3.5 10.5v-7h7",
  search: "M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9M10.4 10.4l3.4 3.4",
  arrow: "M3 8h9.5M9 4.5 12.5 8 9 11.5",
  close: "M4 4l8 8M12 4l-8 8",
  help: "M5.8 6a2.2 2.2 0 1 1 3 2c-.6.3-.8.7-.8 1.4M8 11.8v.4",
} as const;

export type IconName = keyof typeof PATHS;

export const Icon = ({ name }: { name: IconName }): JSX.Element => (
  <svg class="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" focusable="false">
    <path d={PATHS[name]} />
  </svg>
);
