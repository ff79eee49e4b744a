/** Bytes that no HTTP library sends: garbage, and requests that two readers might cut in different places. */

import { connect } from "node:net";

/** A request that must never be taken for one: it would leave a freeze of this repository. */
export const SMUGGLED_REPO = "smuggled/repo";
const INNER = `POST /freeze?repo=${SMUGGLED_REPO} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n`;
const HEAD = "POST /jobs/claim HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n";

const FORMS = [
  `${HEAD}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${INNER}`,
  `${HEAD}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n${INNER}`,
  `${HEAD}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n${INNER}`,
  `${HEAD}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n${INNER}`,
  `${HEAD}Content-Length: 2\r\nContent-Length: ${INNER.length + 2}\r\n\r\n{}${INNER}`,
  `${HEAD}Content-Length: +2\r\n\r\n{}${INNER}`,
  `${HEAD}Content-Length: 2,2\r\n\r\n{}${INNER}`,
  `${HEAD}Content-Length: -1\r\n\r\n${INNER}`,
  `${HEAD}Content-Length: 0x2\r\n\r\n{}${INNER}`,
  `${HEAD}Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n${INNER}`,
  `${HEAD}Transfer-Encoding: chunked\r\n\r\n2;${"x".repeat(20_000)}\r\n{}\r\n0\r\n\r\n`,
  `${HEAD}Transfer-Encoding: chunked\n\n0\n\n${INNER}`,
  `GET /queue HTTP/1.1\nHost: 127.0.0.1\n\n${INNER}`,
  `GET /queue HTTP/1.1\r\nHost: 127.0.0.1\r\nX: a\rb\r\n\r\n`,
  `GET /queue HTTP/1.1\r\nHost: 127.0.0.1\r\n X: folded\r\n\r\n`,
  `GET /queue HTTP/9.9\r\n\r\n`,
  `GET /queue HTTP/1.1\r\n\r\n`,
  `GET http://elsewhere.example/queue HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n`,
  `GET /queue HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n`,
  `CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`,
  `GET /queue HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n`,
  `GET /queue HTTP/1.1\r\nHost: 127.0.0.1\r\nExpect: 100-elephants\r\n\r\n`,
  `${HEAD}Expect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}`,
  `GET /${"a".repeat(20_000)} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`,
  `GET /queue HTTP/1.1\r\n${"X-Y: z\r\n".repeat(3_000)}\r\n`,
  `GET /queue\x00 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`,
  "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
  "\r\n\r\n\r\n",
  "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
  "\x00\x00\x00\x00",
];

const garbage = (random) =>
  Buffer.from(Array.from({ length: random.between(1, 400) }, () => random.between(0, 255)));

/** Sends one such request on a connection of its own.
 *  @returns `{ sent, text }`: what came back before the connection was closed, or within half a second */
export const sendRaw = (random, port) =>
  new Promise((resolve) => {
    let sent = random.chance(20) ? garbage(random) : Buffer.from(random.oneOf(FORMS), "latin1");
    if (random.chance(20)) sent = sent.subarray(0, random.between(1, sent.length));
    const parts = [];
    const socket = connect(port, "127.0.0.1", () => {
      socket.write(sent);
      if (random.chance(50)) socket.end();
    });
    const done = () => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ sent, text: Buffer.concat(parts).toString("latin1") });
    };
    const timer = setTimeout(done, 500);
    socket.on("data", (part) => parts.push(part));
    socket.on("error", done).on("close", done);
  });

/** @returns what is wrong with an answer to raw bytes, if anything */
export const judgeRaw = ({ text }, isProblem) => {
  if (text === "" || text.startsWith("HTTP/1.1 100")) return undefined;
  const [, status] = /^HTTP\/1\.1 (\d{3})/.exec(text) ?? [];
  if (status === undefined) return `an answer that is no HTTP: ${text.slice(0, 200)}`;
  if (status >= 500 && status !== "503") return `status ${status}`;
  const [head, body = ""] = text.split("\r\n\r\n");
  if (/content-type: text\/html/i.test(head)) return "an answer in HTML";
  if (Number(status) >= 400) {
    if (!/content-type: application\/problem\+json/i.test(head))
      return `a refusal that is no problem document: ${text.slice(0, 300)}`;
    const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
    if (body.length >= length && !isProblem(JSON.parse(body.slice(0, length))))
      return `a problem that is not as documented: ${body.slice(0, 300)}`;
  }
  return undefined;
};
