/** Reads a database URL: a SQLite file or a PostgreSQL server. Each spelling is read as people mean it, or refused with a
 *  reason; none makes a file with a strange name. It opens nothing. */

import { homedir } from "node:os";
import { sep } from "node:path";

export type DatabaseUrl =
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "server"; readonly url: string }
  /** A sentence without the URL's secrets. */
  | { readonly kind: "invalid"; readonly reason: string };

/** The path of a database that lives as long as its process. */
export const MEMORY = ":memory:";

const FILE = /^file:/i;
const SERVER = /^postgres(?:ql)?:\/\//;
const EXPECTED = "expected file:PATH or postgres://USER:PASSWORD@HOST:PORT/DATABASE";

const isWindows = sep === "\\";

const invalid = (reason: string): DatabaseUrl => ({ kind: "invalid", reason });

/** A drive letter, or a backslash anywhere. */
const WINDOWS_PATH = /^\/{0,3}[A-Za-z]:|\\/;

/** Each pattern of a path that is refused, and the reason. */
const REFUSED_PATHS: readonly (readonly [pattern: RegExp, reason: string])[] = [
  [/^\s|\s$/, "the path begins or ends with a space; write %20 if its name does"],
  [/^(["']).*\1$/s, "write the path without quotes"],
  [/\?/, "parameters such as ?mode=ro are not read; write %3F for a question mark in a file name"],
  [/^\/\/(?!\/|localhost\/)/i, "file://HOST/… names another machine; write file:PATH or file:///PATH"],
  [/\$\{?\w/, "variables are not expanded; write the whole path, or %24 for a dollar sign in a file name"],
  [/^~(?!\/)|^\/+~/, "only a path that begins with file:~/ is in the home folder"],
  [/^:?memory:$|^:memory$/, `write file:${MEMORY} for a database in memory`],
  [/(?:^|\/)\.{0,2}$/, "the path names a folder; write the path of a file in it"],
];

/** The text with its %XX read; undefined when one is malformed. */
const decoded = (text: string): string | undefined => {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
};

/** Reads the part behind `file:`. */
const readPath = (text: string): DatabaseUrl => {
  if (text === MEMORY) return { kind: "file", path: MEMORY };
  if (!isWindows && WINDOWS_PATH.test(text))
    return invalid("this system has no Windows paths; write / between folders, and no drive letter");
  const refused = REFUSED_PATHS.find(([pattern]) => pattern.test(text));
  if (refused) return invalid(refused[1]);
  if (/%2f/i.test(text)) return invalid("write / and not %2F between folders");
  // file://localhost/PATH, file:///PATH and file:/PATH are one path.
  const path = decoded(text.replace(/^\/\/localhost(?=\/)/i, "").replace(/^\/+/, "/"));
  if (path === undefined) return invalid("% begins a code such as %20; write %25 for a percent sign");
  if (/[\0-\x1f\x7f]/.test(path)) return invalid("a file name has no control characters");
  if (path.startsWith("~/")) return { kind: "file", path: `${homedir()}${path.slice(1)}` };
  return { kind: "file", path: isWindows ? path.replace(/^\/(?=[A-Za-z]:)/, "") : path };
};

/** The values of `sslmode` that the driver knows. All but the first mean TLS; all but the last of those check the server's
 *  certificate and its name, as `verify-full` does. */
const SSL_MODES = ["disable", "prefer", "require", "verify-ca", "verify-full", "no-verify"];

const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[?::1\]?)$/i;

/** The machine of a server; the driver prefers the parameter. Undefined for a socket in the file system. */
const hostOf = ({ hostname, searchParams }: URL): string | undefined => {
  const named = searchParams.getAll("host").at(-1) ?? "";
  const host = named === "" ? decodeURIComponent(hostname) : named;
  return host === "" || host.startsWith("/") ? undefined : host;
};

/** Without a mode the driver would send the password and every payload in clear text.
 *  @returns the reason why the URL is refused */
const sslFault = (url: URL): string | undefined => {
  const mode = url.searchParams.getAll("sslmode").at(-1);
  if (mode !== undefined && !SSL_MODES.includes(mode)) return `sslmode is one of ${SSL_MODES.join(", ")}`;
  const host = hostOf(url);
  return mode === undefined && host !== undefined && !LOOPBACK.test(host)
    ? "a database on another machine needs ?sslmode=verify-full, or ?sslmode=disable on a network that you trust"
    : undefined;
};

/** Reads a server's URL. A password with an unescaped `#`, `/` or `?` moves what follows it into other parts of the URL,
 *  where nothing masks it. */
const readServer = (url: string): DatabaseUrl => {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  const isPlain =
    parsed !== undefined &&
    !url.includes("#") &&
    /^\/?[^/@]*$/.test(parsed.pathname) &&
    [...parsed.searchParams.keys()].every((name) => /^[a-z_]+$/i.test(name)) &&
    [parsed.username, parsed.password, parsed.hostname, parsed.pathname].every(
      (part) => decoded(part) !== undefined,
    );
  const fault = isPlain ? sslFault(parsed) : undefined;
  if (fault !== undefined) return invalid(fault);
  return isPlain
    ? { kind: "server", url }
    : invalid(`${EXPECTED}; write # / ? @ : and % in a password as %23 %2F %3F %40 %3A %25`);
};

/** Other ways to name a SQLite file, which are answered with ours: SQLAlchemy's three slashes, JDBC, or a bare path. */
const suggestionFor = (url: string): string => {
  if (url.toLowerCase() === MEMORY) return `; write file:${MEMORY} for a database in memory`;
  return /^(?:jdbc:)?sqlite[0-9a-z+]*:/i.test(url) || (!/^[a-z][\w+.-]+:/i.test(url) && !url.includes("@"))
    ? "; a SQLite file is file:PATH, such as file:./data/serial-gate.db"
    : "";
};

/** @returns a path or a server; or the reason why the URL is refused, with no part of the URL in it */
export const readDatabaseUrl = (url: string): DatabaseUrl => {
  if (FILE.test(url)) return readPath(url.slice("file:".length));
  if (SERVER.test(url)) return readServer(url);
  return invalid(`${EXPECTED}${suggestionFor(url)}`);
};

/** The path in the URL of a file; undefined for any other URL. */
export const pathOf = (url: string): string | undefined => {
  const read = readDatabaseUrl(url);
  return read.kind === "file" ? read.path : undefined;
};

/** True for a valid `postgres://…` or `postgresql://…` URL. */
export const isServer = (url: string): boolean => readDatabaseUrl(url).kind === "server";

/** The URL for logs and error messages, by the parts that have no secret: of a server the scheme, host, port, database
 *  and names of its parameters. `(set)` for one that cannot be read. */
export const shownUrl = (url: string): string => {
  const read = readDatabaseUrl(url);
  if (read.kind === "invalid") return "(set)";
  if (read.kind === "file") return url;
  const { protocol, host, pathname, searchParams } = new URL(url);
  const names = [...new Set(searchParams.keys())].join("&");
  return `${protocol}//${host}${pathname}${names === "" ? "" : `?${names}`}`;
};
