/** The driver's errors as the port's typed faults, each with the file's name and the way out. It retries nothing: see
 *  retry.ts. */

import Database from "better-sqlite3";
import { StoreFault, type StoreFaultKind } from "../port.ts";

type SqliteError = InstanceType<typeof Database.SqliteError>;

/** Includes RAISE in another program's trigger. */
const REFUSED = /^SQLITE_(CONSTRAINT|TOOBIG)/;
const DAMAGED = /^SQLITE_(CORRUPT|NOTADB|SCHEMA|MISMATCH)/;
/** SQLITE_ERROR has no finer code: what lacks in the schema or is wrong in a row is told from a mistake in our statement by
 *  the message. */
const LACKING =
  /no such (table|column|index|view|module)|has no column named|no such collation sequence|malformed JSON/;

const kindOf = ({ code, message }: SqliteError): StoreFaultKind => {
  if (/^SQLITE_(BUSY|LOCKED)/.test(code)) return "busy";
  if (REFUSED.test(code)) return "refused";
  if (DAMAGED.test(code)) return "unreadable";
  if (code.startsWith("SQLITE_ERROR")) return LACKING.test(message) ? "unreadable" : "invalid";
  return "unavailable";
};

const RESTORE = 'Stop the service and restore a backup: docs/operations.md, "Back up and restore".';

/** Advice to an operator by error code. The first pattern that matches counts. */
const WAYS_OUT: readonly (readonly [code: RegExp, wayOut: string])[] = [
  [/^SQLITE_FULL/, "Make room on its disk; the service then goes on by itself."],
  [
    /^SQLITE_READONLY/,
    "Give the service's user the right to write to it and to its folder, and check that the mount is writable.",
  ],
  [
    /^SQLITE_CANTOPEN/,
    "Check that its folder exists, that the service's user may read and write in it, and that the mount is writable.",
  ],
  [/^SQLITE_(PERM|AUTH)/, "Give the service's user the right to read and write it."],
  [/^SQLITE_IOERR/, "Check its disk, its free space and the file size limit of the process (ulimit -f)."],
  [/^SQLITE_NOTADB/, `It is no SQLite database. Name another file in DATABASE_URL, or restore a backup.`],
  [/^SQLITE_(CORRUPT|SCHEMA|MISMATCH)/, RESTORE],
];

const LOST_TABLE = `Another program changed its schema: undo that, or restore a backup.`;

const wayOutOf = ({ code }: SqliteError, kind: StoreFaultKind): string | undefined =>
  WAYS_OUT.find(([pattern]) => pattern.test(code))?.[1] ?? (kind === "unreadable" ? LOST_TABLE : undefined);

export const busyFault = (file: string, cause?: unknown): StoreFault =>
  new StoreFault("busy", `Another program has locked the database ${file}.`, cause);

/** A driver's error as the port's typed fault; any other error as it is. */
export const faultOf = (error: unknown, file: string): unknown => {
  if (!(error instanceof Database.SqliteError)) return error;
  const kind = kindOf(error);
  if (kind === "busy") return busyFault(file, error);
  const said = `The database ${file} answered ${error.code}: ${error.message}.`;
  const wayOut = wayOutOf(error, kind);
  return new StoreFault(kind, wayOut === undefined ? said : `${said} ${wayOut}`, error);
};
