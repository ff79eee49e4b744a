/** The examination of a database, for the doctor and the backup. */

import type { Config } from "../../../config/service.ts";
import type { Store } from "../../../store/port.ts";
import type { CliContext } from "../../context.ts";
import { printLines } from "../../output/format.ts";
import { stuckIn } from "../queue/command.ts";
import { EVERYWHERE } from "../../../contract/names/repo-pattern.ts";

const verdictOf = (ready: number): string => (ready === 1 ? "ready" : "held");

/** Prints the damaged pages and indexes of the file.
 *  @returns false when there are any */
export const examinePages = async (store: Store, context: CliContext): Promise<boolean> => {
  const { all, StoreFault } = await import("../../../store/port.ts");
  const read = async (): Promise<string[]> =>
    (await store.read(() => all<{ damage: string }>(store.dialect.damages))).map(({ damage }) => damage);
  const damages = await read().catch((error: unknown) => {
    // Some damage ends the check itself.
    if (error instanceof StoreFault && error.kind === "unreadable") return [error.message];
    throw error;
  });
  printLines(context, ...damages.map((damage) => `damaged: ${damage}`));
  return damages.length === 0;
};

/** Prints what the ready index has wrong, unreadable times, stuck tasks and jobs without a lease.
 *  @param repair false to leave the database as it is, and its stuck tasks out
 *  @param exposures sentences to print before the tasks
 *  @returns false when something is wrong and not repaired */
export const examineContent = async (
  store: Store,
  { policy: configured, defaults }: Config,
  {
    context,
    repair,
    exposures = [],
  }: { context: CliContext; repair: boolean; exposures?: readonly string[] },
): Promise<boolean> => {
  const [{ pino }, { policyFor }, { Gate }, { isReadyIndexBuilt }, { readOrigin }] = await Promise.all([
    import("pino"),
    import("../../../config/service.ts"),
    import("../../../gate/gate.ts"),
    import("../../../gate/rule/ready-index.ts"),
    import("../../../store/migrate.ts"),
  ]);
  const policy = policyFor(configured, await store.read(readOrigin));
  const gate = new Gate({ store, policy, defaults, log: pino({ level: "silent" }) });
  let isRight = true;
  if (await store.read(isReadyIndexBuilt)) {
    const { compared, wrong, mended } = await gate.audit(({ id, repo, ready, shouldBe }) => {
      printLines(
        context,
        `job ${id} (${repo ?? "no repository"}): ${verdictOf(ready)} in the index, ${verdictOf(shouldBe)} by the rule`,
      );
    }, repair);
    printLines(
      context,
      `${compared} queued jobs checked, ${wrong} wrong in the ready index, ${mended} repaired`,
    );
    // A job in a lane that is locked just now is left to the service's own audit.
    isRight = mended === wrong;
  } else
    printLines(
      context,
      "No service has started on this database yet: its first start builds the ready index",
    );
  printLines(
    context,
    ...exposures,
    ...(await gate.describeUnreadableTimes()),
    // The queue does first what is due, which would change a copy.
    ...(repair ? stuckIn(await gate.queue(undefined, EVERYWHERE)) : []),
    ...(await gate.unleasedJobs()),
  );
  gate.drain();
  return isRight;
};
