/** serial-gate doctor: repairs the ready index, and lists damaged pages, unreadable times, stuck tasks, jobs without a lease
 *  and the rights of other roles. */

import type { Command } from "commander";
import { example } from "../../arguments.ts";
import type { CliContext } from "../../context.ts";

export const doctorCommand = (
  program: Command,
  context: CliContext,
  exitWith: (code: number) => void,
): void => {
  program
    .command("doctor")
    .description(
      "check and repair the ready index; list damaged pages, unreadable times, stuck tasks, jobs without a lease and rights that others should not have (reads DATABASE_URL)",
    )
    .addHelpText("after", example("serial-gate doctor"))
    .action(async () => {
      const [
        { parseConfig },
        { openExisting },
        { examineContent, examinePages },
        { readExposures },
        { fileExposures },
      ] = await Promise.all([
        import("../../../config/service.ts"),
        import("./database.ts"),
        import("./examination.ts"),
        import("../../../store/schema-rights.ts"),
        import("../../../store/open.ts"),
      ]);
      const config = parseConfig(context.serviceEnvironment().env);
      const store = await openExisting(config.databaseUrl, context);
      try {
        if (!(await examinePages(store, context))) exitWith(1);
        const exposures = [...fileExposures(config.databaseUrl), ...(await readExposures(store))];
        const isRight = await examineContent(store, config, { context, repair: true, exposures });
        if (!isRight) exitWith(1);
      } finally {
        await store.close();
      }
    });
};
