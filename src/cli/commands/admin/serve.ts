/** serial-gate serve: runs the service. */

import type { Command } from "commander";
import { example } from "../../arguments.ts";
import type { CliContext } from "../../context.ts";

export const serveCommand = (
  program: Command,
  { env, stdout, stderr, onStop, onReload }: CliContext,
): void => {
  program
    .command("serve")
    .description("migrate the database and serve until stopped")
    .addHelpText("after", example("PORT=8081 serial-gate serve"))
    .action(async () => {
      const [{ parseConfig }, { serve }, { shownUrl }] = await Promise.all([
        import("../../../config/service.ts"),
        import("../../../serve.ts"),
        import("../../../store/open.ts"),
      ]);
      const config = parseConfig(env);
      const stopped = new Promise<void>((stop) => {
        onStop(() => {
          stop();
        });
      });
      const service = await serve(config, stderr);
      onReload(() => {
        service.reload();
      });
      stdout.write(
        `serial-gate ${service.url} on ${shownUrl(config.databaseUrl)}  (try: curl -X POST ${service.url}/jobs/claim, or open ${service.url}/docs)\n`,
      );
      await stopped;
      await service.close();
    });
};
