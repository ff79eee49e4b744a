/** Classifies the driver's errors: the port's typed fault, whether the transaction may be retried, and whether its
 *  connection is still usable. It retries nothing itself: see retry.ts. */

import pg from "pg";
import { StoreFault, type StoreFaultKind } from "../port.ts";

/** A transaction that was rolled back, or whose outcome is unknown. */
export class Failure extends Error {
  override readonly name = "Failure";
  readonly fault: StoreFault;
  /** The transaction changed nothing, and may succeed when it is run again. */
  readonly retryable: boolean;
  /** The connection is lost, or in an unknown state. */
  readonly connectionLost: boolean;
  /** The server does not know a statement that this connection prepared: a pooler in between hands out another server
   *  connection for each transaction. */
  readonly preparedStatementLost: boolean;

  constructor(
    fault: StoreFault,
    {
      retryable = false,
      connectionLost = false,
      preparedStatementLost = false,
    }: Partial<Omit<Failure, keyof Error>>,
  ) {
    super(fault.message, { cause: fault });
    this.fault = fault;
    this.retryable = retryable;
    this.connectionLost = connectionLost;
    this.preparedStatementLost = preparedStatementLost;
  }
}

// Codes and classes of https://www.postgresql.org/docs/current/errcodes-appendix.html

/** Serialization failure, deadlock, lock timeout. */
const CONFLICT = /^(40001|40P01|55P03)$/;
/** A statement timeout, or an operator's pg_cancel_backend: a retry would take as long again. */
const QUERY_CANCELED = "57014";
/** The server is shutting down, starting up, or out of connections or memory. */
const SERVER_UNAVAILABLE = /^(08...|53...|57P0.)$/;
const UNKNOWN_STATEMENT = /^26000$/;
const STATEMENT_EXISTS = /^42P05$/;
/** A constraint, a column that is too small, or RAISE in another program's trigger. */
const REFUSED = /^(22...|23...|P0001)$/;
/** A mistake in our statement, or more than a statement may have. The rest of class 42 is about what lacks in the schema, or
 *  the rights on it. */
const INVALID = /^(42601|42P02|42P08|42P18|42P1[09]|42P2.|42702|42725|42803|54...)$/;
const UNREADABLE = /^(42...|3F000|XX00[12]|58P01)$/;
/** A prepared statement's table was altered since. */
const STALE_PLAN = "cached plan must not change";

const serverMessage = ({ code, message }: pg.DatabaseError): string =>
  `The database answered ${code ?? "an error"}: ${message}`;

const describe = (error: unknown): string =>
  error instanceof Error
    ? error.message || ("code" in error ? String(error.code) : error.name)
    : String(error);

const connectionFailureOf = (error: unknown): Failure =>
  new Failure(
    new StoreFault(
      "unavailable",
      error instanceof pg.DatabaseError
        ? serverMessage(error)
        : `The database cannot be reached: ${describe(error)}`,
      error,
    ),
    { retryable: true, connectionLost: true },
  );

/** A failure before COMMIT was sent: the transaction changed nothing. */
export const failureOf = (error: unknown): Failure => {
  if (!(error instanceof pg.DatabaseError)) return connectionFailureOf(error);
  const { code = "", severity, message } = error;
  const fault = (kind: StoreFaultKind): StoreFault => new StoreFault(kind, serverMessage(error), error);
  const connectionLost = severity !== "ERROR";
  if (CONFLICT.test(code)) return new Failure(fault("busy"), { retryable: true, connectionLost });
  if (code === QUERY_CANCELED) return new Failure(fault("busy"), { connectionLost });
  if (UNKNOWN_STATEMENT.test(code) || STATEMENT_EXISTS.test(code))
    return new Failure(fault("unavailable"), {
      retryable: true,
      connectionLost: true,
      preparedStatementLost: true,
    });
  if (SERVER_UNAVAILABLE.test(code) || message.startsWith(STALE_PLAN) || connectionLost)
    return connectionFailureOf(error);
  if (REFUSED.test(code)) return new Failure(fault("refused"), {});
  if (INVALID.test(code)) return new Failure(fault("invalid"), {});
  return new Failure(fault(UNREADABLE.test(code) ? "unreadable" : "unavailable"), {});
};

/** A failure of BEGIN: the connection is lost, or the server is read-only since another one was promoted. */
export const beginFailureOf = connectionFailureOf;

/** Ends the driver's message when the connection was lost before, so that it did not send the statement. */
const NOT_SENT = "is not queryable";

const changedNothing = (error: unknown): boolean =>
  error instanceof pg.DatabaseError
    ? error.severity === "ERROR"
    : error instanceof Error && error.message.endsWith(NOT_SENT);

/** Reads an error at COMMIT. The transaction changed nothing when the server is alive and says so, or when the COMMIT was never
 *  sent; otherwise the outcome is unknown. */
export const commitFailureOf = (error: unknown): Failure =>
  changedNothing(error)
    ? failureOf(error)
    : new Failure(
        new StoreFault(
          "unavailable",
          `The connection was lost during a commit, and its outcome is unknown: ${describe(error)}`,
          error,
        ),
        { connectionLost: true },
      );

/** A failure to get a connection from the pool. */
export const connectFailureOf = (error: unknown): Failure => {
  if (error instanceof Error && error.message === "timeout exceeded when trying to connect")
    return new Failure(new StoreFault("busy", "All connections to the database are in use.", error), {});
  // Wrong credentials or no such database: a retry would fail again.
  if (error instanceof pg.DatabaseError && /^(28...|3D000|42501)$/.test(error.code ?? ""))
    return new Failure(new StoreFault("unavailable", serverMessage(error), error), { connectionLost: true });
  return connectionFailureOf(error);
};
