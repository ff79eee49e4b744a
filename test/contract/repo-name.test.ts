import fc from "fast-check";
import { expect, it } from "vitest";
import { foldRepo, REPO_NAME } from "../../src/contract/names/repo-name.ts";

it.each([
  "acme/web",
  "web",
  "group/sub/repo",
  "~user/repo",
  "user/c++-lib",
  "a.b/c_d-e",
  "..a/b..",
  "web.git",
])("takes %j as the form of a repository name", (name) => {
  expect(REPO_NAME.test(name)).toBe(true);
});

it.each([
  "",
  "../etc",
  "acme/..",
  "acme/./web",
  ".",
  "acme//web",
  "/web",
  "acme/",
  "acme web",
  "Org Name/My Project",
  "acme/веб",
  "acme/web\n",
  "acme:web",
])("does not take %j as the form of a repository name", (name) => {
  expect(REPO_NAME.test(name)).toBe(false);
});

it.each([
  ["case", "Acme/WEB"],
  ["spaces around it", " acme/web  "],
  ["a no-break space", "acme/web\u00a0"],
  ["spaces around a part", "acme / web"],
  ["a slash at the end", "acme/web//"],
  ["a slash at the beginning", "/acme/web"],
  [".git", "acme/web.git"],
  [".git and a slash", "ACME/web.GIT/"],
  ["a zero-width space", "acme/\u200bweb"],
  ["full-width letters", "ａｃｍｅ/ｗｅｂ"],
])("folds a name that differs by %s", (_, name) => {
  expect(foldRepo(name)).toBe("acme/web");
});

it("folds the composed and the decomposed form of a letter, and the cases of any script, into one", () => {
  expect(foldRepo("acme/u\u0308ber")).toBe(foldRepo("ACME/Über"));
  expect(foldRepo("acme/straße")).toBe(foldRepo("acme/STRASSE"));
  expect(foldRepo("acme/веб")).toBe(foldRepo("acme/ВЕБ"));
});

it.each(["acme/web2", "acme/we-b", "acme.web", "acmeweb", "other/web", "acme/web/git", "acme/wéb"])(
  "does not fold %j into another name",
  (name) => {
    expect(foldRepo(name)).not.toBe("acme/web");
  },
);

it("folds names of the right form to themselves, but for case and .git", () => {
  const names = fc.stringMatching(/^[a-z0-9_~+-]{1,8}(\/[a-z0-9_~+-]{1,8}){0,2}$/);
  fc.assert(
    fc.property(names, (name) => {
      expect(foldRepo(name)).toBe(name);
      expect(foldRepo(`${name.toUpperCase()}.git/`)).toBe(name);
    }),
  );
});
