/** Callers of an HTTP service: a fixed number of connections, each with one request under way.
 *  Speaks just enough HTTP/1.1 to cost little beside the service that it measures: the machine may have two cores. */

import { connect } from "node:net";

const HEAD_END = "\r\n\r\n";

/** A request as its bytes. */
export const requestOf = (url, { method = "POST", path, body, headers = {} }) => {
  const { host } = new URL(url);
  const text = body === undefined ? "" : JSON.stringify(body);
  const lines = Object.entries({
    host,
    ...(body === undefined ? {} : { "content-type": "application/json" }),
    ...(method === "GET" ? {} : { "content-length": Buffer.byteLength(text) }),
    ...headers,
  }).map(([name, value]) => `${name}: ${value}`);
  return Buffer.from([`${method} ${path} HTTP/1.1`, ...lines, "", text].join("\r\n"));
};

/** The answer at the start of the text, or undefined while a part of it is still under way. */
const answerIn = (text) => {
  const headEnd = text.indexOf(HEAD_END);
  if (headEnd < 0) return undefined;
  const bodyStart = headEnd + HEAD_END.length;
  const length = Number(/\r\ncontent-length: *(\d+)/i.exec(text.slice(0, bodyStart))?.[1] ?? 0);
  if (text.length < bodyStart + length) return undefined;
  return { status: Number(text.slice(9, 12)), body: text.slice(bodyStart, bodyStart + length) };
};

/** One caller: sends what `next` gives until it gives nothing.
 *  @param next is handed the last answer, undefined at first
 *  @param sockets holds the connection while it is open */
const call = (url, next, sockets) =>
  new Promise((done, fail) => {
    const { hostname, port } = new URL(url);
    const socket = connect({ host: hostname, port: Number(port), noDelay: true });
    sockets.add(socket);
    let heard = "";
    const send = (answer) => {
      const request = next(answer);
      if (request) socket.write(request);
      else socket.end();
    };
    socket.setEncoding("latin1");
    socket.on("connect", () => send(undefined));
    socket.on("data", (text) => {
      heard += text;
      const answer = answerIn(heard);
      if (!answer) return;
      heard = "";
      try {
        send(answer);
      } catch (error) {
        socket.destroy(error);
      }
    });
    socket.on("error", fail);
    socket.on("close", () => {
      sockets.delete(socket);
      done();
    });
  });

/** Runs that many callers to their ends, or until they are told to hang up.
 *  @param caller makes the `next` of one connection
 *  @returns milliseconds */
export const load = async (url, connections, caller, hangUp) => {
  const sockets = new Set();
  hangUp?.addEventListener("abort", () => sockets.forEach((socket) => socket.destroy()));
  const began = performance.now();
  await Promise.all(Array.from({ length: connections }, () => call(url, caller(), sockets)));
  return performance.now() - began;
};

/** Runs that many callers for so many milliseconds, and until each has had its last answer.
 *  @param caller makes the `next` of one connection; it is handed what says whether the time is over
 *  @returns answers a second */
export const rate = async (url, connections, caller, ms) => {
  let answers = 0;
  const end = performance.now() + ms;
  const isOver = () => performance.now() >= end;
  const counted = () => {
    const next = caller(isOver);
    return (answer) => {
      if (answer) answers += 1;
      return next(answer);
    };
  };
  const took = await load(url, connections, counted);
  return (answers * 1_000) / took;
};

/** Callers that ask for the same until the time is over.
 *  @param check throws at an answer that is not what was asked for */
export const repeat = (request, check) => (isOver) => (answer) => {
  if (answer) check(answer);
  return isOver() ? undefined : request;
};
