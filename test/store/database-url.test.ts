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
  ["postgres://gate:secret@localhost:5432/gate", "postgres://localhost:5432/gate"],
  ["postgres://gate:secret@secret@127.0.0.1/gate", "postgres://127.0.0.1/gate"],
  ["postgres://secret@[::1]/gate", "postgres://[::1]/gate"],
  ["postgresql://localhost/gate?user=gate&password=secret", "postgresql://localhost/gate?user&password"],
  ["postgresql://localhost/gate?pass=secret", "postgresql://localhost/gate?pass"],
  ["postgresql://localhost/gate?application_name=secret", "postgresql://localhost/gate?application_name"],
  ["postgres:///gate?host=/run/postgresql", "postgres:///gate?host"],
  [
    "postgres://gate:secret@db/gate?sslmode=require&sslpassword=secret",
    "postgres://db/gate?sslmode&sslpassword",
  ],
])("shows of %s the parts that have no secret", (url, shown) => {
  expect(readDatabaseUrl(url)).toEqual({ kind: "server", url });
  expect(shownUrl(url)).toBe(shown);
});

it.each([
  "postgres://gate:123/topsecret@db/gate",
  "postgres://gate:123#topsecret@db/gate",
  "postgres://gate:123?topsecret@db/gate",
  "postgres://gate:1/2/topsecret@db/gate",
  "postgres://gate:topsecret",
  "postgres://gate:topsecret@",
  "postgres:/gate:topsecret@db/gate",
  "postgres://gate:topsecret@db/gate ?x",
  "POSTGRES://gate:topsecret@db/gate",
  "topsecret",
])("shows nothing of %s, which it cannot read", (url) => {
  expect(shownUrl(url)).toBe("(set)");
  expect(JSON.stringify(readDatabaseUrl(url))).not.toContain("topsecret");
});

it.each([
  "postgres://gate@db/gate",
  "postgres://gate@127.0.0.1.example/gate",
  "postgres://gate@localhost/gate?host=db",
  "postgres://gate@10.0.0.7:5432/gate?application_name=gate",
])("refuses %s on another machine without an sslmode", (url) => {
  expect(readDatabaseUrl(url)).toMatchObject({
    kind: "invalid",
    reason: expect.stringContaining("sslmode=verify-full") as string,
  });
});

it.each([
  "postgres://gate@db/gate?sslmode=verify-full",
  "postgres://gate@db/gate?sslmode=disable",
  "postgres://gate@127.0.0.9/gate",
  "postgres://gate@db/gate?host=/run/postgresql",
])("takes %s", (url) => {
  expect(readDatabaseUrl(url)).toEqual({ kind: "server", url });
});

it("refuses an sslmode that the driver does not know", () => {
  for (const mode of ["verify_full", "allow", ""])
    expect(readDatabaseUrl(`postgres://localhost/gate?sslmode=${mode}`)).toMatchObject({
      kind: "invalid",
      reason: expect.stringContaining("sslmode is one of disable,") as string,
    });
});
