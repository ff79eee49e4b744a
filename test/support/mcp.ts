/** The official MCP client, over HTTP and over stdio, and the tokens of the services that the MCP tests start. */

import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  Client,
  StreamableHTTPClientTransport,
  type ClientCapabilities,
  type ElicitResult,
} from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { onTestFinished } from "vitest";
import type { Answer, ClaimedJob, Explanation, Lease } from "../../src/client/client.ts";
import { PROGRAM } from "./cli.ts";
import { temporaryFolder, type AtEnd } from "./folder.ts";

export const secretOf = (name: string): string => `${name}-0a9z8y7x6w5v4u3t`;

/** A token file: an operator of all, and a worker and a viewer of the repositories of acme. */
export const tokensFile = (atEnd: AtEnd = onTestFinished): string => {
  const entry = (name: string, role: string, more: object = {}) => ({
    name,
    role,
    sha256: createHash("sha256").update(secretOf(name)).digest("hex"),
    ...more,
  });
  const path = join(temporaryFolder(atEnd), "tokens.json");
  const tokens = [
    entry("ann", "operator"),
    entry("robot", "worker", { repos: ["acme/*"] }),
    entry("board", "viewer", { repos: ["acme/*"] }),
  ];
  writeFileSync(path, JSON.stringify({ tokens }));
  return path;
};

interface Setting {
  /** The person at the client; without one the client cannot ask. */
  readonly answers?: (question: string) => ElicitResult;
  /** `legacy` is a client of the protocol before 2026-07-28. */
  readonly mode?: "auto" | "legacy";
  /** The program whose `mcp` is run on stdio; the built one by default. */
  readonly program?: string;
}

export type Way = "HTTP" | "stdio";

/** A connected client, closed with the test. */
export const connectMcp = async (
  way: Way,
  url: string,
  token: string | undefined,
  { answers, mode = "auto", program = PROGRAM }: Setting = {},
): Promise<Client> => {
  const capabilities: ClientCapabilities = answers ? { elicitation: { form: {} } } : {};
  const client = new Client(
    { name: "test", version: "1" },
    { capabilities, versionNegotiation: { mode: mode === "legacy" ? "legacy" : "auto" } },
  );
  if (answers) client.setRequestHandler("elicitation/create", (request) => answers(request.params.message));
  const transport =
    way === "HTTP"
      ? new StreamableHTTPClientTransport(new URL(`${url}/mcp`), {
          requestInit: { headers: token === undefined ? {} : { authorization: `Bearer ${token}` } },
        })
      : new StdioClientTransport({
          command: process.execPath,
          args: [program, "mcp"],
          env: {
            SERIAL_GATE_URL: url,
            USER: "ann",
            ...(token === undefined ? {} : { SERIAL_GATE_TOKEN: token }),
          },
        });
  await client.connect(transport);
  onTestFinished(() => client.close());
  return client;
};

/** The structured contents of all tools: each test knows which it asked for. */
interface Data extends Answer<"completeJob">, Answer<"listEvents"> {
  readonly jobs: ClaimedJob[];
  readonly lease: Lease;
  readonly explanation: Explanation;
  readonly lanes: { readonly frozen_reason: string | null }[];
  readonly error: object;
}

interface Said {
  readonly isError: boolean;
  readonly text: string;
  readonly data: Data;
}

/** Calls a tool. */
export const callTool = async (
  client: Client,
  name: string,
  args: Readonly<Record<string, unknown>> = {},
): Promise<Said> => {
  const { content, structuredContent, isError } = await client.callTool({ name, arguments: args });
  const text = content.map((part) => (part.type === "text" ? part.text : "")).join("\n");
  return { isError: isError === true, text, data: structuredContent as Data };
};

/** Claims the one job that there must be. */
export const claimOne = async (
  client: Client,
  args: Readonly<Record<string, unknown>>,
): Promise<ClaimedJob> => {
  const { data } = await callTool(client, "claim", args);
  const [job] = data.jobs;
  if (!job) throw new Error("There is nothing to claim.");
  return job;
};
