// npm run triggers: writes migrations/*/triggers.sql. A test fails while they are stale.

import { writeFileSync } from "node:fs";
import { setUp } from "./setup.mjs";

await setUp();
const [{ parseConfig, policyFor }, { readyTriggers }, { triggersDocument }, ...dialects] = await Promise.all([
  import("../dist/config/service.js"),
  import("../dist/gate/rule/ready-index.js"),
  import("../dist/store/triggers/document.js"),
  import("../dist/store/sqlite/dialect.js"),
  import("../dist/store/postgres/dialect.js"),
]);
for (const { DIALECT } of dialects)
  writeFileSync(
    new URL(`../migrations/${DIALECT.name}/triggers.sql`, import.meta.url),
    triggersDocument(DIALECT, readyTriggers(policyFor(parseConfig({}).policy, "serial-gate"))),
  );
