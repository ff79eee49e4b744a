/** The form of repository names, and when two of them look alike. It knows no database: gate/commands/lookup/repo.ts asks which
 *  names are known. */

/** One part between slashes, with the punctuation of forges that exist (`~user/repo`, `user/c++-lib`). None is `.` or
 *  `..`. Other scripts are left out because some of their letters cannot be told from ours, and spaces because in a list
 *  of names one cannot be told from a separator. */
const PART = String.raw`(?!\.{1,2}(?:/|$))[A-Za-z0-9._~+-]+`;

export const REPO_NAME = new RegExp(`^${PART}(?:/${PART})*$`);

/** The form in words, to end a sentence that begins with the field. */
export const REPO_FORM =
  "a repository name, such as acme/web: letters, digits, `.`, `_`, `~`, `+` and `-`, in parts joined by `/`";

/** Invisible characters, which no reader can tell a name by. */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}]/gu;

const CLONE_SUFFIX = /(?<=[^/])\.git$/;

const withoutSuffix = (name: string): string => {
  const shorter = name.replace(CLONE_SUFFIX, "");
  return shorter === name ? name : withoutSuffix(shorter);
};

/** The name without all that forges and people spell in several ways: case, the Unicode form, invisible characters,
 *  spaces around its parts, empty parts, and `.git` at the end. Names with the same result look alike. */
export const foldRepo = (name: string): string => {
  const plain = name.normalize("NFKC").replace(INVISIBLE, "");
  const parts = plain.split("/").map((part) => part.trim());
  const joined = parts.filter((part) => part !== "").join("/");
  // Upper case first: ß and SS, or the two lower-case sigmas, differ by case alone.
  return withoutSuffix(joined.toUpperCase().toLowerCase().normalize("NFKC"));
};
