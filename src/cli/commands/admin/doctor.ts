/** serial-gate doctor */

import type { Command } from "commander";
import { example } from "../../arguments.ts";
import type { CliContext } from "../../context.ts";
import { stuckIn } from "../queue.ts";

const says = (ready: number): string => (ready === 1 ? "may start" : "held");

export const doctorCommand = (
  program: Command,
  { env, stdout }: CliContext,
  exitWith: (code: number) => void,
): void => {
  program
    .command("doctor")
    .description("mend the marks of what may start; tell which tasks cannot go on by themselves")
    .addHelpText("after", example("serial-gate doctor"))
    .action(async () => {
      const [{ pino }, { parseConfig }, { Gate }, { openStore }] = await Promise.all([
        import("pino"),
        import("../../../config/service.ts"),
        import("../../../gate/gate.ts"),
        import("../../../store/open.ts"),
      ]);
      const { databaseUrl, policy, defaults } = parseConfig(env);
      const store = await openStore(databaseUrl);
      const gate = new Gate({ store, policy, defaults, log: pino({ level: "silent" }) });
      try {
        const { compared, wrong, mended } = await gate.audit(({ id, repo, ready, shouldBe }) => {
          stdout.write(
            `job ${id} (${repo ?? "no repository"}): marked ${says(ready)}, is ${says(shouldBe)}\n`,
          );
        });
        stdout.write(`${compared} queued jobs compared, ${wrong} marks wrong, ${mended} mended\n`);
        // A mark in a lane that somebody holds just now is left to the service's own audit.
        if (mended < wrong) exitWith(1);
        for (const sentence of stuckIn(await gate.queue())) stdout.write(`${sentence}\n`);
      } finally {
        gate.drain();
        await store.close();
      }
    });
};
