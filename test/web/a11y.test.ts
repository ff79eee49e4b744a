import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Page } from "playwright-core";
import { expect, it } from "vitest";
import { describeInBrowser, useBrowser } from "./browser.ts";
import { shareIncident } from "./incident.ts";

const require = createRequire(import.meta.url);
const AXE = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

interface Violation {
  readonly id: string;
  readonly nodes: readonly { readonly html: string; readonly failureSummary: string }[];
}

const violations = async (page: Page): Promise<string[]> => {
  await page.evaluate(AXE);
  const found = await page.evaluate<Violation[]>("axe.run(document).then(({ violations }) => violations)");
  return found.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary}`),
  );
};

const PAGES: readonly (readonly [name: string, path: string, ready: string])[] = [
  ["home", "/", ".chart canvas"],
  ["a lane", "/?repo=fastify%2Ffastify", ".timeline"],
  ["a stuck lane", "/?repo=acme%2Fpayments", ".timeline"],
  ["a frozen lane", "/?repo=acme%2Fapi", ".freeze-bar"],
  ["a task", "/?task=3", ".why-headline"],
  ["an empty search", "/?q=nothing-has-this-name", ".empty"],
];

describeInBrowser("for everybody", () => {
  const shared = shareIncident();
  const open = useBrowser();

  it.each(
    PAGES.flatMap(([name, path, ready]) =>
      (["light", "dark"] as const).map((scheme) => [name, scheme, path, ready] as const),
    ),
  )("axe finds nothing on %s (%s)", async (_, scheme, path, ready) => {
    const page = await open(shared(), path, {
      colorScheme: scheme,
      viewport: { width: 1280, height: 1_600 },
    });
    await page.locator(ready).first().waitFor();
    expect(await violations(page)).toEqual([]);
  });

  it("axe finds nothing on a phone, in the dialog of an action, in the palette and in the help", async () => {
    const page = await open(shared(), "/", { viewport: { width: 360, height: 740 }, hasTouch: true });
    await page.locator(".need .button.primary").first().waitFor();
    expect(await violations(page)).toEqual([]);
    await page.locator(".need .button.primary").first().click();
    await page.getByText("What it would do, tried just now:").waitFor();
    expect(await violations(page)).toEqual([]);
    await page.keyboard.press("Escape");
    await expect.poll(() => page.locator("dialog[open]").count()).toBe(0);
    await page.keyboard.press("Control+k");
    await page.locator(".palette-list li").first().waitFor();
    expect(await violations(page)).toEqual([]);
    await page.keyboard.press("Escape");
    await expect.poll(() => page.locator("dialog[open]").count()).toBe(0);
    await page.keyboard.press("?");
    await page.getByRole("heading", { name: "Keys" }).waitFor();
    expect(await violations(page)).toEqual([]);
  });

  it.each(PAGES)("fits a phone of 360 pixels: %s", async (_, path, ready) => {
    const page = await open(shared(), path, { viewport: { width: 360, height: 740 } });
    await page.locator(ready).first().waitFor();
    expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(360);
  });

  it("moves nothing while it loads", async () => {
    const page = await open(shared(), "/");
    await page.evaluate(`
      window.shift = 0;
      new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shift += entry.value;
      }).observe({ type: "layout-shift", buffered: true });
    `);
    await expect.poll(() => page.locator(".chart canvas").count()).toBe(3);
    await page.waitForTimeout(1_500);
    expect(await page.evaluate("window.shift")).toBeLessThan(0.02);
  });

  it("is used by keyboard alone: a stuck lane is freed with it", async () => {
    const page = await open(shared(), "/");
    await page.locator(".need .button.primary").first().waitFor();
    const name = await page.locator(".need .button.primary").first().innerText();
    for (let steps = 0; steps < 30; steps += 1) {
      await page.keyboard.press("Tab");
      if ((await page.evaluate("document.activeElement.innerText")) === name) break;
    }
    await page.keyboard.press("Enter");
    await page.getByText("ORCH-123 becomes ready.").waitFor();
    await page.keyboard.type("the review comes tomorrow");
    for (let steps = 0; steps < 10; steps += 1) {
      await page.keyboard.press("Tab");
      if (await page.evaluate("document.activeElement.matches('dialog .button.primary')")) break;
    }
    await page.keyboard.press("Enter");
    await page.getByText("ORCH-123 is ready now.").waitFor();
  });
});
