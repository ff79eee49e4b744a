// npm run mutants: planted bugs, each of which must be caught; set up first if it must be.

import { setUp } from "./setup.mjs";

await setUp();
await import("../chaos/mutants/main.mjs");
