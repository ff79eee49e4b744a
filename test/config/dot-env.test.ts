import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { DotEnvError, parseDotEnv } from "../../src/config/dot-env.ts";
import { layered, type Env } from "../../src/config/env.ts";
import { parseConfig } from "../../src/config/service.ts";
import { temporaryFolder } from "../support/folder.ts";
import { startProgram } from "../support/process.ts";

it.each<[string, string, Env]>([
  ["a line of one space", "A=1\n \nB=2", { A: "1", B: "2" }],
  ["a line of one tab", "A=1\n\t\nB=2", { A: "1", B: "2" }],
  ["a byte order mark", "\ufeffA=1\nB=2", { A: "1", B: "2" }],
  ["white space before a name", "\tA=1\n  B=2", { A: "1", B: "2" }],
  ["white space around the equals sign", "A = 1\nB\t=\t2", { A: "1", B: "2" }],
  ["export", "export A=1\nexport\tB='2'", { A: "1", B: "2" }],
  ["a variable that is called export", "export=1", { export: "1" }],
  ["line ends of Windows", "A=1\r\n\r\nB=2\r\n", { A: "1", B: "2" }],
  ["line ends of old Macs", "A=1\rB=2\r", { A: "1", B: "2" }],
  ["comments, with apostrophes", "# don't\nA=1 # it's\n  # \"x\nB=2", { A: "1", B: "2" }],
  [
    "a hash inside a value",
    "A=0123#4,x:5\nB=file:/data/my#1.db",
    { A: "0123#4,x:5", B: "file:/data/my#1.db" },
  ],
  ["a hash at the beginning of a value", "A=#1", { A: "#1" }],
  ["a comment in the place of a value", "A= # none\nB=", { A: "", B: "" }],
  ["a comment behind a quoted value", `A='1 # 2' # 3\nB="4"#5`, { A: "1 # 2", B: "4" }],
  ["quotes over several lines", `A='one\ntwo'\nB="three\r\nfour"`, { A: "one\ntwo", B: "three\r\nfour" }],
  ["escapes in double quotes only", `A="\\n\\"\\\\"\nB='\\n\\''\nC=\\n`, { A: '\n"\\', B: "\\n'", C: "\\n" }],
  ["an apostrophe inside a value", "A=don't\nB=2", { A: "don't", B: "2" }],
  ["an equals sign inside a value", "A=b=c==\nB==", { A: "b=c==", B: "=" }],
  ["a name with a dot and a dash", "a.b-c=1", { "a.b-c": "1" }],
  ["one name twice: the last", "A=1\nA=2", { A: "2" }],
  ["nothing", "", {}],
  ["no line end at the end", "A=1", { A: "1" }],
])("reads %s", (_, text, variables) => {
  expect(parseDotEnv(text)).toEqual(variables);
});

it.each<[string, string, number]>([
  ["a name without a value", "A=1\nFEATURE_X\nSERIAL_GATE_ENABLED=false", 2],
  ["a ruler", "=====\nA=1", 1],
  ["a heading", "\n\n-- gate --\nA=1", 3],
  ["a colon for the equals sign", "SERIAL_GATE_ENABLED: false", 1],
  ["a quote that the next variable closes", "P='tis\nSERIAL_GATE_ENABLED=false\nQ='x'", 1],
  ["a quote that swallows a switch", "P='tis\nSERIAL_GATE_ENABLED=false\nB=don'", 1],
  ["a quote that swallows a switch of the orchestrator", 'P="\n export ORCH_TASK_DEPS_ENABLED = 0\n"', 1],
  ["a quote that is never closed", 'A=1\r\nB="2\r\nC=3', 2],
  ["text behind a quote", "A='1' 2", 1],
  ["a name with a space", "A=1\rMY NAME=2", 2],
  ["a name with an invisible character", "\u200bSERIAL_GATE_ENABLED=false", 1],
  ["a file in UTF-16", "\ufffd\ufffdA\0=\u00001\0", 1],
])("refuses %s and names its line", (_, text, line) => {
  expect(() => parseDotEnv(text)).toThrow(DotEnvError);
  expect(() => parseDotEnv(text)).toThrow(`.env, line ${line}: expected NAME=VALUE`);
});

it("never repeats a line that it refuses, because it may contain a secret", () => {
  expect(() => parseDotEnv("DATABASE_URL: postgres://gate:hush@db")).toThrow(/^(?!.*hush)/);
});

describe("the environment over the file", () => {
  it.each<[string, Env, Env, boolean]>([
    ["the file alone", {}, { SERIAL_GATE_ENABLED: "false" }, false],
    [
      "the environment over the file",
      { SERIAL_GATE_ENABLED: "true" },
      { SERIAL_GATE_ENABLED: "false" },
      true,
    ],
    ["a blank environment", { SERIAL_GATE_ENABLED: "" }, { SERIAL_GATE_ENABLED: "false" }, false],
    ["a blank file", { ORCH_SERIAL_GATE_ENABLED: "false" }, { SERIAL_GATE_ENABLED: " " }, false],
    [
      "the orchestrator's name over ours",
      { ORCH_SERIAL_GATE_ENABLED: "false" },
      { SERIAL_GATE_ENABLED: "true" },
      false,
    ],
    [
      "our name over the orchestrator's",
      { SERIAL_GATE_ENABLED: "true" },
      { ORCH_SERIAL_GATE_ENABLED: "false" },
      true,
    ],
    [
      "a blank name over the orchestrator's",
      { SERIAL_GATE_ENABLED: "" },
      { ORCH_SERIAL_GATE_ENABLED: "false" },
      false,
    ],
  ])("%s decides a switch", (_, environment, file, enabled) => {
    expect(parseConfig(layered(environment, file).env).policy.enabled).toBe(enabled);
  });

  it("keeps the names of other variables apart: ORCH_PORT is not PORT", () => {
    const { env, isFromFile } = layered({ ORCH_PORT: "1", HOST: "" }, { PORT: "2", HOST: "localhost" });
    expect(env).toEqual({ ORCH_PORT: "1", PORT: "2", HOST: "localhost" });
    expect([isFromFile("PORT"), isFromFile("HOST"), isFromFile("ORCH_PORT")]).toEqual([true, true, false]);
  });
});

it.each(["config", "doctor", "serve", "migrate"])(
  "%s ends with 78 and the number of a line of .env that is none",
  async (verb) => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, ".env"), "PORT=0\nSERIAL_GATE_ENABLED: false\n");
    expect(await startProgram([verb], {}, folder).ended).toMatchObject({
      code: 78,
      stdout: "",
      stderr: ".env, line 2: expected NAME=VALUE, a comment or a blank line; a quote must be closed.\n",
    });
  },
);

it("--help and --version answer beside a .env that is refused", async () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, ".env"), "=====");
  for (const option of ["--help", "--version"])
    expect((await startProgram([option], {}, folder).ended).code).toBe(0);
});

it("refuses a .env that cannot be read, such as the folder that docker makes of one", async () => {
  const folder = temporaryFolder();
  mkdirSync(join(folder, ".env"));
  const { code, stderr } = await startProgram(["config"], {}, folder).ended;
  expect({ code, stderr }).toMatchObject({
    code: 78,
    stderr: expect.stringContaining(".env cannot be read") as unknown,
  });
});
