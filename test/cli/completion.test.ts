import { execFile, spawnSync } from "node:child_process";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { beforeAll, expect, it, vi } from "vitest";
import { cliOf, PROGRAM, type Cli } from "../support/cli.ts";
import { temporaryFolder } from "../support/folder.ts";
import { shareService } from "../support/service.ts";

// Each line of a session is a process of its own.
vi.setConfig({ testTimeout: 120_000 });

const shared = shareService();
let cli: Cli;

beforeAll(async () => {
  cli = cliOf(shared().service.url);
  for (const [repo, work_item_id] of [
    ["acme/web", "WEB-7"],
    ["acme/web", "WEB-8"],
    ["acme/api", "pino#4"],
    ["acme/api", "two words"],
  ])
    await shared().post("/tasks", { repo, work_item_id });
});

/** The words offered in the place of the last one, as bash would ask. */
const offered = async (...words: string[]): Promise<string[]> => {
  const { stdout, stderr, exit } = await cli("__complete", "bash", "--", ...words);
  expect({ stderr, exit }).toEqual({ stderr: "", exit: 0 });
  return stdout.split("\n").slice(0, -1);
};

it("completes verbs, options, option values, repositories and work items", async () => {
  expect(await offered("u")).toEqual(["unfreeze"]);
  expect(await offered("task", "s")).toEqual(["show", "stage"]);
  expect(await offered("queue", "--re")).toEqual(["--repo"]);
  expect(await offered("queue", "-o", "")).toEqual(["table", "wide", "json", "ndjson", "yaml", "name"]);
  expect(await offered("wait", "WEB-7", "--for", "=", "d")).toEqual(["done"]);
  expect(await offered("queue", "--repo", "acme/")).toEqual(["acme/api", "acme/web"]);
  expect(await offered("pause", "WEB-7", "")).toEqual(["pino#4", "two words", "WEB-8"]);
  expect(await offered("pause", "--repo", "acme/web", "")).toEqual(["WEB-7", "WEB-8"]);
  expect(await offered("job", "add", "acme/web", "")).toEqual(["WEB-7", "WEB-8"]);
  expect(await offered("claim", "")).toEqual([]);
});

it("completes nothing and stays silent when the service is unreachable", async () => {
  const { stdout, stderr, exit } = await cliOf("http://127.0.0.1:1")(
    "__complete",
    "zsh",
    "--",
    "explain",
    "",
  );
  expect({ stdout, stderr, exit }).toEqual({ stdout: "", stderr: "", exit: 0 });
});

/** A folder with `serial-gate` in it, as it would be on a PATH. */
const installed = (): string => {
  const folder = temporaryFolder();
  const path = join(folder, "serial-gate");
  writeFileSync(path, `#!/bin/sh\nexec '${process.execPath}' '${PROGRAM}' "$@"\n`);
  chmodSync(path, 0o755);
  return folder;
};

interface ShellTest {
  readonly shell: "bash" | "zsh" | "fish";
  /** Prints what a tab behind `serial-gate LINE` offers, one a line. */
  readonly script: (words: readonly string[]) => string;
}

const quoted = (words: readonly string[]): string => words.map((word) => `'${word}'`).join(" ");

const SHELLS: readonly ShellTest[] = [
  {
    shell: "bash",
    script: (words) => `source <(serial-gate completion bash)
      complete -p serial-gate > /dev/null || exit 9
      COMP_WORDS=(serial-gate ${quoted(words)}); COMP_CWORD=${words.length}
      _serial_gate serial-gate; printf '%s\\n' "\${COMPREPLY[@]}"`,
  },
  {
    // compadd speaks only to the line editor: in its place it is heard here.
    shell: "zsh",
    script: (words) => `autoload -U compinit; compinit -D
      source <(serial-gate completion zsh)
      [[ \${_comps[serial-gate]} == _serial_gate ]] || exit 9
      compadd() { print -l -- "\${(@P)argv[-1]}" }
      words=(serial-gate ${quoted(words)}); CURRENT=${words.length + 1}
      _serial_gate`,
  },
  {
    shell: "fish",
    script: (words) => `serial-gate completion fish | source
      complete -C "serial-gate ${words.join(" ")}"`,
  },
];

for (const { shell, script } of SHELLS) {
  const isThere = spawnSync(shell, ["-c", "true"]).status === 0;

  it.skipIf(!isThere)(
    `completes work items and repositories in ${shell}${isThere ? "" : " (not installed)"}`,
    async () => {
      const folder = installed();
      const env = {
        PATH: `${folder}:${process.env.PATH ?? ""}`,
        HOME: folder,
        SERIAL_GATE_URL: shared().service.url,
      };
      const tab = async (...words: string[]): Promise<string[]> => {
        const { stdout, stderr } = await promisify(execFile)(shell, ["-c", script(words)], { env });
        expect(stderr).toBe("");
        return stdout.split("\n").slice(0, -1).sort();
      };
      expect(await tab("explain", "WEB")).toEqual(["WEB-7", "WEB-8"]);
      expect(await tab("freeze", "acme/")).toEqual(["acme/api", "acme/web"]);
      expect(await tab("explain", "pi")).toEqual(["pino#4"]);
      // The others quote what they are handed when it is chosen.
      expect(await tab("explain", "tw")).toEqual([shell === "bash" ? String.raw`two\ words` : "two words"]);
      expect(await tab("task", "can")).toEqual(["cancel"]);
    },
  );
}
