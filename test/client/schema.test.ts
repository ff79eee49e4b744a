import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { clientTypes } from "../../scripts/openapi.mjs";

it("the client's types are those of openapi.yaml (npm run openapi)", async () => {
  expect(readFileSync(new URL("../../src/client/schema.ts", import.meta.url), "utf8")).toBe(
    await clientTypes(),
  );
});
