/** openapi.yaml: the operations, and a validator for each documented answer. */

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import Ajv from "ajv/dist/2020.js";
import { parse } from "yaml";

const FILE = fileURLToPath(new URL("../../openapi.yaml", import.meta.url));
const DATE_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;

/** Schemas refer to the document's own components; the validator knows the document under this name. */
const ROOT = "openapi.yaml";
const resolved = (schema) => JSON.parse(JSON.stringify(schema).replaceAll('"$ref":"#/', `"$ref":"${ROOT}#/`));

/** @returns `{ operations, validatorOf, resolve }` */
export const readDescription = (file = FILE) => {
  const document = parse(readFileSync(file, "utf8"), { maxAliasCount: -1 });
  const ajv = new Ajv({ strict: false, allErrors: false });
  ajv.addFormat("date-time", DATE_TIME);
  ajv.addSchema(document, ROOT);
  const problem = ajv.compile({ $ref: `${ROOT}#/components/schemas/Problem` });
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      id: operation.operationId,
      path,
      method: method.toUpperCase(),
      parameters: operation.parameters ?? [],
      body: operation.requestBody?.content["application/json"].schema,
      answers: new Map(
        Object.entries(operation.responses).map(([status, { content = {} }]) => {
          const [type, media] = Object.entries(content)[0] ?? [];
          return [
            Number(status),
            {
              type,
              isValid: media?.schema && /json/.test(type) ? ajv.compile(resolved(media.schema)) : undefined,
            },
          ];
        }),
      ),
    })),
  );
  const resolve = (schema) =>
    schema?.$ref === undefined
      ? schema
      : resolve(
          schema.$ref
            .slice(2)
            .split("/")
            .reduce((at, name) => at[name], document),
        );
  return { operations, problem, resolve };
};
