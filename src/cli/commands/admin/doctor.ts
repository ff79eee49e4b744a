/** serial-gate doctor: repairs the ready index, and lists unreadable times, stuck tasks, jobs without a lease and the rights
 *  of other roles. */

import type { Command } from "commander";
import { EVERYWHERE } from "../../../contract/names/repo-pattern.ts";
import { example } from "../../arguments.ts";
import type { CliContext } from "../../context.ts";
import { printLines } from "../../output/format.ts";
import { stuckIn } from "../queue/command.ts";

const verdictOf = (ready: number): string => (ready === 1 ? "ready" : "held");

export const doctorCommand = (
  program: Command,
  context: CliContext,
  exitWith: (code: number) => void,
): void => {
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
        { fileExposures },
      ] = await Promise.all([
        import("pino"),
        import("../../../config/service.ts"),
        import("../../../gate/gate.ts"),
        import("../../../gate/rule/ready-index.ts"),
        import("../../../store/migrate.ts"),
        import("./database.ts"),
        import("../../../store/schema-rights.ts"),
        import("../../../store/open.ts"),
      ]);
      const { databaseUrl, policy: configured, defaults } = parseConfig(context.serviceEnvironment().env);
      const store = await openExisting(databaseUrl, context);
      try {
        const policy = policyFor(configured, await store.read(readOrigin));
        const gate = new Gate({ store, policy, defaults, log: pino({ level: "silent" }) });
        if (await store.read(isReadyIndexBuilt)) {
          const { compared, wrong, mended } = await gate.audit(({ id, repo, ready, shouldBe }) => {
            printLines(
              context,
              `job ${id} (${repo ?? "no repository"}): ${verdictOf(ready)} in the index, ${verdictOf(shouldBe)} by the rule`,
            );
          });
          printLines(
            context,
            `${compared} queued jobs checked, ${wrong} wrong in the ready index, ${mended} repaired`,
          );
          // A job in a lane that is locked just now is left to the service's own audit.
          if (mended < wrong) exitWith(1);
        } else
          printLines(
            context,
            "No service has started on this database yet: its first start builds the ready index",
          );
        printLines(
          context,
          ...fileExposures(databaseUrl),
          ...(await readExposures(store)),
          ...(await gate.describeUnreadableTimes()),
          ...stuckIn(await gate.queue(undefined, EVERYWHERE)),
          ...(await gate.unleasedJobs()),
        );
        gate.drain();
      } finally {
        await store.close();
      }
    });
};
