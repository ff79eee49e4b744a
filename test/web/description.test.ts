/** Generated clients come from the API's description, and the page's types from the same. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { parse } from "yaml";
import { CLONE } from "../support/process.ts";

const yaml = readFileSync(join(CLONE, "openapi.yaml"), "utf8");

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null;

/** The paths to every member of a name. */
const membersNamed = (name: string, value: unknown, path = ""): string[] => {
  if (!isObject(value)) return [];
  return Object.entries(value).flatMap(([key, part]) => [
    ...(key === name ? [`${path}/${key}`] : []),
    ...membersNamed(name, part, `${path}/${key}`),
  ]);
};

it("no request body declares a default, which would make generated clients ask for the member", () => {
  const { components, paths } = parse(yaml) as { components: object; paths: Record<string, object> };
  const bodies = Object.values(paths).flatMap((methods) =>
    Object.values(methods).map((operation: { requestBody?: unknown }) => operation.requestBody),
  );
  expect(membersNamed("default", { components, bodies })).toEqual([]);
});

it("the description points at the service's own address", () => {
  expect((parse(yaml) as { servers: unknown }).servers).toEqual([{ url: "/", description: "This service" }]);
});
