/** An environment, and how the process's and a file's are layered. It reads neither. */

/** Variables by name. */
export type Env = Readonly<Record<string, string | undefined>>;

/** An orchestrator's .env has the gate's switches under this prefix. */
export const ORCHESTRATOR_PREFIX = "ORCH_";
export const SWITCHES: readonly string[] = [
  "SERIAL_GATE_ENABLED",
  "SERIAL_GATE_REPOS",
  "SERIAL_GATE_FREEZE_ENABLED",
  "SERIAL_GATE_PAUSE_ENABLED",
  "TASK_DEPS_ENABLED",
  "SERIAL_GATE_ENTRY_AGENT",
  "SERIAL_GATE_STRICT_LANES",
];

/** The names under which a variable may be set, its own first. */
export const spellingsOf = (name: string): readonly string[] =>
  SWITCHES.includes(name) ? [name, ORCHESTRATOR_PREFIX + name] : [name];

const withoutBlanks = (env: Env): Record<string, string | undefined> =>
  Object.fromEntries(Object.entries(env).filter(([, value]) => value?.trim()));

export interface Layers {
  readonly env: Env;
  /** True for a variable that comes from the lower layer. */
  readonly isFromFile: (name: string) => boolean;
}

/** The environment over a file. A blank value is not set, in either. A switch that the environment sets under one of its
 *  two names hides both of the file's. */
export const layered = (environment: Env, file: Env): Layers => {
  const upper = withoutBlanks(environment);
  const lower = withoutBlanks(file);
  for (const name of SWITCHES) {
    const spellings = spellingsOf(name);
    if (spellings.some((each) => each in upper))
      for (const each of spellings) Reflect.deleteProperty(lower, each);
  }
  return { env: { ...lower, ...upper }, isFromFile: (name) => name in lower && !(name in upper) };
};
