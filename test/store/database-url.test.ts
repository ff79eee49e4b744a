import { homedir } from "node:os";
import { expect, it } from "vitest";
import { readDatabaseUrl, shownUrl } from "../../src/store/database-url.ts";

it.each([
  ["file:gate.db", "gate.db"],
  ["file:./data/gate.db", "./data/gate.db"],
  ["file:../gate.db", "../gate.db"],
  ["file:/var/lib/gate.db", "/var/lib/gate.db"],
  ["file:///var/lib/gate.db", "/var/lib/gate.db"],
  ["file:////var/lib/gate.db", "/var/lib/gate.db"],
  ["file://localhost/var/lib/gate.db", "/var/lib/gate.db"],
  ["FILE:gate.db", "gate.db"],
  ["file:///data/my%20gate.db", "/data/my gate.db"],
  ["file:my gate.db", "my gate.db"],
  ["file:50%25.db", "50%.db"],
  ["file:what%3F.db", "what?.db"],
  ["file:/data/my#1.db", "/data/my#1.db"],
  ["file:~/gate.db", `${homedir()}/gate.db`],
  ["file:./~/gate.db", "./~/gate.db"],
  ["file:Büro.db", "Büro.db"],
  ["file::memory:", ":memory:"],
])("reads %s as the file that people mean", (url, path) => {
  expect(readDatabaseUrl(url)).toEqual({ kind: "file", path });
  expect(shownUrl(url)).toBe(url);
});

it.each([
  ["file:", "names a folder"],
  ["file:.", "names a folder"],
  ["file:data/", "names a folder"],
  ["file:gate.db?mode=ro", "parameters"],
  ["file::memory:?cache=shared", "parameters"],
  ["file://gate.db", "another machine"],
  ["file://server/share/gate.db", "another machine"],
  ["file:50%.db", "%25"],
  ["file:%ff.db", "%25"],
  ["file:a%2Fb.db", "%2F"],
  ["file:a%0Ab.db", "control characters"],
  ["file:~ann/gate.db", "home folder"],
  ["file:///~/gate.db", "home folder"],
  ["file:$HOME/gate.db", "not expanded"],
  ["file:${HOME}/gate.db", "not expanded"],
  ["file: gate.db", "space"],
  ["file:'gate.db'", "quotes"],
  ["file:memory:", "file::memory:"],
  [":memory:", "file::memory:"],
  ["file:C:\\data\\gate.db", "Windows"],
  ["file:///C:/data/gate.db", "Windows"],
  ["file:.\\gate.db", "Windows"],
  ["C:\\data\\gate.db", "file:PATH"],
  ["sqlite:///gate.db", "file:PATH"],
  ["./gate.db", "file:PATH"],
  ["mysql://gate:secret@db/gate", "postgres://"],
  ["postgres://gate:1#secret@db/gate", "%23"],
  ["postgres://gate:1/secret@db/gate", "%2F"],
  ["postgres://gate:1?secret@db/gate", "%3F"],
  ["postgres://gate:secret%@db/gate", "%25"],
])("refuses %s with a reason that says what to write, and no secret", (url, reason) => {
  const read = readDatabaseUrl(url);
  expect(read).toMatchObject({ kind: "invalid", reason: expect.stringContaining(reason) as string });
  expect(JSON.stringify(read)).not.toContain("secret");
  expect(shownUrl(url)).toBe("(set)");
});

it.each([
  "postgres://gate:secret@db:5432/gate",
  "postgres://gate:secret@secret@db/gate",
  "postgresql://db/gate?user=gate&password=secret",
  "postgres://gate:secret@db/gate?sslmode=require&sslpassword=secret",
])("masks the password of %s", (url) => {
  expect(readDatabaseUrl(url)).toEqual({ kind: "server", url });
  expect(shownUrl(url)).not.toContain("secret");
  expect(shownUrl(url)).toContain("***");
});
