/** The API's description: /openapi.json, collected from the routes' schemas, and its pages at /docs.
 *  Only the document's frame is written here; the rest comes from the routes and the contract. */

import swagger from "@fastify/swagger";
import swaggerUi from "@fastify/swagger-ui";
import type { FastifyInstance } from "fastify";
import { PAGE_POLICY } from "./security-headers.ts";

type JsonSchema = Readonly<Record<string, unknown>>;

interface RequestBody {
  required?: boolean;
  readonly content: Readonly<Record<string, { readonly schema?: JsonSchema }>>;
}

/** The parts of an OpenAPI document that describe bodies. */
interface Described {
  readonly paths?: Readonly<Record<string, Readonly<Record<string, { requestBody?: RequestBody }>>>>;
  readonly components?: { readonly schemas?: Readonly<Record<string, JsonSchema>> };
}

/** A body of two forms: the route requires the members of one of them. */
const OF_TWO_FORMS = ["Release"];

/** Marks a body as optional when all its members are. @fastify/swagger marks every body as required. */
const withOptionalBodies = <Document extends object>(document: Document): Document => {
  const { paths = {}, components } = document as Described;
  for (const { requestBody } of Object.values(paths).flatMap((path) => Object.values(path))) {
    const model = String(requestBody?.content["application/json"]?.schema?.$ref).split("/").at(-1) ?? "";
    const { required, minProperties } = components?.schemas?.[model] ?? {};
    if (requestBody && required === undefined && minProperties === undefined && !OF_TWO_FORMS.includes(model))
      requestBody.required = false;
  }
  return document;
};

const isObject = (value: unknown): value is JsonSchema =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The default of a member in words. Generators take a member with a `default` for one that is always there, and so ask
 *  callers for it in every request. */
const inWords = ({ default: fallback, description, ...schema }: JsonSchema): JsonSchema => {
  const sentence = `Default: ${JSON.stringify(fallback)}.`;
  return {
    ...schema,
    description: typeof description === "string" ? `${description} ${sentence}` : sentence,
  };
};

const describeDefaults = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(describeDefaults);
  if (!isObject(value)) return value;
  const described = Object.fromEntries(
    Object.entries(value).map(([name, part]) => [name, describeDefaults(part)]),
  );
  return "default" in described && "type" in described ? inWords(described) : described;
};

/** Describes the defaults of the models instead of declaring them. */
const withDefaultsInWords = <Document extends object>(document: Document): Document => {
  const { components } = document as Described;
  const schemas = components?.schemas ?? {};
  return {
    ...document,
    components: {
      ...components,
      schemas: Object.fromEntries(
        Object.entries(schemas).map(([name, schema]) => [name, describeDefaults(schema)]),
      ),
    },
  };
};

export const useOpenApi = async (app: FastifyInstance, version: string): Promise<void> => {
  await app.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "serial-gate",
        version,
        description:
          "Decides which job may start next: per repository one task at a time, oldest first. A freeze keeps a repository closed until a person clears it; a pause lets later tasks overtake.",
        license: { name: "MIT", identifier: "MIT" },
      },
      servers: [{ url: "/", description: "This service" }],
      tags: [
        { name: "jobs", description: "For workers: claim, keep and finish jobs." },
        { name: "tasks", description: "For the orchestrator: create and move tasks." },
        { name: "operator", description: "For operators and dashboards: pause, freeze, queue and events." },
        { name: "service", description: "For monitoring: probes." },
      ],
      components: { securitySchemes: { token: { type: "http", scheme: "bearer" } } },
      security: [{ token: [] }],
    },
    refResolver: {
      buildLocalReference: (schema) => schema.$id as string,
    },
    transformObject: (document) =>
      withDefaultsInWords(
        withOptionalBodies("openapiObject" in document ? document.openapiObject : document.swaggerObject),
      ),
  });
  // Browsers request the pages without a token. They show only the description, no data.
  await app.register(async (docs) => {
    docs.addHook("onRoute", (route) => {
      route.config = { ...route.config, right: "anyone" };
    });
    await docs.register(swaggerUi, { routePrefix: "/docs", staticCSP: PAGE_POLICY });
  });
};
