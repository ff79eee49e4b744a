/** The rights on the schema: whether the program's role may change it, and which other roles could act through it. */

import { all, one, type Dialect, type Store, type Tx } from "./port.ts";

export class MigrationError extends Error {
  override readonly name = "MigrationError";
}

/** @param lacking the part of the schema that would have to be made
 *  @throws MigrationError when the program's role may not make it */
export function* requireSchemaRights(dialect: Dialect, lacking: string): Tx<void> {
  const { role, may } = yield* one<{ role: string; may: number }>(dialect.schemaRights);
  if (may === 0)
    throw new MigrationError(
      `The database lacks ${lacking}, and the role ${role} may not change its schema. Run \`serial-gate migrate\` as the owner of the schema, with the settings of the service.`,
    );
}

/** Reads, as whole sentences, each right through which another role could act as the service or as the owner. */
export const readExposures = async (store: Store): Promise<string[]> =>
  (await store.read(() => all<{ exposure: string }>(store.dialect.exposures))).map(
    ({ exposure }) => exposure,
  );
