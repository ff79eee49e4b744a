// npm run chaos: crashes, faults and floods on a service in use; set up first if it must be.

import { setUp } from "./setup.mjs";

await setUp();
await import("../chaos/main.mjs");
