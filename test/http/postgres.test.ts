/** The same sentences about HTTP, with the services over PostgreSQL. */

import { describe } from "vitest";
import { servicesOverPostgres } from "../support/service.ts";

describe("over PostgreSQL", async () => {
  servicesOverPostgres();
  await import("./claim.test.ts");
  await import("./events.test.ts");
  await import("./freeze.test.ts");
  await import("./jobs.test.ts");
  await import("./lease.test.ts");
  await import("./pause.test.ts");
  await import("./queue.test.ts");
  await import("./tasks.test.ts");
});
