/** The contexts that `serial-gate login` keeps, as the text of their file. cli/context-file.ts reads and writes it. */

/** An address and the token that was given with it. */
export interface Context {
  /** Several nodes separated by commas. */
  readonly url: string;
  readonly token?: string | undefined;
  /** True when the user allowed this token over plain HTTP. */
  readonly insecure?: boolean | undefined;
}

export interface Contexts {
  /** The one in force; undefined when none is. */
  readonly current: string | undefined;
  readonly contexts: ReadonlyMap<string, Context>;
}

export const NO_CONTEXTS: Contexts = { current: undefined, contexts: new Map() };

/** Without a leading dash, which an option has. */
const NAME = /^[A-Za-z0-9_.:@][A-Za-z0-9_.:@-]{0,99}$/;

export const isContextName = (text: string): boolean => NAME.test(text);

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const isTextOrNone = (value: unknown): value is string | undefined =>
  value === undefined || typeof value === "string";

const contextOf = (value: unknown): Context | undefined => {
  if (!isObject(value) || typeof value.url !== "string" || !isTextOrNone(value.token)) return undefined;
  return { url: value.url, token: value.token, insecure: value.insecure === true };
};

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

/** @returns undefined for a text that is not the file's */
export const parseContexts = (text: string): Contexts | undefined => {
  const file = parseJson(text);
  if (!isObject(file) || !isObject(file.contexts) || !isTextOrNone(file.current)) return undefined;
  const contexts = new Map<string, Context>();
  for (const [name, value] of Object.entries(file.contexts)) {
    const context = contextOf(value);
    if (context === undefined || !isContextName(name)) return undefined;
    contexts.set(name, context);
  }
  const { current } = file;
  return { current: current !== undefined && contexts.has(current) ? current : undefined, contexts };
};

export const contextsText = ({ current, contexts }: Contexts): string =>
  `${JSON.stringify({ current, contexts: Object.fromEntries(contexts) }, null, 2)}\n`;

/** The contexts with one more, or another in its place; it is the one in force. */
export const withContext = ({ contexts }: Contexts, name: string, context: Context): Contexts => ({
  current: name,
  contexts: new Map([...contexts, [name, context]]),
});

/** The contexts without one; none is in force if it was that one. */
export const withoutContext = ({ current, contexts }: Contexts, name: string): Contexts => ({
  current: current === name ? undefined : current,
  contexts: new Map([...contexts].filter(([each]) => each !== name)),
});
