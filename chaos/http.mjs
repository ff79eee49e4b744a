/** HTTP calls over a client's own connections, as text and as they arrive: nothing is repeated or followed. */

import { Agent, request } from "node:http";

const ANSWER_MS = 30_000;

/** @returns a function that makes one call; it rejects when the connection is lost before the whole answer came */
export const connectionsTo = (port, agent = new Agent({ keepAlive: true })) => {
  /** @param text the bytes of the body; @param body is sent as JSON
   *  @param hangUpMs destroys the connection after that time, answered or not */
  const call = ({ method, path, body, text: given, headers = {}, hangUpMs }) =>
    new Promise((resolve, reject) => {
      const text = body === undefined ? given : JSON.stringify(body);
      const sending = request(
        {
          host: "127.0.0.1",
          port,
          agent,
          method,
          path,
          headers: {
            ...(body === undefined ? {} : { "content-type": "application/json" }),
            ...(text === undefined ? {} : { "content-length": Buffer.byteLength(text) }),
            ...headers,
          },
        },
        (answer) => {
          const parts = [];
          answer.on("data", (part) => parts.push(part));
          answer.on("aborted", () => reject(new Error("cut off"))).on("error", reject);
          answer.on("end", () => {
            clearTimeout(timer);
            const received = Buffer.concat(parts).toString();
            const isJson = /json/.test(answer.headers["content-type"] ?? "");
            try {
              resolve({
                status: answer.statusCode,
                headers: answer.headers,
                text: received,
                body: isJson && received !== "" ? JSON.parse(received) : null,
              });
            } catch (error) {
              reject(error);
            }
          });
        },
      );
      const timer = setTimeout(() => {
        sending.destroy(Object.assign(new Error("hung up"), { hungUp: true }));
      }, hangUpMs ?? ANSWER_MS);
      sending.on("error", (error) => {
        clearTimeout(timer);
        reject(error);
      });
      sending.end(text);
    });
  return { call, close: () => agent.destroy() };
};
