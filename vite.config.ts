/** Builds the dashboard into dist/web: hashed assets, each with its gzip and brotli form beside it, so that the service
 *  compresses nothing while it runs. `npx vite` serves it for development, with the API of a service on :8080. */

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { defineConfig, type Plugin } from "vite";

const OUT = join(import.meta.dirname, "dist/web");

/** Below this many bytes a compressed form saves no packet. */
const WORTH_IT = 1_000;

const compressAssets = (): Plugin => ({
  name: "compress-assets",
  apply: "build",
  closeBundle: () => {
    for (const name of readdirSync(OUT, { recursive: true, encoding: "utf8" })) {
      if (!/\.(js|css|html|svg)$/.test(name)) continue;
      const plain = readFileSync(join(OUT, name));
      if (plain.length < WORTH_IT) continue;
      const params = { [constants.BROTLI_PARAM_SIZE_HINT]: plain.length };
      writeFileSync(join(OUT, `${name}.br`), brotliCompressSync(plain, { params }));
      writeFileSync(join(OUT, `${name}.gz`), gzipSync(plain, { level: 9 }));
    }
  },
});

const API = "^/(queue|events|tasks|jobs|serial-gate|freeze|unfreeze|whoami)([/?].*)?$";

export default defineConfig({
  root: join(import.meta.dirname, "web"),
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    outDir: OUT,
    emptyOutDir: true,
    target: "es2022",
    modulePreload: { polyfill: false },
    // An inlined asset would be a data: URL that the page's policy refuses.
    assetsInlineLimit: 0,
    reportCompressedSize: false,
  },
  server: { proxy: { [API]: "http://127.0.0.1:8080" } },
  plugins: [compressAssets()],
  logLevel: "warn",
});
