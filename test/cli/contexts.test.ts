import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { atTerminal, noTerminal } from "../support/cli.ts";
import { temporaryFolder } from "../support/folder.ts";
import { startProgram } from "../support/process.ts";
import { shareService } from "../support/service.ts";

// Each command is a process of its own.
vi.setConfig({ testTimeout: 60_000 });

const TOKEN = "0123456789abcdef";
const shared = shareService({ SERIAL_GATE_TOKENS: `ann:${TOKEN}` });
const url = (): string => shared().service.url;

interface Listener {
  readonly url: string;
  /** The requests that it heard, each with its token. */
  readonly heard: readonly string[];
}

/** A service of somebody else. */
const listener = async (): Promise<Listener> => {
  const heard: string[] = [];
  const server = createServer((request: IncomingMessage, response) => {
    heard.push(`${request.url ?? ""} ${request.headers.authorization ?? "without a token"}`);
    response.setHeader("content-type", "application/json").end("{}");
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  onTestFinished(() => {
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, heard };
};

interface Said {
  readonly code: number | null;
  readonly text: string;
}

interface Home {
  readonly folder: string;
  readonly file: string;
  readonly run: (args: readonly string[], more?: NodeJS.ProcessEnv, input?: string) => Promise<Said>;
}

/** A user with a configuration folder and a working folder of their own. */
const home = (): Home => {
  const folder = temporaryFolder();
  const config = join(folder, "config");
  return {
    folder,
    file: join(config, "serial-gate", "contexts.json"),
    run: async (args, more = {}, input) => {
      const env = { XDG_CONFIG_HOME: config, USER: "ann", ...more };
      const { code, stdout, stderr } = await startProgram(args, env, folder, input).ended;
      return { code, text: stdout + stderr };
    },
  };
};

const login = (at: Home, ...more: readonly string[]): Promise<Said> =>
  at.run(["login", url(), ...more], {}, `${TOKEN}\n`);

describe("a .env of the working folder", () => {
  const COMPLETE = ["__complete", "bash", "--", "explain", ""];

  it.each([
    ["a verb", ["queue"]],
    ["a change", ["freeze", "acme/web"]],
    ["completion", COMPLETE],
  ])("does not lead %s to another service", async (_title, args) => {
    const theirs = await listener();
    const at = home();
    writeFileSync(
      join(at.folder, ".env"),
      `SERIAL_GATE_URL=${theirs.url}\nSERIAL_GATE_TOKEN=theirs-theirs-theirs\nXDG_CONFIG_HOME=${at.folder}\n`,
    );
    const env = { SERIAL_GATE_URL: url(), SERIAL_GATE_TOKEN: TOKEN };
    expect((await at.run(args, env)).code).not.toBe(4);
    await login(at);
    expect((await at.run(args)).code).not.toBe(4);
    await at.run(args, { SERIAL_GATE_TOKEN: TOKEN });
    await at.run(["logout"]);
    await at.run(args);
    await at.run(args, { SERIAL_GATE_TOKEN: TOKEN });
    expect(theirs.heard).toEqual([]);
  });

  it("is not read, so that one with a fault stops no verb", async () => {
    const at = home();
    writeFileSync(join(at.folder, ".env"), "=====\n");
    expect(await at.run(["queue"], { SERIAL_GATE_URL: url(), SERIAL_GATE_TOKEN: TOKEN })).toMatchObject({
      code: 0,
    });
  });

  it("config says that its address and token are not read", async () => {
    const at = home();
    writeFileSync(join(at.folder, ".env"), `SERIAL_GATE_TOKEN=${TOKEN}\n`);
    const { text } = await at.run(["config"]);
    expect(text).toContain(".env sets SERIAL_GATE_TOKEN, which the command line does not read from there");
    expect(text).not.toContain(TOKEN);
  });
});

describe("a token goes only to the address that it was given with", () => {
  it.each([["queue"], ["explain", "WEB-1"], ["claim"]])(
    "%s refuses one without an address",
    async (...args) => {
      const { code, text } = await home().run(args, { SERIAL_GATE_TOKEN: TOKEN });
      expect({ code, text }).toEqual({
        code: 2,
        text: "SERIAL_GATE_TOKEN is set without SERIAL_GATE_URL, and a token is sent only to the address that it was given with. Set both, or unset it and use `serial-gate login URL`.\n",
      });
    },
  );

  it("does not send a context's token to the environment's address", async () => {
    const theirs = await listener();
    const at = home();
    await login(at);
    await at.run(["task", "list"], { SERIAL_GATE_URL: theirs.url });
    expect(theirs.heard.every((each) => each.endsWith("without a token"))).toBe(true);
    expect(theirs.heard.length).toBeGreaterThan(0);
  });

  it("does not send the environment's token to a context's address", async () => {
    const theirs = await listener();
    const at = home();
    expect((await at.run(["login", theirs.url, "--name", "theirs"], {}, "")).code).toBe(0);
    const env = { SERIAL_GATE_URL: url(), SERIAL_GATE_TOKEN: TOKEN };
    await at.run(["--context", "theirs", "task", "list"], env);
    await at.run(["task", "list", "--context=theirs"], env);
    expect(theirs.heard.length).toBeGreaterThan(1);
    expect(theirs.heard.every((each) => each.endsWith("without a token"))).toBe(true);
  });

  it.each(["http://gate.example", "http://127.0.0.1.example:8080", "http://10.0.0.7,http://127.0.0.1"])(
    "refuses to send one to %s in clear text",
    async (address) => {
      const at = home();
      const { code, text } = await at.run(["queue"], { SERIAL_GATE_URL: address, SERIAL_GATE_TOKEN: TOKEN });
      expect(code).toBe(2);
      expect(text).toContain("in clear text. Use an https:// address, or add --insecure");
      expect((await at.run(["login", address], {}, TOKEN)).text).toBe(text);
      expect(existsSync(at.file)).toBe(false);
    },
  );

  it("sends one in clear text with --insecure", async () => {
    const { code, text } = await home().run(["queue", "--insecure"], {
      SERIAL_GATE_URL: "http://gate.invalid",
      SERIAL_GATE_TOKEN: TOKEN,
    });
    expect(code).toBe(1);
    expect(text).toContain("No service answers at http://gate.invalid");
  });

  it.each([
    "http://ann:topsecret@127.0.0.1:8080",
    "http://topsecret@127.0.0.1:8080",
    "http://127.0.0.1:8080/?token=topsecret",
    "http://127.0.0.1:8080/#topsecret",
    "http://ann:top@secret/topsecret@127.0.0.1",
    "ann:topsecret@127.0.0.1:8080",
  ])("takes %s for a usage error and shows no part of it", async (address) => {
    const at = home();
    for (const said of [
      await at.run(["queue"], { SERIAL_GATE_URL: address }),
      await at.run(["login", address], {}, TOKEN),
    ]) {
      expect(said.code).toBe(2);
      expect(said.text).not.toContain("secret");
      expect(said.text.split("\n")).toHaveLength(2);
    }
    expect((await at.run(["config"], { SERIAL_GATE_URL: address })).text).not.toContain("secret");
  });
});

describe("contexts", () => {
  it("login keeps the address and the token for the user alone", async () => {
    const at = home();
    expect(await login(at, "--name", "here")).toEqual({
      code: 0,
      text: `The context here is in force: ${url()}.\n`,
    });
    expect(statSync(at.file).mode & 0o777).toBe(0o600);
    expect(statSync(join(at.file, "..")).mode & 0o777).toBe(0o700);
    expect((await at.run(["queue"])).code).toBe(0);
    const { text } = await at.run(["config"]);
    expect(text).toMatch(/SERIAL_GATE_URL +http:\/\/127\.0\.0\.1:\d+ +context here/);
    expect(text).toMatch(/SERIAL_GATE_TOKEN +\(set\) +context here/);
    expect(text).not.toContain(TOKEN);
  });

  it("login keeps nothing that the service does not take", async () => {
    const at = home();
    expect(await at.run(["login", url()], {}, "fedcba9876543210")).toEqual({
      code: 4,
      text: "The service does not know this token. Nothing was kept.\n",
    });
    expect((await at.run(["login", url()], {}, "")).text).toContain("requires a token");
    expect((await at.run(["login", "http://127.0.0.1:1"], {}, TOKEN)).code).toBe(1);
    expect((await at.run(["login", url(), "--name", "--all"], {}, TOKEN)).code).toBe(2);
    expect((await at.run(["login", url(), "--name", "a b"], {}, TOKEN)).code).toBe(2);
    expect(existsSync(at.file)).toBe(false);
  });

  it("list, use and logout, and --context for one command", async () => {
    const at = home();
    const theirs = await listener();
    await login(at, "--name", "ours");
    await at.run(["login", theirs.url, "--name", "theirs"], {}, "");
    const names = async (): Promise<string> => (await at.run(["context", "list", "-o", "name"])).text;
    expect(await names()).toBe("ours\ntheirs\n");
    const listed = (await at.run(["context", "list"])).text;
    expect(listed).toMatch(/ours +http\S+ +\(set\) +-\ntheirs +http\S+ +- +yes\n$/);
    expect((await at.run(["queue", "--context", "ours"])).code).toBe(0);
    expect((await at.run(["context", "use", "ours"])).text).toBe("The context ours is in force.\n");
    expect((await at.run(["queue"])).code).toBe(0);
    expect((await at.run(["context", "use", "nowhere"])).code).toBe(5);
    expect((await at.run(["queue", "--context", "nowhere"])).text).toBe(
      "No context nowhere. Known contexts: ours, theirs.\n",
    );
    expect((await at.run(["__complete", "bash", "--", "queue", "--context", ""])).text).toBe(
      "ours\ntheirs\n",
    );
    expect((await at.run(["logout"])).text).toContain("The context ours is forgotten.");
    expect(await names()).toBe("theirs\n");
    expect(readFileSync(at.file, "utf8")).not.toContain(TOKEN);
    expect((await at.run(["logout"])).code).toBe(5);
  });

  it("completes from the service of --context", async () => {
    const at = home();
    await shared().call(
      "POST",
      "/tasks",
      { repo: "acme/done", work_item_id: "D-1" },
      { authorization: `Bearer ${TOKEN}` },
    );
    await login(at, "--name", "ours");
    await at.run(["login", (await listener()).url, "--name", "theirs"], {}, "");
    const complete = async (...words: string[]): Promise<string> =>
      (await at.run(["__complete", "bash", "--", ...words])).text;
    expect(await complete("--context", "ours", "freeze", "acme/d")).toBe("acme/done\n");
    expect(await complete("freeze", "--context=ours", "acme/d")).toBe("acme/done\n");
    expect(await complete("freeze", "acme/d")).toBe("");
  });

  it("refuses a file or a folder that others can open, and one that is malformed", async () => {
    const at = home();
    await login(at);
    for (const [path, mode, kept, advice] of [
      [at.file, 0o644, 0o600, "chmod 600"],
      [at.file, 0o620, 0o600, "chmod 600"],
      [join(at.file, ".."), 0o777, 0o700, "chmod 700"],
    ] as const) {
      chmodSync(path, mode);
      const { code, text } = await at.run(["queue"]);
      expect(code).toBe(2);
      expect(text).toContain(advice);
      chmodSync(path, kept);
    }
    for (const text of [
      "",
      "{",
      "[]",
      '{"contexts": {"a": 1}}',
      '{"contexts": {"a\u001bb": {"url": "x"}}}',
    ]) {
      writeFileSync(at.file, text);
      expect(await at.run(["queue"])).toMatchObject({
        code: 2,
        text: expect.stringContaining("is not the file of `serial-gate login`") as string,
      });
    }
  });

  it("ignores a configuration folder in the working folder", async () => {
    const at = home();
    const theirs = await listener();
    const contexts = { current: "theirs", contexts: { theirs: { url: theirs.url } } };
    mkdirSync(join(at.folder, "mine", "serial-gate"), { recursive: true, mode: 0o700 });
    writeFileSync(join(at.folder, "mine", "serial-gate", "contexts.json"), JSON.stringify(contexts), {
      mode: 0o600,
    });
    await at.run(["queue"], { XDG_CONFIG_HOME: "mine", HOME: at.folder });
    expect(theirs.heard).toEqual([]);
  });

  it.skipIf(noTerminal !== undefined)("does not show a token that is typed", async () => {
    const at = home();
    const env = { XDG_CONFIG_HOME: join(at.folder, "config"), SERIAL_GATE_URL: undefined };
    const terminal = atTerminal(url(), ["login", url(), "--name", "typed"], { env });
    await terminal.shows("not shown");
    terminal.type(`${TOKEN}\r`);
    expect(await terminal.ended).toBe(0);
    expect(terminal.screen()).not.toContain(TOKEN);
    expect((await at.run(["queue"])).code).toBe(0);
  });
});
