/** What an error of the driver means: which typed fault it is, whether the transaction can be run again, and
 *  whether its connection is good for another. */

import pg from "pg";
import { StoreFault, type StoreFaultKind } from "../port.ts";

/** A transaction that came to nothing, or of which no one knows. */
export class Failure extends Error {
  override readonly name = "Failure";
  readonly fault: StoreFault;
  /** Nothing of it is in the database, and the same again may succeed. */
  readonly again: boolean;
  /** The connection is lost, or in a state that we do not know. */
  readonly connectionLost: boolean;
  /** The server does not know a prepared statement of this connection's: between us is a pooler that hands
   *  out another server connection for each transaction. */
  readonly unprepared: boolean;

  constructor(
    fault: StoreFault,
    { again = false, connectionLost = false, unprepared = false }: Partial<Omit<Failure, keyof Error>>,
  ) {
    super(fault.message, { cause: fault });
    this.fault = fault;
    this.again = again;
    this.connectionLost = connectionLost;
    this.unprepared = unprepared;
  }
}

// Codes and classes of https://www.postgresql.org/docs/current/errcodes-appendix.html

/** Others were in the way: a serialization failure, a deadlock, a lock that did not come. */
const IN_THE_WAY = /^(40001|40P01|55P03)$/;
/** A statement took too long, or an operator ended it: the same again would take as long. */
const TOO_LONG = "57014";
/** The server goes down, comes up, or has no room. */
const AWAY = /^(08...|53...|57P0.)$/;
const UNKNOWN_STATEMENT = /^26000$/;
const STATEMENT_EXISTS = /^42P05$/;
/** A constraint, a column that is too small, or a trigger of another program's that raises. */
const REFUSED = /^(22...|23...|P0001)$/;
const UNREADABLE = /^(42...|3F000|XX00[12]|58P01)$/;
/** A prepared statement's table has changed its shape since. */
const REPLAN = "cached plan must not change";

const said = ({ code, message }: pg.DatabaseError): string =>
  `The database answered ${code ?? "an error"}: ${message}`;

const describe = (error: unknown): string =>
  error instanceof Error
    ? error.message || ("code" in error ? String(error.code) : error.name)
    : String(error);

const lost = (error: unknown): Failure =>
  new Failure(
    new StoreFault(
      "unavailable",
      error instanceof pg.DatabaseError ? said(error) : `The database cannot be reached: ${describe(error)}`,
      error,
    ),
    { again: true, connectionLost: true },
  );

/** What went wrong before COMMIT was sent: nothing of the transaction is in the database. */
export const failureOf = (error: unknown): Failure => {
  if (!(error instanceof pg.DatabaseError)) return lost(error);
  const { code = "", severity, message } = error;
  const fault = (kind: StoreFaultKind): StoreFault => new StoreFault(kind, said(error), error);
  const connectionLost = severity !== "ERROR";
  if (IN_THE_WAY.test(code)) return new Failure(fault("busy"), { again: true, connectionLost });
  if (code === TOO_LONG) return new Failure(fault("busy"), { connectionLost });
  if (UNKNOWN_STATEMENT.test(code) || STATEMENT_EXISTS.test(code))
    return new Failure(fault("unavailable"), { again: true, connectionLost: true, unprepared: true });
  if (AWAY.test(code) || message.startsWith(REPLAN) || connectionLost) return lost(error);
  if (REFUSED.test(code)) return new Failure(fault("refused"), {});
  return new Failure(fault(UNREADABLE.test(code) ? "unreadable" : "unavailable"), {});
};

/** What kept a transaction from its beginning: the connection, or a server that takes no changes since another
 *  was promoted. */
export const beginFailureOf = lost;

/** Ends the driver's message when the connection was lost before, so that it did not send the statement. */
const NOT_SENT = "is not queryable";

const cameToNothing = (error: unknown): boolean =>
  error instanceof pg.DatabaseError
    ? error.severity === "ERROR"
    : error instanceof Error && error.message.endsWith(NOT_SENT);

/** Reads an error at COMMIT. It came to nothing when the server is alive and says so, or when the COMMIT was never
 *  sent; otherwise the outcome is unknown. */
export const commitFailureOf = (error: unknown): Failure =>
  cameToNothing(error)
    ? failureOf(error)
    : new Failure(
        new StoreFault(
          "unavailable",
          `The connection was lost while a change was committed; it may be there or not: ${describe(error)}`,
          error,
        ),
        { connectionLost: true },
      );

/** What kept us from a connection. */
export const connectFailureOf = (error: unknown): Failure => {
  if (error instanceof Error && error.message === "timeout exceeded when trying to connect")
    return new Failure(new StoreFault("busy", "All connections to the database are in use.", error), {});
  // Wrong credentials, or no such database: the same again will not help.
  if (error instanceof pg.DatabaseError && /^(28...|3D000|42501)$/.test(error.code ?? ""))
    return new Failure(new StoreFault("unavailable", said(error), error), { connectionLost: true });
  return lost(error);
};
