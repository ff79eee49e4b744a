/** A Chromium for the tests of the dashboard, and pages in it that report what they should not do. */

import { chromium, type Browser, type BrowserContextOptions, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, onTestFinished, vi } from "vitest";
import { CHROMIUM_OPTIONS, findChromium } from "../../scripts/browser/chromium.mjs";
import type { TestService } from "../support/service.ts";

const { path: executablePath } = findChromium({ mayInstall: false });

/** Declares tests that need a browser. `npm test` says why where there is none. */
export const describeInBrowser = describe.skipIf(executablePath === undefined);

export interface OpenOptions extends BrowserContextOptions {
  readonly token?: string;
  /** Faults that the test makes on purpose. */
  readonly expectedFaults?: RegExp;
}

export type Open = (service: TestService, path?: string, options?: OpenOptions) => Promise<Page>;

/** A browser on a machine that has much else to do. */
const LONG_MS = 120_000;

/** One browser for a file; each page has a context, and so a session, of its own. A page that logs an error or throws fails
 *  its test. */
export const useBrowser = (): Open => {
  vi.setConfig({ testTimeout: LONG_MS });
  let browser: Browser | undefined;
  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: executablePath ?? "", args: CHROMIUM_OPTIONS });
  });
  afterAll(() => browser?.close());
  return async (service, path = "/", { token, expectedFaults, ...options } = {}) => {
    const context = await browser?.newContext({
      viewport: { width: 1280, height: 900 },
      reducedMotion: "reduce",
      ...options,
    });
    if (!context) throw new Error("The browser runs only while tests do.");
    const page = await context.newPage();
    const faults: string[] = [];
    const note = (text: string): void => {
      if (!expectedFaults?.test(text)) faults.push(text);
    };
    page.on("pageerror", (error) => {
      note(error.message);
    });
    page.on("console", (message) => {
      if (message.type() === "error") note(message.text());
    });
    onTestFinished(async () => {
      await context.close();
      expect(faults).toEqual([]);
    });
    if (token !== undefined)
      await page.addInitScript(`sessionStorage.setItem("serial-gate.token", ${JSON.stringify(token)})`);
    await page.goto(service.service.url + path);
    return page;
  };
};
