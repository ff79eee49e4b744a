/** serial-gate replay */
import type { Command } from "commander";
import type { Surroundings } from "./program.ts";

export const replayCommand = (
  program: Command,
  _around: Surroundings,
  _exitWith: (code: number) => void,
): void => {
  program.command("replay");
};
