// npm run fuzz: generated requests, each answer held against openapi.yaml; set up first if it must be.

import { setUp } from "./setup.mjs";

await setUp();
await import("../chaos/fuzz/main.mjs");
