/** serial-gate doctor: repairs the ready index, and lists unreadable times, stuck tasks, jobs without a lease and the rights
 *  of other roles. */

import type { Command } from "commander";
import { example } from "../../arguments.ts";
import type { CliContext } from "../../context.ts";
import { plain } from "../../output/text.ts";
import { stuckIn } from "../queue/command.ts";

const verdictOf = (ready: number): string => (ready === 1 ? "ready" : "held");

export const doctorCommand = (
  program: Command,
  context: CliContext,
  exitWith: (code: number) => void,
): void => {
  const { env, stdout } = context;
  program
    .command("doctor")
    .description(
      "check and repair the ready index; list unreadable times, stuck tasks, jobs without a lease and rights that others should not have (reads DATABASE_URL)",
    )
    .addHelpText("after", example("serial-gate doctor"))
    .action(async () => {
      const [
        { pino },
        { parseConfig, policyFor },
        { Gate },
        { isReadyIndexBuilt },
        { readOrigin },
        { openExisting },
        { readExposures },
      ] = await Promise.all([
        import("pino"),
        import("../../../config/service.ts"),
        import("../../../gate/gate.ts"),
        import("../../../gate/rule/ready-index.ts"),
        import("../../../store/migrate.ts"),
        import("./database.ts"),
        import("../../../store/schema-rights.ts"),
      ]);
      const { databaseUrl, policy: configured, defaults } = parseConfig(env);
      const store = await openExisting(databaseUrl, context);
      try {
        const policy = policyFor(configured, await store.read(readOrigin));
        const gate = new Gate({ store, policy, defaults, log: pino({ level: "silent" }) });
        if (await store.read(isReadyIndexBuilt)) {
          const { compared, wrong, mended } = await gate.audit(({ id, repo, ready, shouldBe }) => {
            stdout.write(
              `job ${id} (${repo ?? "no repository"}): ${verdictOf(ready)} in the index, ${verdictOf(shouldBe)} by the rule\n`,
            );
          });
          stdout.write(
            `${compared} queued jobs checked, ${wrong} wrong in the ready index, ${mended} repaired\n`,
          );
          // A job in a lane that is locked just now is left to the service's own audit.
          if (mended < wrong) exitWith(1);
        } else
          stdout.write(
            "No service has started on this database yet: its first start builds the ready index\n",
          );
        for (const exposure of await readExposures(store)) stdout.write(`${exposure}\n`);
        for (const sentence of await gate.describeUnreadableTimes()) stdout.write(`${sentence}\n`);
        for (const sentence of stuckIn(await gate.queue())) stdout.write(`${sentence}\n`);
        for (const sentence of await gate.unleasedJobs()) stdout.write(`${plain(sentence)}\n`);
        gate.drain();
      } finally {
        await store.close();
      }
    });
};
