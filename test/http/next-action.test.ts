import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { parse } from "yaml";
import { problemOf } from "../../src/http/problem.ts";
import { expectProblem, isolatedRepos } from "../support/calls.ts";
import { shareService } from "../support/service.ts";

const shared = shareService();

interface Described {
  readonly paths: Readonly<Record<string, Readonly<Record<string, object>>>>;
  readonly components: {
    readonly schemas: {
      readonly Problem: {
        readonly required: readonly string[];
        readonly properties: Readonly<
          Record<string, { readonly enum: readonly string[]; readonly description: string }>
        >;
      };
    };
  };
}

const read = (file: string): string => readFileSync(new URL(`../../${file}`, import.meta.url), "utf8");
const described = parse(read("openapi.yaml")) as Described;
const { properties, required } = described.components.schemas.Problem;

it("says the next action with every code, out of a closed set that the API's description explains", () => {
  const actions = properties.next_action?.enum ?? [];
  const used = (properties.code?.enum ?? []).map((code) => {
    const { body } = problemOf({ code: code as "not_found", detail: "" }, "r");
    return (body as { next_action: string }).next_action;
  });
  expect(used.filter((action) => !actions.includes(action))).toEqual([]);
  expect([...new Set([...used, "choose_task"])].sort()).toEqual(actions);
  for (const action of actions) expect(properties.next_action?.description).toContain(`- \`${action}\`: `);
  expect(required).toContain("next_action");
});

it("tells a caller of an ambiguous work item whether to choose a repository or a task", async () => {
  const { web, api, add } = isolatedRepos(shared());
  for (const repo of [web, api]) await add(`AMB-${web}`, { repo });
  const answer = await shared().get(`/queue/explain?work_item=${encodeURIComponent(`AMB-${web}`)}`);
  expectProblem(answer, { status: 409, code: "ambiguous_work_item", next_action: "choose_repo" });
  const { body } = problemOf({ code: "ambiguous_work_item", detail: "", more: { tasks: [1, 2] } }, "r");
  expect(body).toMatchObject({ next_action: "choose_task" });
});

it("serves llms.txt without a token, and every call in it exists", async () => {
  const response = await fetch(`${shared().service.url}/llms.txt`);
  const text = await response.text();
  expect(response.headers.get("content-type")).toBe("text/plain; charset=utf-8");
  expect(text).toBe(read("llms.txt"));
  const calls = [...text.matchAll(/`(GET|POST|PATCH) (\/[^`]*)`/g)];
  expect(calls.length).toBeGreaterThan(10);
  const unknown = calls.filter(([, method = "", path = ""]) => {
    const route = described.paths[path];
    return route === undefined || !(method.toLowerCase() in route);
  });
  expect(unknown).toEqual([]);
  for (const [, word = ""] of text.matchAll(/`next_action` `(\w+)`/g))
    expect(properties.next_action?.enum).toContain(word);
});
