/** Names and texts of other people inside our own sentences: between quotes, on one line, with nothing invisible in them, so
 *  that none can pass for a part of the sentence. */

const INVISIBLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;

export const quoted = (text: string): string =>
  JSON.stringify(text).replace(
    INVISIBLE,
    (character) => `\\u{${character.codePointAt(0)?.toString(16) ?? ""}}`,
  );
