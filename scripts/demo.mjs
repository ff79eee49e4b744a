// npm run demo: a service with an incident in it and workers that go on, set up first if it must be.

import { setUp } from "./setup.mjs";

await setUp();
const { demo } = await import("../dist/demo/demo.js");
const ending = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, () => ending.abort());
await demo({ stdout: process.stdout, stderr: process.stderr, signal: ending.signal });
