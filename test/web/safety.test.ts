import Database from "better-sqlite3";
import type { Page } from "playwright-core";
import { expect, it } from "vitest";
import type { Task } from "../../src/contract/tasks.ts";
import { describeInBrowser, useBrowser } from "./browser.ts";
import { startService, shareService, type TestService } from "../support/service.ts";

const IMAGE = '<img src=x onerror="document.title=`owned`">';
const SCRIPT = '"><script>document.title="owned"</script>';
const BIDI = "\u202Egnp.exe\u2066 \u200Fabc";
const LONG = "x".repeat(200);

/** Another program writes names that our own calls refuse. */
const writeHostile = async ({ databaseUrl, post, get }: TestService): Promise<void> => {
  const database = new Database(databaseUrl.replace("file:", ""));
  const add = database.prepare("INSERT INTO tasks(repo, work_item_id, title, stage) VALUES (?, ?, ?, ?)");
  const enqueue = database.prepare("INSERT INTO jobs(repo, task_id, agent) VALUES (?, ?, ?)");
  for (const [n, repo] of [IMAGE, SCRIPT, `acme/${BIDI}`, LONG, "javascript:alert(1)//"].entries()) {
    for (const item of [IMAGE, BIDI, LONG]) {
      const { lastInsertRowid } = add.run(repo, `${n}${item}`, SCRIPT, "analysis");
      enqueue.run(repo, lastInsertRowid, "analyst");
    }
    database
      .prepare("INSERT INTO repo_freeze(repo, frozen_at, reason) VALUES (?, '2026-01-01 00:00:00', ?)")
      .run(repo, n % 2 === 0 ? IMAGE : BIDI + LONG.repeat(10));
  }
  database.close();
  await post("/tasks", { repo: "acme/web", work_item_id: IMAGE, title: SCRIPT });
  const { body } = await get<{ tasks: Task[] }>("/tasks?repo=acme/web");
  await post(`/serial-gate/pause?task_id=${body.tasks[0]?.id ?? 0}`, { reason: IMAGE, by: SCRIPT });
};

/** Nothing that was written became an element, ran, or asked for anything. */
const expectInert = async (page: Page): Promise<void> => {
  expect(await page.title()).not.toContain("owned");
  expect(await page.locator("img, #app script, iframe, a[href^=javascript]").count()).toBe(0);
};

describeInBrowser("hostile names", () => {
  const open = useBrowser();

  it("are text, on every page and in the dialog, and widen nothing", async () => {
    const service = await startService();
    await writeHostile(service);
    const page = await open(service, "/", { viewport: { width: 1280, height: 2_000 } });
    await page.locator(".lane").first().waitFor();
    await page.locator(".need", { hasText: "<img src=x" }).first().waitFor();
    await expectInert(page);
    expect(await page.evaluate("document.documentElement.scrollWidth <= innerWidth")).toBe(true);
    const links = await page.evaluate("[...document.querySelectorAll('.lane-name')].map((a) => a.href)");
    for (const link of links as string[]) {
      await page.goto(link);
      await page.locator(".timeline").waitFor();
      await expectInert(page);
      expect(await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), link).toBe(true);
    }
    await page.getByRole("button", { name: "Freeze…" }).click();
    await page.getByRole("dialog").getByText("What it would do").waitFor();
    await expectInert(page);
    await page.keyboard.press("Escape");
    await page.locator(".task-lines a.work-item").first().click();
    await page.locator(".life").waitFor();
    await expectInert(page);
  });
});

describeInBrowser("the page's own protection", () => {
  const shared = shareService();
  const open = useBrowser();

  it("allows no script but its own files, no frame around it, and no text that becomes markup", async () => {
    const page = await open(shared(), "/", {
      expectedFaults: /Content Security Policy|Trusted(HTML|Script)/,
    });
    await page.getByText("No lane has work.").waitFor();
    expect(
      await page.evaluate(`(() => {
        try {
          document.createElement("div").innerHTML = "<b>x</b>";
          return "taken";
        } catch (error) {
          return error.name;
        }
      })()`),
    ).toBe("TypeError");
    await page
      .evaluate(
        `(() => {
      const script = document.createElement("button");
      script.setAttribute("onclick", "document.title = 'owned'");
      document.body.append(script);
      script.click();
    })()`,
      )
      .catch(() => undefined);
    expect(await page.title()).not.toBe("owned");
  });
});

it("the page is public, asks for no sources but its own, and its assets are kept for ever", async () => {
  const { service } = await startService({ SERIAL_GATE_TOKENS: "ops:not-a-secret-0a9z8y7x6w" });
  const page = await fetch(`${service.url}/`);
  expect(page.status).toBe(200);
  expect(page.headers.get("cache-control")).toBe("no-cache");
  const policy = page.headers.get("content-security-policy") ?? "";
  expect(policy).toContain("frame-ancestors 'none'");
  expect(policy).toContain("require-trusted-types-for 'script'");
  expect(policy).not.toContain("unsafe-inline");
  const html = await page.text();
  expect(html).not.toMatch(/<script(?![^>]*\bsrc=)|<style|\son\w+=/);
  const assets = [...html.matchAll(/(?:src|href)="(\/assets\/[^"]+)"/g)].map(([, path]) => path ?? "");
  expect(assets.length).toBeGreaterThan(1);
  for (const asset of assets) {
    const { status, headers } = await fetch(service.url + asset, { headers: { "accept-encoding": "br" } });
    expect(status).toBe(200);
    expect(headers.get("cache-control")).toBe("public, max-age=31536000, immutable");
    expect(headers.get("content-encoding")).toBe("br");
    expect(headers.get("vary")).toBe("accept-encoding");
    const etag = headers.get("etag") ?? "";
    const again = await fetch(service.url + asset, { headers: { "if-none-match": etag } });
    expect(again.status).toBe(304);
  }
  expect((await fetch(`${service.url}/assets/no-such.js`)).status).toBe(404);
  expect((await fetch(`${service.url}/queue`)).status).toBe(401);
});

it("an asset is sent as it is to a caller that takes no compressed form", async () => {
  const { service } = await startService();
  const [asset = ""] = /\/assets\/[^"]+\.js/.exec(await (await fetch(`${service.url}/`)).text()) ?? [];
  const sizeOf = async (coding: string): Promise<number> => {
    const { request } = await import("node:http");
    return new Promise((resolve, reject) => {
      request(service.url + asset, { headers: { "accept-encoding": coding } }, (answer) => {
        let size = 0;
        answer
          .on("data", (chunk: Buffer) => (size += chunk.length))
          .on("end", () => {
            resolve(size);
          });
      })
        .on("error", reject)
        .end();
    });
  };
  expect((await fetch(`${service.url}/`, { method: "POST" })).status).toBe(405);
  const plain = await sizeOf("identity");
  expect(await sizeOf("br;q=0, gzip")).toBeLessThan(plain / 2);
  expect(await sizeOf("br;q=0, gzip;q=0.0")).toBe(plain);
});
