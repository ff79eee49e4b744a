import { request, type Agent } from "node:http";
import { connect } from "node:net";
import type { Answer } from "./service.ts";

interface Raw {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly agent?: Agent;
  /** Each is written by itself. */
  readonly parts?: readonly string[];
}

/** A call with what fetch does not let through: a Host of another, a body in chunks, a connection of one's own. */
export const callRaw = <Body>(url: string, { method = "POST", headers, agent, parts = [] }: Raw) =>
  new Promise<Answer<Body>>((resolve, reject) => {
    const sending = request(url, { method, agent, headers: { ...headers } }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (part: string) => (text += part));
      response.on("error", reject).on("end", () => {
        resolve({
          status: response.statusCode ?? 0,
          headers: new Headers(response.headers as Record<string, string>),
          body: JSON.parse(text) as Body,
        });
      });
    });
    sending.on("error", reject);
    for (const part of parts) sending.write(part);
    sending.end();
  });

/** Sends bytes on a connection of its own and reads until it is closed. */
export const exchange = (url: string, bytes: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(url).port), "127.0.0.1", () => socket.write(bytes));
    let text = "";
    socket.setEncoding("utf8").on("data", (part: string) => (text += part));
    socket.on("error", reject).on("close", () => {
      resolve(text);
    });
  });
