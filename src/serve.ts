/** The composition root: config -> store -> migrate -> gate -> app -> an open port. */

import type { AddressInfo } from "node:net";
import { pino, type DestinationStream } from "pino";

import { policyFor, type Config } from "./config/service.ts";
import { Gate } from "./gate/gate.ts";
import { buildApp } from "./http/app.ts";
import { migrate, readOrigin } from "./store/migrate.ts";
import { openStore } from "./store/open.ts";
import { readExposures } from "./store/schema-rights.ts";
import { VERSION } from "./version.ts";

export interface Service {
  /** Where it answers. */
  readonly url: string;
  /** Hands out nothing more, answers what is in flight, and lets the database go. */
  close(): Promise<void>;
}

const urlOf = ({ family, address, port }: AddressInfo): string =>
  `http://${family === "IPv6" ? `[${address}]` : address}:${port}`;

/** Starts the service.
 *  @throws StoreFault when the database cannot be opened, MigrationError when it cannot be used,
 *    or the system's error when the port cannot */
export const serve = async (config: Config, logs: DestinationStream): Promise<Service> => {
  const logger = pino({ level: config.logLevel, redact: ["req.headers"] }, logs);
  for (const warning of config.warnings) logger.warn(warning);
  const store = await openStore(config.databaseUrl);
  try {
    const applied = await migrate(store);
    if (applied.length > 0) logger.info({ applied }, "The database is migrated.");
    for (const exposure of await readExposures(store)) logger.warn(exposure);
    const { defaults, projects, eventsDays, tokens } = config;
    const policy = policyFor(config.policy, await store.read(readOrigin));
    const gate = new Gate({ store, policy, defaults, projects, eventsDays, log: logger });
    await gate.adopt();
    const app = await buildApp({ gate, tokens, logger, version: VERSION });
    await app.listen({ host: config.host, port: config.port, listenTextResolver: () => "listening" });
    gate.start();
    return {
      url: urlOf(app.server.address() as AddressInfo),
      close: async () => {
        await app.close();
        await store.close();
      },
    };
  } catch (error) {
    await store.close();
    throw error;
  }
};
