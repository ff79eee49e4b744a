import { pino } from "pino";
import { expect, it } from "vitest";
import { LogLines } from "../../src/cli/commands/admin/log-lines.ts";

const start = () => {
  const writes: string[] = [];
  const lines = new LogLines({ write: (text: string) => writes.push(text) > 0 });
  const logger = pino({ redact: ["token"] }, lines);
  const said = () => writes.map((text) => text.match(/"msg":"[^"]*"/g)?.map((each) => each.slice(7, -1)));
  return { lines, logger, said, writes };
};

it("writes the lines of one turn of the event loop at once, in their order and without what is secret", async () => {
  const { logger, said, writes } = start();
  logger.info({ token: "sg_secret" }, "one");
  logger.info("two");
  expect(said()).toEqual([]);
  await new Promise(setImmediate);
  logger.info("three");
  await new Promise(setImmediate);
  expect(said()).toEqual([["one", "two"], ["three"]]);
  expect(writes.join("")).not.toContain("sg_secret");
});

it("writes a warning and an error at once, after the lines before them", () => {
  const { logger, said } = start();
  logger.info("one");
  logger.warn("two");
  logger.error("three");
  expect(said()).toEqual([["one", "two"], ["three"]]);
});

it("writes what waits when it is asked to, once, and never keeps more than it may", async () => {
  const { lines, logger, said } = start();
  logger.info("one");
  lines.flush();
  lines.flush();
  await new Promise(setImmediate);
  expect(said()).toEqual([["one"]]);
  logger.info("x".repeat(70_000));
  expect(said()).toHaveLength(2);
});
