// npm run screenshots: pictures of the dashboard over the demo, into docs/dashboard/.

import { Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { CHROMIUM_OPTIONS, findChromium } from "./browser/chromium.mjs";
import { setUp } from "./setup.mjs";

const OUT = fileURLToPath(new URL("../docs/dashboard/", import.meta.url));
/** Until the demo's workers have something to show. */
const WARM_UP_MS = 14_000;

await setUp();
const found = findChromium();
if (!found.path) {
  console.error(found.missing);
  process.exit(1);
}

const { demo } = await import("../dist/demo/demo.js");
const ending = new AbortController();
let said = "";
const address = new Promise((resolve) => {
  const stdout = new Writable({
    write(chunk, _, done) {
      said += chunk;
      const url = /http:\S+/.exec(said)?.[0];
      if (url) resolve(url);
      done();
    },
  });
  void demo({ stdout, stderr: process.stderr, signal: ending.signal });
});
const url = await address;
await new Promise((wake) => setTimeout(wake, WARM_UP_MS));

const browser = await chromium.launch({ executablePath: found.path, args: CHROMIUM_OPTIONS });

/** Opens a page with everything loaded. */
const open = async (path, { dark = false, width = 1280, height = 900, scale = 1 } = {}) => {
  const page = await browser.newPage({
    viewport: { width, height },
    deviceScaleFactor: scale,
    colorScheme: dark ? "dark" : "light",
    reducedMotion: "reduce",
  });
  await page.goto(new URL(path, url).href);
  await page.waitForSelector("h1");
  await page.waitForTimeout(1_500);
  return page;
};

const shoot = async (name, page, options = {}) => {
  await page.screenshot({ path: `${OUT}${name}.png`, ...options });
  console.error(`docs/dashboard/${name}.png`);
  await page.close();
};

const only = process.argv.slice(2);
const shots = {
  light: async (name) => shoot(name, await open("/", { height: 1280 })),
  dark: async (name) => shoot(name, await open("/", { dark: true, height: 1280 })),
  phone: async (name) => shoot(name, await open("/", { width: 360, height: 780, scale: 2 })),
  lane: async (name) => shoot(name, await open("/?repo=fastify%2Ffastify", { height: 1000 })),
  task: async (name) => {
    const page = await open("/?q=WEB-8");
    await page.click(".lane-active a");
    await page.waitForSelector(".why-headline");
    await page.waitForTimeout(800);
    await shoot(name, page);
  },
  acting: async (name) => {
    const page = await open("/", { dark: true, height: 760 });
    await page.click(".need-stuck .button.primary");
    await page.waitForSelector(".outcomes");
    await page.keyboard.type("waits for the review board");
    await page.waitForTimeout(400);
    await shoot(name, page);
  },
};

try {
  for (const [name, shot] of Object.entries(shots))
    if (only.length === 0 || only.includes(name)) await shot(name);
} finally {
  await browser.close();
  ending.abort();
}
