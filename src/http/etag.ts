/** Conditional requests: an ETag on the answer, and 304 for a caller that sends it back (RFC 9110, 8.8.3 and 13.1.2).
 *  The tag comes from the gate. */

import type { Readable } from "node:stream";
import type { FastifyReply, FastifyRequest } from "fastify";

const isKnown = (header: string | undefined, tag: string): boolean =>
  header !== undefined && (header.trim() === "*" || header.split(",").some((each) => each.trim() === tag));

interface Tagged {
  /** Identifies the state; undefined when the state has no tag. The ETag is weak, as answers of one state differ in their
   *  time. */
  readonly tag: string | undefined;
  /** Called only if the caller does not have the answer yet. */
  readonly body: () => Promise<Body>;
}

/** JSON of a known length, and its own tag: the state may have moved on meanwhile. */
interface Body {
  readonly tag: string | undefined;
  readonly payload: Readable;
  readonly bytes: number;
}

const asEtag = (tag: string): string => `W/"${tag}"`;

/** Sends the JSON answer with its tag, or 304 if the caller has it already. */
export const sendUnlessKnown = async (
  { headers }: FastifyRequest,
  reply: FastifyReply,
  { tag, body }: Tagged,
): Promise<FastifyReply> => {
  if (tag !== undefined) {
    const etag = asEtag(tag);
    if (isKnown(headers["if-none-match"], etag))
      return reply.headers({ etag, "cache-control": "no-cache" }).code(304).send();
  }
  const { tag: own, payload, bytes } = await body();
  if (own !== undefined) void reply.headers({ etag: asEtag(own), "cache-control": "no-cache" });
  return reply.type("application/json; charset=utf-8").header("content-length", String(bytes)).send(payload);
};
