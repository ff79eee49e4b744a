/** serial-gate mcp: the tools for an agent, on stdin and stdout. */

import type { Command } from "commander";
import { example } from "../arguments.ts";
import type { CliContext } from "../context.ts";
import { connect, noteOf } from "../service.ts";

export const mcpCommand = (program: Command, context: CliContext): void => {
  program
    .command("mcp")
    .description("serve the tools for agents (Model Context Protocol) on stdin and stdout")
    .addHelpText(
      "after",
      `
The agent's program starts it, and closes its stdin to end it. The service has the same tools at /mcp.
${example("serial-gate mcp")}`,
    )
    .action(async () => {
      const client = connect(context);
      const [{ serveMcp }, { VERSION }] = await Promise.all([
        import("../../mcp/stdio.ts"),
        import("../../version.ts"),
      ]);
      const stopped = new Promise<void>((stop) => {
        context.onStop(() => {
          stop();
        });
      });
      await serveMcp({ client, version: VERSION, by: noteOf(context, {}).by }, context, stopped);
    });
};
