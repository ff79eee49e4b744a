/** Compiles the schemas of requests and answers when each is first needed. Fastify compiles all of them at the start, and a
 *  serialiser for each status of each route, nearly all of them the same problem document: half a second of processor time
 *  before the first answer. */

import AjvCompiler from "@fastify/ajv-compiler";
import SerializerSelector from "@fastify/fast-json-stringify-compiler";

type BuildValidator = AjvCompiler.BuildCompilerFromPool;
type Validate = ReturnType<ReturnType<BuildValidator>> & ((input: unknown) => boolean);
type BuildSerializer = ReturnType<typeof SerializerSelector>;

/** Fastify's own compiler, asked for each part of a route's requests when the first one comes.
 *  A validator leaves its errors on the function that Fastify called. */
export const buildValidator: BuildValidator = (models, options) => {
  let compile: ReturnType<BuildValidator> | undefined;
  return (route) => {
    let compiled: Validate | undefined;
    const validate = ((input) => {
      compile ??= AjvCompiler()(models, options);
      compiled ??= compile(route) as Validate;
      const isValid = compiled(input);
      validate.errors = compiled.errors ?? null;
      return isValid;
    }) as Validate;
    return validate;
  };
};

/** Fastify's own compiler, asked once for each schema. */
export const buildSerializer: BuildSerializer = (models, options) => {
  const compile = SerializerSelector()(models, options);
  const compiled = new Map<string, ReturnType<typeof compile>>();
  return (route) => {
    const text = JSON.stringify(route.schema);
    return (answer) => {
      let serialize = compiled.get(text);
      if (!serialize) compiled.set(text, (serialize = compile(route)));
      return serialize(answer);
    };
  };
};
