import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { numberFaults } from "../../../src/http/number-faults.ts";
import { expectProblem, isolatedRepos } from "../../support/calls.ts";
import { callRaw } from "../../support/raw.ts";
import { shareService } from "../../support/service.ts";

const changed = (text: string): string[] =>
  numberFaults(text).map(({ pointer, detail }) => `${pointer} ${detail}`);

describe("a number in a body", () => {
  it.each([
    "0",
    "-0",
    "-0.0",
    "1.0",
    "1.50",
    "9007199254740991",
    "9007199254740992",
    "-12345678901234567000",
    "1e2",
    "1E+2",
    "1e-7",
    "1.7976931348623157e308",
    "5e-324",
    "0.1",
    "0.30000000000000004",
    "100000000000000000000000",
    "0e999",
    "1234567.1234567e-99",
    "12345678.12345678",
  ])("%s is handed on with its value", (text) => {
    expect(numberFaults(text)).toEqual([]);
  });

  it.each([
    ["9007199254740993", "would be changed to 9007199254740992; send it as a string"],
    ["12345678901234567890", "would be changed to 12345678901234567000; send it as a string"],
    ["-12345678901234567890", "would be changed to -12345678901234567000; send it as a string"],
    ["1e400", "is too large for a number; send it as a string"],
    ["-1e400", "is too large for a number; send it as a string"],
    ["1e-400", "would be changed to 0; send it as a string"],
    ["0.1234567890123456789", "would be changed to 0.12345678901234568; send it as a string"],
    ["1.00000000000000000001", "would be changed to 1; send it as a string"],
  ])("%s is refused", (text, detail) => {
    expect(changed(text)).toEqual([` ${detail}`]);
  });

  it("is found by its pointer, and not inside a string or a key", () => {
    const text = `{"a": [1, {"b/c~d": 12345678901234567890, "12345678901234567890": "1e400 \\" 1e400", "\\\\": "\\\\"}, [], 1e400],
      "\\u0065": {"f": [[0, 1e999]]}}`;
    expect(numberFaults(text).map(({ pointer }) => pointer)).toEqual(["/a/1/b~1c~0d", "/a/3", "/e/f/0/1"]);
  });

  it("is never refused when JavaScript wrote it", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.double({ noNaN: true, noDefaultInfinity: true }), (value, number) => {
        expect(numberFaults(JSON.stringify([value, { number }]))).toEqual([]);
      }),
    );
  });

  it("is judged in a moment, also in a body of the greatest size", () => {
    const started = performance.now();
    for (const text of ["9".repeat(2 ** 20), `1${"0".repeat(2 ** 20)}1`, `[${"1e1,".repeat(2 ** 18)}1]`])
      numberFaults(text);
    expect(performance.now() - started).toBeLessThan(2_000);
  });
});

describe("over HTTP", () => {
  const shared = shareService();

  it.each([
    ["payload", "/payload/guild"],
    ["result", "/result/0"],
    ["next", "/next/0/payload/n"],
    ["entry_job", "/entry_job/payload"],
  ])(
    "a number that would change in %s is refused with its place, and changes nothing",
    async (member, pointer) => {
      const { web, add, next } = isolatedRepos(shared());
      await add("WEB-1");
      const { id, lease } = await next();
      const token = `"lease_token":"${lease.token}"`;
      const [path, body] = {
        payload: [
          "/jobs",
          `{"repo":"${web}","work_item_id":"WEB-1","agent":"a","payload":{"guild":12345678901234567890}}`,
        ],
        result: [`/jobs/${id}/complete`, `{${token},"result":[1e400]}`],
        next: [`/jobs/${id}/complete`, `{${token},"next":[{"agent":"a","payload":{"n":9007199254740993}}]}`],
        entry_job: ["/tasks", `{"repo":"${web}","work_item_id":"WEB-2","entry_job":{"payload":1e400}}`],
      }[member] ?? ["", ""];
      const answer = await shared().post(path ?? "", body);
      expectProblem(answer, { status: 400, code: "invalid_request" });
      expect(answer.body).toMatchObject({ errors: [{ in: "body", pointer }] });
      expect((await shared().get<{ job: object }>(`/jobs/${id}`)).body.job).toMatchObject({
        status: "running",
      });
    },
  );

  it("a payload arrives as it was sent", async () => {
    const { add, next } = isolatedRepos(shared());
    const payload = {
      text: "half \ud83d and \0",
      big: "12345678901234567890",
      n: [1e21, -1.5e-7, 0.1],
      "": null,
    };
    await add("WEB-1", { entry_job: { payload } });
    expect((await next()).payload).toEqual(payload);
  });

  it.each([
    "application/x-www-form-urlencoded",
    "text/plain",
    "multipart/form-data",
    "json",
    "application/json",
    "",
  ])("an empty body of the type %j is no body, also a chunked one", async (type) => {
    const { web } = isolatedRepos(shared());
    const url = `${shared().service.url}/unfreeze?repo=${web}`;
    const lengths: Record<string, string>[] = [{ "content-length": "0" }];
    // Fastify itself refuses a malformed type before anything is read.
    if (type.includes("/")) lengths.push({ "transfer-encoding": "chunked" });
    for (const length of lengths) {
      const { status, body } = await callRaw(url, {
        headers: { "content-type": type, ...length },
        parts: [],
      });
      expect(status, JSON.stringify(body)).toBe(200);
    }
  });

  it("a body of another type is still refused, whatever its length is said to be", async () => {
    const { web } = isolatedRepos(shared());
    const url = `${shared().service.url}/unfreeze?repo=${web}`;
    const answer = await callRaw(url, {
      headers: { "content-type": "text/plain", "transfer-encoding": "chunked" },
      parts: ["a=1"],
    });
    expectProblem(answer, { status: 415, code: "unsupported_media_type" });
  });
});
