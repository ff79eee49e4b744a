// npm start, npm run migrate, …: the program, set up first if it must be.

import { setUp } from "./setup.mjs";

await setUp();
await import("../dist/main.js");
