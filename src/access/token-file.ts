/** The file of SERIAL_GATE_TOKENS_FILE: its form, and the tokens in it. It holds no secret, only digests. */

import * as z from "zod";
import { PATTERN_FORM, reachOf, REPO_PATTERN, type Reach } from "../contract/names/repo-pattern.ts";
import { isExampleDigest } from "./secret.ts";
import { ROLES, type Role } from "./role.ts";

/** A secret's digest, and the caller that sends the secret. */
export interface Token {
  readonly name: string;
  readonly role: Role;
  /** The repositories that it may know. */
  readonly reach: Reach;
  /** The agents whose jobs it may claim; null for all. */
  readonly agents: readonly string[] | null;
  readonly digest: Buffer;
  /** Milliseconds since 1970 UTC; null for a token that does not expire. */
  readonly expiresAt: number | null;
}

/** The name under which the gate records its own changes. */
export const RESERVED_NAME = "serial-gate";

/** The form of a token's name. */
export const TOKEN_NAME = /^[A-Za-z0-9._@-]{1,200}$/;

/** The most tokens that one file may hold: each call compares its secret with all. */
const MOST_TOKENS = 1_000;
const MOST_PATTERNS = 100;

const Entry = z.strictObject({
  name: z
    .string()
    .regex(TOKEN_NAME, "must be a name: letters, digits, `.`, `_`, `@` and `-`")
    .refine((name) => name !== RESERVED_NAME, `must not be ${RESERVED_NAME}, the gate's own name`),
  role: z.enum(ROLES, `must be one of ${ROLES.join(", ")}`),
  repos: z
    .array(z.string().regex(REPO_PATTERN, `must be ${PATTERN_FORM}`))
    .min(1, "must name a repository, or be left out for all")
    .max(MOST_PATTERNS, `must have at most ${MOST_PATTERNS} patterns`)
    .optional(),
  agents: z
    .array(z.string().regex(/^[A-Za-z0-9._:-]{1,200}$/, "must be the name of an agent"))
    .min(1, "must name an agent, or be left out for all")
    .max(MOST_PATTERNS, `must have at most ${MOST_PATTERNS} agents`)
    .optional(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/, "must be 64 hexadecimal digits in lower case"),
  expires_at: z.iso
    .datetime({ offset: true, error: "must be a time such as 2027-01-31T00:00:00Z" })
    .optional(),
});

/** One secret of a caller, as the file has it. */
export type TokenEntry = z.output<typeof Entry>;

const File = z.strictObject({
  tokens: z.array(Entry).max(MOST_TOKENS, `must have at most ${MOST_TOKENS} entries`),
});
export type TokenFile = z.output<typeof File>;

/** Says in a sentence, with the entry at fault, why a file is refused. */
export class TokenFileError extends Error {
  override readonly name = "TokenFileError";
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null;

/** `tokens[2] (ci-web): role must be one of …`. The values of other members are not shown: a secret may be there. */
const faultOf = (json: unknown, { path, message, code, ...rest }: z.core.$ZodIssue): string => {
  const [list, index, ...members] = path;
  const entry: unknown =
    isObject(json) && Array.isArray(json.tokens) && typeof index === "number"
      ? json.tokens[index]
      : undefined;
  const name =
    isObject(entry) && typeof entry.name === "string" && TOKEN_NAME.test(entry.name)
      ? ` (${entry.name})`
      : "";
  const place =
    list === undefined ? "" : `${String(list)}${index === undefined ? " " : `[${String(index)}]${name}: `}`;
  const member = members.length === 0 ? "" : `${members.map(String).join(".")} `;
  if (code === "unrecognized_keys" && "keys" in rest)
    return `${place}has the unknown member ${rest.keys.map((key) => JSON.stringify(key)).join(", ")}`;
  const detail =
    code === "invalid_type"
      ? message.replace(/^Invalid input: expected (\w+).*/, "must be of the type $1")
      : message;
  return `${place}${member}${detail}`;
};

const sameLimits = (a: TokenEntry, b: TokenEntry): boolean =>
  a.role === b.role && JSON.stringify([a.repos, a.agents]) === JSON.stringify([b.repos, b.agents]);

/** The first entry that contradicts an earlier one. */
const contradictionIn = (entries: readonly TokenEntry[]): string | undefined => {
  const named = new Map<string, TokenEntry>();
  const digests = new Set<string>();
  for (const [index, entry] of entries.entries()) {
    const place = `tokens[${index}] (${entry.name})`;
    if (digests.has(entry.sha256)) return `${place}: sha256 is that of an earlier entry`;
    const earlier = named.get(entry.name);
    if (earlier && !sameLimits(earlier, entry))
      return `${place}: role, repos and agents must be those of the other entries of the name`;
    digests.add(entry.sha256);
    named.set(entry.name, entry);
  }
  return undefined;
};

/** Reads the text of a token file.
 *  @throws TokenFileError */
export const parseTokenFile = (text: string): TokenFile => {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new TokenFileError(
      `is not JSON: ${error instanceof SyntaxError ? (error.message.split(",")[0] ?? "") : ""}`,
    );
  }
  const { success, data, error } = File.safeParse(json);
  if (!success) {
    const [issue] = error.issues;
    throw new TokenFileError(issue ? faultOf(json, issue) : "is not a token file");
  }
  const contradiction = contradictionIn(data.tokens);
  if (contradiction !== undefined) throw new TokenFileError(contradiction);
  return data;
};

/** The token of an entry. */
export const tokenOf = ({ name, role, repos, agents, sha256, expires_at }: TokenEntry): Token => ({
  name,
  role,
  reach: reachOf(repos),
  agents: agents ?? null,
  digest: Buffer.from(sha256, "hex"),
  expiresAt: expires_at === undefined ? null : Date.parse(expires_at),
});

/** Sentences about entries whose secret everybody knows. */
export const weakEntries = ({ tokens }: TokenFile): string[] =>
  tokens
    .filter(({ sha256 }) => isExampleDigest(Buffer.from(sha256, "hex")))
    .map(
      ({ name }) =>
        `The secret of the token ${name} is an example of the documents: make one with \`serial-gate token new\`.`,
    );
