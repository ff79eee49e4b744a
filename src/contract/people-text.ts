/** Text for people (an error, a reason, a title) made storable. It is never refused for what it contains: a failure whose
 *  log was cut or binary must still be told. Names, payloads and results are not for here. */

/** In characters (code points). */
export const PEOPLE_TEXT_LENGTH = 4_000;
export const ERROR_LENGTH = 20_000;
export const PROGRESS_LENGTH = 200;

const CUT = "…";
/** NUL, which PostgreSQL cannot store, and halves of surrogate pairs, which UTF-8 cannot. */
const UNSTORABLE = /[\0\p{Cs}]/gu;

/** The place in the text, in UTF-16 units, behind its first characters. */
const endOf = (text: string, characters: number): number => {
  let at = 0;
  for (let count = 0; count < characters && at < text.length; count += 1)
    at += (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1;
  return at;
};

/** The text with U+FFFD for what no database can store, cut with `…` at a whole character as a reader sees it. */
export const peopleText = (text: string, length = PEOPLE_TEXT_LENGTH): string => {
  const storable = text.replace(UNSTORABLE, "\ufffd");
  // No text has more characters than UTF-16 units.
  if (storable.length <= length || endOf(storable, length) === storable.length) return storable;
  const end = endOf(storable, length - CUT.length);
  // An emoji of several code points is one character. What is longer than the text's whole room is cut anywhere.
  const whole = new Intl.Segmenter().segment(storable.slice(0, end + length)).containing(end)?.index ?? end;
  return `${storable.slice(0, whole > 0 ? whole : end)}${CUT}`;
};

/** An actor's note, or another input with a reason, with the reason made storable. */
export const withStorableReason = <Note extends { readonly reason?: string | undefined }>(
  note: Note,
): Note => (note.reason === undefined ? note : { ...note, reason: peopleText(note.reason) });

/** A worker's report with the reason of its pause made storable. */
export const withStorablePause = <
  Report extends { readonly pause?: { readonly reason: string } | undefined },
>(
  report: Report,
): Report => (report.pause === undefined ? report : { ...report, pause: withStorableReason(report.pause) });

/** A resume with the answer made storable. */
export const withStorableAnswer = <Note extends { readonly answer?: string | undefined }>(
  note: Note,
): Note => (note.answer === undefined ? note : { ...note, answer: peopleText(note.answer) });

const STEPS = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["min", 60_000],
  ["s", 1_000],
] as const;

/** A length of time in its two largest units: `3 h 12 min`; below a second `0 s`. */
export const lengthOf = (ms: number): string => {
  const first = STEPS.findIndex(([, unit]) => ms >= unit);
  const [big, small] = STEPS.slice(Math.max(first, 0));
  if (first < 0 || !big) return "0 s";
  const count = Math.floor(ms / big[1]);
  const rest = small ? Math.floor((ms % big[1]) / small[1]) : 0;
  return `${count} ${big[0]}${small && rest > 0 ? ` ${rest} ${small[0]}` : ""}`;
};
