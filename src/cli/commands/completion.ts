/** serial-gate completion: the shell scripts, and the hidden verb that they call when somebody presses Tab.
 *  The scripts hand all words to that verb. It completes verbs from the program itself, and repositories and work items
 *  from the service; without a service it is silent and quick. */

import { Argument, type Command, type Option } from "commander";
import type { Client } from "../../client/client.ts";
import type { Lane } from "../../contract/queue.ts";
import { example } from "../arguments.ts";
import { readContexts } from "../context-file.ts";
import type { CliContext } from "../context.ts";
import { plain } from "../output/text.ts";
import { connect, liveWorkItems } from "../service.ts";
import { STATUSES_OF_VERBS } from "./job/command.ts";

const COMPLETE = "__complete";

/** Each calls the program by the path that was typed. Shells split words differently; the hidden verb joins them. */
const SCRIPTS = {
  bash: `# serial-gate completion for bash: source <(serial-gate completion bash)
_serial_gate() {
  local IFS=$'\\n' word
  COMPREPLY=()
  while read -r word; do
    COMPREPLY+=("$(printf '%q' "$word")")
  done < <("$1" ${COMPLETE} bash -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _serial_gate serial-gate
`,
  zsh: `#compdef serial-gate
# serial-gate completion for zsh: source <(serial-gate completion zsh), after compinit
_serial_gate() {
  local -a found
  found=("\${(@f)$("\${words[1]}" ${COMPLETE} zsh -- "\${(@Q)words[2,CURRENT]}" 2>/dev/null)}")
  found=("\${(@)found:#}")
  (( \${#found} )) && compadd -a found
}
compdef _serial_gate serial-gate
`,
  fish: `# serial-gate completion for fish: serial-gate completion fish | source
function __serial_gate
  set -l words (commandline -opc) (commandline -ct)
  $words[1] ${COMPLETE} fish -- $words[2..-1] 2>/dev/null
end
complete -c serial-gate -f -a '(__serial_gate)'
`,
} as const;

type Shell = keyof typeof SCRIPTS;

/** The longest wait for the service, in milliseconds: a slower Tab is worse than none. */
const TIMEOUT_MS = 700;

/** Options of the program itself, which every verb takes. */
const GLOBAL = ["--context", "--insecure"];

interface Asked {
  readonly client: Client;
  /** The verb whose value is completed: `retry` of `job retry`. */
  readonly verb: string;
  readonly repo: string | undefined;
  readonly signal: AbortSignal;
}

const lanesOf = async ({ client, repo, signal }: Asked): Promise<[string, Lane][]> =>
  Object.entries((await client.queue(repo === undefined ? undefined : [repo], signal)).serial_gate.per_repo);

/** How many jobs are offered, the newest first. */
const MOST_JOBS = 100;

const newestJobs = async ({ client, verb, signal }: Asked): Promise<string[]> => {
  const status = STATUSES_OF_VERBS[verb];
  const { jobs } = await client.listJobs({ status, limit: MOST_JOBS }, signal);
  return jobs.map(({ id }) => String(id));
};

/** The values of a placeholder, such as `<repo>`. */
const VALUES: Readonly<Record<string, (asked: Asked) => Promise<string[]>>> = {
  // A repository that is typed is the one to complete, not a filter.
  repo: async (asked) =>
    (await lanesOf({ ...asked, repo: undefined }))
      .filter(([, { freezes }]) => asked.verb !== "unfreeze" || freezes.length > 0)
      .map(([repo]) => repo),
  "work-item": async ({ client, repo, signal }) => liveWorkItems(await client.queue(undefined, signal), repo),
  job: newestJobs,
  freeze: async (asked) =>
    (await lanesOf(asked)).flatMap(([, { freezes }]) => freezes.map(({ freeze_id }) => String(freeze_id))),
};

/** Values for a placeholder; none when the service does not answer in time. */
const valuesOf = async (
  kind: string,
  context: CliContext,
  asked: Pick<Asked, "verb" | "repo">,
): Promise<readonly string[]> => {
  const read = VALUES[kind];
  try {
    if (kind === "context") return [...readContexts(context.env).contexts.keys()];
    if (!read) return [];
    return await read({ ...asked, client: connect(context), signal: AbortSignal.timeout(TIMEOUT_MS) });
  } catch {
    return [];
  }
};

/** The placeholder of an option's value: `repo` of `--repo <repo>`. */
const kindOf = ({ flags }: Option): string => /[<[]([^>\].]+)/.exec(flags)?.[1] ?? "";

/** Splits the words before the last one into the verb, its operands, its options and an option that waits for a value. */
const read = (program: Command, words: readonly string[]) => {
  let command = program;
  const globals = program.options.filter(({ long }) => GLOBAL.includes(long ?? ""));
  const operands: string[] = [];
  const given = new Map<string, string>();
  let open: Option | undefined;
  for (const word of words) {
    if (open) {
      given.set(open.attributeName(), word);
      open = undefined;
      continue;
    }
    const [flag = "", value] = word.split(/=(.*)/);
    const option = [...command.options, ...globals].find((each) => each.short === flag || each.long === flag);
    if (option?.required && value === undefined) open = option;
    else if (option && value !== undefined) given.set(option.attributeName(), value);
    if (word.startsWith("-")) continue;
    const verb = operands.length === 0 ? command.commands.find((each) => each.name() === word) : undefined;
    if (verb) command = verb;
    else operands.push(word);
  }
  return { command, globals, operands, given, open };
};

/** Joins `--for`, `=`, `done` again: some shells break words at `=`. */
const joined = (words: readonly string[]): string[] => {
  const found: string[] = [];
  for (const [index, word] of words.entries()) {
    const follows = word === "=" || words[index - 1] === "=";
    const last = follows ? found.pop() : undefined;
    found.push(last === undefined ? word : last + word);
  }
  return found;
};

const isVisible = (command: Command): boolean => !("_hidden" in command && command._hidden === true);

/** Completions for the last word. */
const candidates = async (
  program: Command,
  surroundings: CliContext,
  words: readonly string[],
): Promise<readonly string[]> => {
  const last = words.at(-1) ?? "";
  const { command, globals, operands, given, open } = read(program, words.slice(0, -1));
  const context: CliContext = {
    ...surroundings,
    globalOptions: () => ({
      ...(given.has("context") ? { context: given.get("context") ?? "" } : {}),
      ...(words.includes("--insecure") ? { insecure: true } : {}),
    }),
  };
  const own = command.registeredArguments;
  // After `REPO`, only what is in that repository.
  const repo = own[0]?.name() === "repo" && operands.length > 0 ? operands[0] : given.get("repo");
  const asked = { verb: command.name(), repo };
  const ofOption = (option: Option): Promise<readonly string[]> | readonly string[] =>
    option.argChoices ?? valuesOf(kindOf(option), context, asked);
  if (open) return ofOption(open);
  const [, flag = ""] = /^(--[^=]+)=/.exec(last) ?? [];
  const assigned = [...command.options, ...globals].find(({ long }) => flag !== "" && long === flag);
  if (assigned) return (await ofOption(assigned)).map((value) => `${flag}=${value}`);
  if (last.startsWith("-"))
    return [
      ...new Set(
        [...command.options.filter(({ hidden }) => !hidden), ...globals].map(({ long }) => long ?? ""),
      ),
      "--help",
    ];
  const verbs = operands.length > 0 ? [] : command.commands.filter(isVisible).map((each) => each.name());
  const argument = own[operands.length] ?? (own.at(-1)?.variadic ? own.at(-1) : undefined);
  if (!argument) return verbs;
  // An operand is not offered twice.
  const values = argument.argChoices ?? (await valuesOf(argument.name(), context, asked));
  return [...verbs, ...values.filter((value) => !operands.includes(value))];
};

export const completionCommands = (program: Command, context: CliContext): void => {
  const shells = Object.keys(SCRIPTS);
  program
    .command("completion")
    .description("print the completion script of a shell")
    .addArgument(new Argument("<shell>").choices(shells))
    .addHelpText("after", example("source <(serial-gate completion bash)"))
    .action((shell: Shell) => {
      context.stdout.write(SCRIPTS[shell]);
    });
  program
    .command(COMPLETE, { hidden: true })
    .addArgument(new Argument("<shell>").choices(shells))
    .argument("[words...]")
    .action(async (shell: Shell, words: readonly string[]) => {
      const typed = joined(words);
      const last = typed.at(-1) ?? "";
      // bash breaks at `=` and completes only the part after it.
      const shown = (value: string): string =>
        shell === "bash" && last.startsWith("--") && last.includes("=")
          ? value.replace(/^[^=]*=/, "")
          : value;
      const found = (await candidates(program, context, typed)).filter((value) => value.startsWith(last));
      // A name that would have to be altered to be shown is not offered.
      const clean = [...new Set(found)].filter((value) => value === plain(value));
      context.stdout.write(clean.map((value) => `${shown(value)}\n`).join(""));
    });
};
