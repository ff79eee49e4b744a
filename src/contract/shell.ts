/** Spells words and `serial-gate` commands for a POSIX shell. The gate advises commands, the command line repeats
 *  what was typed: both quote here. */

/** Characters that sh, bash and zsh leave alone wherever they stand. bash expands `a=~`, zsh a first `=` and, with
 *  EXTENDED_GLOB, any `#`. */
const PLAIN = /^[A-Za-z0-9_./:@%+,-][A-Za-z0-9_./:@%+,=-]*$/;

/** One word, quoted if it needs quotes. */
export const shellWord = (word: string): string =>
  PLAIN.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;

/** `serial-gate` with its arguments as they were typed. */
export const asTyped = (argv: readonly string[]): string => ["serial-gate", ...argv.map(shellWord)].join(" ");

interface AdvisedCommand {
  /** Such as `["task", "cancel"]`. */
  readonly verb: readonly string[];
  /** Long option names without dashes; an undefined value leaves the option out. */
  readonly options?: Readonly<Record<string, string | number | undefined>>;
  readonly operands?: readonly (string | number)[];
}

/** A command to paste. Options come first, because an operand that begins with a dash needs `--` before it.
 *  An option's value that begins with a dash is attached with `=`. */
export const advisedCommand = ({ verb, options = {}, operands = [] }: AdvisedCommand): string => {
  const flags = Object.entries(options).flatMap(([name, value]) => {
    if (value === undefined) return [];
    const text = String(value);
    return text.startsWith("-") ? [`--${name}=${text}`] : [`--${name}`, text];
  });
  const words = operands.map(String);
  const separator = words.some((word) => word.startsWith("-")) ? ["--"] : [];
  return asTyped([...verb, ...flags, ...separator, ...words]);
};

/** The arguments with one more option. It stands before the first argument that begins with a dash: whatever follows
 *  a dash may be an option's value, or an operand after `--`. */
export const withOption = (argv: readonly string[], name: string, value: string): readonly string[] => {
  const dash = argv.findIndex((word) => word.startsWith("-"));
  const at = dash < 0 ? argv.length : dash;
  const option = value.startsWith("-") ? [`--${name}=${value}`] : [`--${name}`, value];
  return [...argv.slice(0, at), ...option, ...argv.slice(at)];
};

/** The arguments with a task's id in the place of its work item and repository. */
export const withTaskId = (argv: readonly string[], workItem: string, id: number): readonly string[] => {
  const at = argv.indexOf(workItem, argv[0] === "task" ? 2 : 1);
  const others = argv.filter((_, index) => index !== at);
  const without = others.filter(
    (word, index) => word !== "--repo" && others[index - 1] !== "--repo" && !word.startsWith("--repo="),
  );
  return withOption(without.at(-1) === "--" ? without.slice(0, -1) : without, "id", String(id));
};
