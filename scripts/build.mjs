// npm run build: builds the program, whether or not it is current.

import { build } from "./setup.mjs";

await build();
