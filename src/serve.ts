/** The composition root: config -> store -> migrate -> gate -> app -> an open port. */

import { readFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { report } from "node:process";
import { createSecureContext } from "node:tls";
import { pino, type DestinationStream, type Logger } from "pino";

import {
  asksForTokens,
  ConfigError,
  policyFor,
  strictLanesReason,
  type Config,
  type TlsFiles,
} from "./config/service.ts";
import { TokenFileError } from "./access/token-file.ts";
import { openTokens, type Tokens } from "./access/token-source.ts";
import { Gate } from "./gate/gate.ts";
import { adoptedWork, adoptionSentence, unleasedSentence } from "./gate/queries/adoption.ts";
import { buildApp } from "./http/app.ts";
import type { AnswerMcp } from "./http/routes/mcp.ts";
import { readPage } from "./page.ts";
import { migrate, readOrigin, readSchema } from "./store/migrate.ts";
import { fileExposures, openStore } from "./store/open.ts";
import { readExposures } from "./store/schema-rights.ts";
import type { Store } from "./store/port.ts";
import { VERSION } from "./version.ts";

export interface Service {
  /** Where it answers. */
  readonly url: string;
  /** Reads the token file again. */
  reload(): void;
  /** Hands out nothing more, answers what is in flight, and lets the database go. */
  close(): Promise<void>;
}

/** Descriptors that the database, the log and the runtime need. */
const OWN_DESCRIPTORS = 100;
const MOST_CONNECTIONS = 50_000;

/** The connections that the limit of open files allows, so that the service never runs out of descriptors. */
const mostConnections = (): number => {
  const limits = (report.getReport() as { userLimits?: { open_files?: { soft?: unknown } } }).userLimits;
  const files = Number(limits?.open_files?.soft);
  if (Number.isNaN(files)) return MOST_CONNECTIONS;
  return Math.min(Math.max(files - OWN_DESCRIPTORS, Math.ceil(files / 2)), MOST_CONNECTIONS);
};

/** The certificate and its key.
 *  @throws ConfigError when they cannot be read or do not belong together */
const readTls = ({ cert, key }: TlsFiles): { readonly cert: Buffer; readonly key: Buffer } => {
  try {
    const read = { cert: readFileSync(cert), key: readFileSync(key) };
    createSecureContext(read);
    return read;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new ConfigError([`SERIAL_GATE_TLS_CERT and SERIAL_GATE_TLS_KEY cannot be used: ${why}`]);
  }
};

const urlOf = ({ family, address, port }: AddressInfo, scheme: "http" | "https"): string =>
  `${scheme}://${family === "IPv6" ? `[${address}]` : address}:${port}`;

/** Logs what the adoption of an orchestrator's database found. */
const logAdoption = async (store: Store, logger: Logger, applied: readonly string[]): Promise<void> => {
  const work = await store.read(adoptedWork);
  logger.info({ applied, tasks: work.tasks, unfinished: work.unfinished }, adoptionSentence(work));
  const unleased = unleasedSentence(work);
  if (unleased !== undefined) logger.warn({ running: work.running.jobs }, unleased);
};

/** Brings the database to this version and logs whether it was created, adopted or upgraded. */
const prepare = async (store: Store, logger: Logger): Promise<void> => {
  const before = await readSchema(store);
  const applied = await migrate(store);
  if (applied.length === 0) return;
  if (before === "orchestrator") await logAdoption(store, logger, applied);
  else logger.info({ applied }, `The database is ${before === "none" ? "created" : "upgraded"}.`);
};

/** Reads the tokens; undefined for a service that asks for none.
 *  @throws ConfigError */
const readTokens = (config: Config, logger: Logger): Tokens | undefined => {
  if (!asksForTokens(config)) return undefined;
  try {
    return openTokens(config.tokens, config.tokensFile, logger);
  } catch (error) {
    if (error instanceof TokenFileError) throw new ConfigError([`SERIAL_GATE_TOKENS_FILE: ${error.message}`]);
    throw error;
  }
};

/** The protocol's library is as large as the rest of the service: it is loaded at the first message. */
const answerMcp: AnswerMcp = async (...message) =>
  (await import("./mcp/http.ts")).answerMcp(VERSION)(...message);

/** Starts the service.
 *  @throws ConfigError for an invalid token file
 *  @throws StoreFault when the database cannot be opened, MigrationError when it cannot be used,
 *    or the system's error when the port cannot */
export const serve = async (config: Config, logs: DestinationStream): Promise<Service> => {
  const logger = pino({ level: config.logLevel, redact: ["req.headers"] }, logs);
  for (const warning of config.warnings) logger.warn(warning);
  const tls = config.tls && readTls(config.tls);
  const access = readTokens(config, logger);
  const store = await openStore(config.databaseUrl, { allowEmpty: config.allowEmpty });
  try {
    await prepare(store, logger);
    for (const exposure of [...fileExposures(config.databaseUrl), ...(await readExposures(store))])
      logger.warn(exposure);
    const { defaults, projects, eventsDays, keptLanes } = config;
    const origin = await store.read(readOrigin);
    const policy = policyFor(config.policy, origin);
    logger.info(
      { strictLanes: policy.strictLanes },
      `Strict lanes are ${policy.strictLanes ? "on" : "off"}: ${strictLanesReason(config.policy, origin)}.`,
    );
    const gate = new Gate({ store, policy, defaults, projects, eventsDays, keptLanes, log: logger });
    await gate.adopt(true);
    const budgets = { ...config.budgets, connections: config.budgets.connections ?? mostConnections() };
    const page = readPage();
    if (page.size === 0) logger.warn("There is no dashboard at /: dist/web is missing. Run npm run build.");
    const app = await buildApp({
      gate,
      keyring: access?.keyring,
      logger,
      version: VERSION,
      page,
      budgets,
      tls,
      mcp: answerMcp,
      llms: readFileSync(new URL("../llms.txt", import.meta.url), "utf8"),
    });
    await app.listen({ host: config.host, port: config.port, listenTextResolver: () => "listening" });
    gate.start();
    return {
      url: urlOf(app.server.address() as AddressInfo, tls ? "https" : "http"),
      reload: () => {
        access?.reload();
      },
      close: async () => {
        access?.close();
        await app.close();
        await store.close();
      },
    };
  } catch (error) {
    access?.close();
    await store.close();
    throw error;
  }
};
