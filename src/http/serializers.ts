/** Compiles the serialisers of answers: one for each schema, when it is first needed. Fastify compiles one for each status of
 *  each route at the start, nearly all of them the same problem document: 0.4 s of processor time before the first answer. */

import SerializerSelector from "@fastify/fast-json-stringify-compiler";

type BuildSerializer = ReturnType<typeof SerializerSelector>;

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
