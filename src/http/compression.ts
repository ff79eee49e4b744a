/** Compresses large answers for browsers: a queue of 1,000 lanes is 600 kB of JSON, and 30 kB on its way to a phone.
 *  Programs are mostly near the service, and polling ones would pay for it at every answer: they get it as it is. */

import { Readable, pipeline } from "node:stream";
import { constants, createGzip, gzip } from "node:zlib";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";

/** Bytes below which a compressed answer arrives no sooner. */
const WORTH_IT = 4_096;

/** Fast: the answer is made while somebody waits for it. */
const OPTIONS = { level: constants.Z_BEST_SPEED + 1 };

/** Sec-Fetch-Site is a header that only browsers send. */
const isBrowser = ({ headers }: FastifyRequest): boolean => headers["sec-fetch-site"] !== undefined;

const takesGzip = ({ headers }: FastifyRequest): boolean =>
  /\bgzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|$))/i.test(headers["accept-encoding"] ?? "");

const isJson = (reply: FastifyReply): boolean =>
  String(reply.getHeader("content-type")).startsWith("application/json");

const markAsGzip = (reply: FastifyReply): void => {
  void reply.removeHeader("content-length").headers({ "content-encoding": "gzip", vary: "accept-encoding" });
};

export const useCompression = (app: FastifyInstance): void => {
  app.addHook("onSend", (request, reply, payload, done) => {
    const isWorthIt =
      payload instanceof Readable || (typeof payload === "string" && payload.length >= WORTH_IT);
    if (!isWorthIt || !isBrowser(request) || !takesGzip(request) || !isJson(reply)) {
      done(null, payload);
      return;
    }
    markAsGzip(reply);
    if (typeof payload === "string") gzip(payload, OPTIONS, done);
    // An error ends the answer in the middle, as it does without compression.
    else
      done(
        null,
        pipeline(payload, createGzip(OPTIONS), () => undefined),
      );
  });
};
