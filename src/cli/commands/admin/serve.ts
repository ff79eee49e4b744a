/** serial-gate serve: runs the service. */

import type { Command } from "commander";
import { example } from "../../arguments.ts";
import type { CliContext } from "../../context.ts";
import { printLines } from "../../output/format.ts";
import { LogLines } from "./log-lines.ts";

export const serveCommand = (program: Command, context: CliContext): void => {
  program
    .command("serve")
    .description("migrate the database and serve until stopped")
    .addHelpText("after", example("PORT=8081 serial-gate serve"))
    .action(async () => {
      const [{ asksForTokens, parseConfig }, { serve }, { shownUrl }] = await Promise.all([
        import("../../../config/service.ts"),
        import("../../../serve.ts"),
        import("../../../store/open.ts"),
      ]);
      const { stderr, onStop, onReload, onExit } = context;
      const logs = new LogLines(stderr);
      onExit(() => {
        logs.flush();
      });
      const config = parseConfig(context.serviceEnvironment().env);
      const stopped = new Promise<void>((stop) => {
        onStop(() => {
          stop();
        });
      });
      const service = await serve(config, logs);
      onReload(() => {
        service.reload();
      });
      const authorized = asksForTokens(config) ? '-H "Authorization: Bearer $SERIAL_GATE_TOKEN" ' : "";
      printLines(
        context,
        `serial-gate ${service.url} on ${shownUrl(config.databaseUrl)}  (open ${service.url}/ in a browser, or try: curl ${authorized}-X POST ${service.url}/jobs/claim)`,
      );
      await stopped;
      await service.close();
    });
};
