/** Answers that a caller has already: an ETag on what is answered, and 304 for who sends it again (RFC 9110, 8.8.3 and
 *  13.1.2). */

import type { FastifyReply, FastifyRequest } from "fastify";

const isKnown = (header: string | undefined, tag: string): boolean =>
  header !== undefined && (header.trim() === "*" || header.split(",").some((each) => each.trim() === tag));

/** Sets the tag of the answer.
 *  @param tag weak, since two answers of one state differ in their time; undefined where there is none to tell
 *  @returns whether the caller has the answer already: then it gets 304 and no body */
export const hasAnswer = (
  { headers }: FastifyRequest,
  reply: FastifyReply,
  tag: string | undefined,
): boolean => {
  if (tag === undefined) return false;
  void reply.headers({ etag: tag, "cache-control": "no-cache" });
  if (!isKnown(headers["if-none-match"], tag)) return false;
  void reply.code(304);
  return true;
};
