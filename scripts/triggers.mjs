// npm run triggers: writes migrations/*/triggers.sql. A test fails while they are stale.

import { writeFileSync } from "node:fs";
import { setUp } from "./setup.mjs";

await setUp();
const [{ parseConfig, policyFor }, { readyTriggers }, { triggersDocument }, { DIALECT }, { dialectIn }] =
  await Promise.all([
    import("../dist/config/service.js"),
    import("../dist/gate/rule/ready-index.js"),
    import("../dist/store/triggers/document.js"),
    import("../dist/store/sqlite/dialect.js"),
    import("../dist/store/postgres/dialect.js"),
  ]);
for (const dialect of [DIALECT, dialectIn("public")])
  writeFileSync(
    new URL(`../migrations/${dialect.name}/triggers.sql`, import.meta.url),
    triggersDocument(dialect, readyTriggers(policyFor(parseConfig({}).policy, "serial-gate"))),
  );
