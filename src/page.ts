/** The files of the dashboard as `npm run build` made them in dist/web, read once and kept in memory with their
 *  compressed forms. It knows files, nothing of how they are served. */

import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";

export interface PageFile {
  readonly type: string;
  readonly etag: string;
  /** The content by content coding; `identity` is always there. */
  readonly bodies: ReadonlyMap<string, Buffer>;
}

/** The files by their path from dist/web, such as `index.html` and `assets/index-1a2b.js`. */
export type Page = ReadonlyMap<string, PageFile>;

/** From src/ and from dist/ alike. */
const FOLDER = fileURLToPath(new URL("../dist/web/", import.meta.url));

const TYPES: Readonly<Record<string, string>> = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".svg": "image/svg+xml",
};

/** Content codings by the ending of a file's compressed form, the smallest first. */
const CODINGS = [
  ["br", ".br"],
  ["gzip", ".gz"],
] as const;

const readPageFile = (path: string, type: string): PageFile => {
  const plain = readFileSync(path);
  const compressed = CODINGS.flatMap(([coding, ending]): [string, Buffer][] =>
    existsSync(path + ending) ? [[coding, readFileSync(path + ending)]] : [],
  );
  return {
    type,
    etag: `"${createHash("sha256").update(plain).digest("base64url").slice(0, 22)}"`,
    bodies: new Map([...compressed, ["identity", plain]]),
  };
};

/** Reads the dashboard's files; none where it was not built. */
export const readPage = (folder: string = FOLDER): Page => {
  if (!existsSync(folder)) return new Map();
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" });
  return new Map(
    names.flatMap((name): [string, PageFile][] => {
      const type = TYPES[extname(name)];
      return type === undefined ? [] : [[name.replaceAll("\\", "/"), readPageFile(join(folder, name), type)]];
    }),
  );
};
