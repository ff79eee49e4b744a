/** Secrets of tokens: made at random, kept as a digest only, and judged where a person chose one. */

import { createHash, randomBytes } from "node:crypto";

const PREFIX = "sg_";
const RANDOM_BYTES = 20;
const CHECKSUM_LENGTH = 7;

/** Crockford's base 32, in lower case: no letter of it can be taken for a digit. */
const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";

const inBase32 = (bytes: Buffer): string => {
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, "0")).join("");
  return (bits.match(/.{1,5}/g) ?? []).map((five) => ALPHABET[parseInt(five.padEnd(5, "0"), 2)]).join("");
};

const checksumOf = (text: string): string =>
  inBase32(createHash("sha256").update(text).digest()).slice(0, CHECKSUM_LENGTH);

/** Makes a secret: `sg_`, 160 random bits and a checksum, by which scanners tell it from any other text. */
export const newSecret = (): string => {
  const text = `${PREFIX}${inBase32(randomBytes(RANDOM_BYTES))}`;
  return text + checksumOf(text);
};

/** True for a text that `newSecret` can have made. */
export const isOwnSecret = (text: string): boolean =>
  /^sg_[0-9a-hjkmnp-tv-z]{39}$/.test(text) &&
  checksumOf(text.slice(0, -CHECKSUM_LENGTH)) === text.slice(-CHECKSUM_LENGTH);

/** The SHA-256 digest of a secret. HTTP headers are read as Latin-1. */
export const digestOf = (secret: string): Buffer => createHash("sha256").update(secret, "latin1").digest();

/** Parts of the secrets in our documents. */
const EXAMPLES = ["0123456789abcdef", "fedcba9876543210"];

/** The fewest bits that the characters of a secret may carry by their own frequencies. */
const FEWEST_BITS = 40;

const bitsIn = (text: string): number => {
  const counts = new Map<string, number>();
  for (const character of text) counts.set(character, (counts.get(character) ?? 0) + 1);
  return [...counts.values()].reduce((sum, count) => sum - count * Math.log2(count / text.length), 0);
};

/** Says what is wrong with a secret that a person chose; undefined for one that may do. */
export const weaknessOf = (secret: string): string | undefined => {
  if (EXAMPLES.some((example) => secret.includes(example))) return "is an example of the documents";
  return bitsIn(secret) < FEWEST_BITS ? "is easy to guess" : undefined;
};

/** True for the digest of a secret in our documents. */
export const isExampleDigest = (digest: Buffer): boolean =>
  EXAMPLES.some((example) => digestOf(example).equals(digest));
