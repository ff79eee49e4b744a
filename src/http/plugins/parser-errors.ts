/** Requests that fail in Node's HTTP parser, before any route or hook: malformed, too slow, with headers that are too
 *  large, or with an expectation that nobody meets. They get the same problem documents as every other error. */

import { randomUUID } from "node:crypto";
import { STATUS_CODES, type IncomingMessage, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { FastifyInstance } from "fastify";
import { PROBLEM_TYPE, problemOf } from "../problem.ts";
import { SECURITY_HEADERS } from "./security-headers.ts";

type Answer = Parameters<typeof problemOf>[0];

const INVALID: Answer = { code: "invalid_http", detail: "The request is not valid HTTP." };

const BY_PARSER_CODE: Readonly<Record<string, Answer>> = {
  ERR_HTTP_REQUEST_TIMEOUT: {
    code: "request_timeout",
    detail: "The request was not whole within 30 s.",
  },
  HPE_HEADER_OVERFLOW: { code: "headers_too_large", detail: "The headers are larger than 16 KiB." },
};

const EXPECTATION: Answer = {
  code: "expectation_failed",
  detail: "The service meets no other expectation than 100-continue.",
  hint: "Leave the header Expect out.",
};

const answer = (what: Answer) => {
  const id = randomUUID();
  const { status, body } = problemOf(what, id);
  const text = JSON.stringify(body);
  const headers: Record<string, string> = {
    ...SECURITY_HEADERS,
    "x-request-id": id,
    "content-type": PROBLEM_TYPE,
    "content-length": String(Buffer.byteLength(text)),
    connection: "close",
  };
  return { id, status, headers, text };
};

/** True while an answer is under way on the connection: a second head in the middle of it would be read as its body. */
const isAnswering = (socket: Socket & { readonly _httpMessage?: ServerResponse | null }): boolean =>
  socket._httpMessage?.headersSent === true;

interface ParserError extends Error {
  readonly code?: string;
  /** The bytes that were being parsed, and how far. */
  readonly rawPacket?: unknown;
  readonly bytesParsed?: number;
}

/** True for a HEAD, as far as its line is among the bytes at hand: a body would be read as the answer to the next request. */
const isHead = ({ rawPacket, bytesParsed }: ParserError): boolean => {
  const parsed = Buffer.isBuffer(rawPacket) ? rawPacket.toString("latin1", 0, bytesParsed) : "";
  return parsed
    .slice(parsed.lastIndexOf("\r\n\r\n") + 1)
    .trimStart()
    .startsWith("HEAD ");
};

export const answerParserError =
  (app: FastifyInstance) =>
  (error: ParserError, socket: Socket): void => {
    if (error.code === "ECONNRESET" || !socket.writable || isAnswering(socket)) {
      socket.destroy();
      return;
    }
    const { id, status, headers, text } = answer(BY_PARSER_CODE[error.code ?? ""] ?? INVALID);
    app.log.info({ reqId: id, status, ip: socket.remoteAddress, parser: error.code }, "request");
    const head = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.end(
      `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n${head.join("")}\r\n${isHead(error) ? "" : text}`,
    );
  };

export const useParserErrors = (app: FastifyInstance): void => {
  app.server.on("checkExpectation", (_request: IncomingMessage, response: ServerResponse) => {
    const { status, headers, text } = answer(EXPECTATION);
    response.writeHead(status, headers).end(text);
  });
};
