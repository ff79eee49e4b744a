import Database from "better-sqlite3";
import type { Page } from "playwright-core";
import { beforeAll, expect, it } from "vitest";
import { describeInBrowser, useBrowser } from "./browser.ts";
import { startService, type TestService } from "../support/service.ts";

/** Another program fills the database: lanes with one to three tasks, some frozen. */
const fill = ({ databaseUrl }: TestService, lanes: number): void => {
  const database = new Database(databaseUrl.replace("file:", ""));
  const add = database.prepare("INSERT INTO tasks(repo, work_item_id, stage) VALUES (?, ?, 'analysis')");
  const enqueue = database.prepare(
    "INSERT INTO jobs(repo, task_id, agent, created_at) VALUES (?, ?, 'analyst', datetime('now', ?))",
  );
  const freeze = database.prepare(
    "INSERT INTO repo_freeze(repo, frozen_at, reason) VALUES (?, datetime('now', '-1 hour'), 'error rate')",
  );
  database.transaction(() => {
    for (let n = 0; n < lanes; n += 1) {
      const repo = `team-${n % 40}/service-${n}`;
      for (let task = 0; task <= n % 3; task += 1) {
        const { lastInsertRowid } = add.run(repo, `S${n}-${task}`);
        enqueue.run(repo, lastInsertRowid, `-${n % 600} minutes`);
      }
      if (n % 500 === 0) freeze.run(repo);
    }
  })();
  database.close();
};

const startFilled = (lanes: number): (() => TestService) => {
  let shared: TestService | undefined;
  beforeAll(async () => {
    const ends: (() => void | Promise<void>)[] = [];
    // The triggers write an event a row, which tells nothing here.
    shared = await startService({ SERIAL_GATE_STRICT_LANES: "true" }, (end) => ends.unshift(end));
    fill(shared, lanes);
    return async () => {
      for (const end of ends) await end();
    };
  });
  return () => {
    if (!shared) throw new Error("The shared service runs only while tests do.");
    return shared;
  };
};

interface Transfer {
  readonly path: string;
  readonly bytes: number;
}

/** Bytes over the wire, headers included. */
const watchTransfers = async (page: Page): Promise<Transfer[]> => {
  const transfers: Transfer[] = [];
  const session = await page.context().newCDPSession(page);
  const paths = new Map<string, string>();
  session.on("Network.requestWillBeSent", ({ requestId, request }) => {
    paths.set(requestId, new URL(request.url).pathname);
  });
  session.on("Network.loadingFinished", ({ requestId, encodedDataLength }) => {
    transfers.push({ path: paths.get(requestId) ?? "", bytes: encodedDataLength });
  });
  await session.send("Network.enable");
  return transfers;
};

/** Scrolls through the list, and measures the time between two frames. Milliseconds, sorted. */
const SCROLL = `new Promise((done) => {
  const times = [];
  let last;
  let step = 0;
  const frame = (now) => {
    if (last !== undefined) times.push(now - last);
    last = now;
    window.scrollBy(0, step % 40 === 0 ? 20000 : 90);
    if (++step < 240) requestAnimationFrame(frame);
    else done(times.sort((a, b) => a - b));
  };
  requestAnimationFrame(frame);
})`;

describeInBrowser("with 10,000 lanes", () => {
  const shared = startFilled(10_000);
  const open = useBrowser();

  it("scrolls smoothly, and keeps only the lanes in sight in the document", async () => {
    const page = await open(shared());
    await page.locator(".lane").first().waitFor();
    expect(await page.locator(".section-note", { hasText: "lanes" }).innerText()).toBe("10,000 lanes");
    const times = await page.evaluate<number[]>(SCROLL);
    const median = times[Math.floor(times.length / 2)] ?? NaN;
    const slow = times[Math.floor(times.length * 0.95)] ?? NaN;
    console.log(
      `10,000 lanes: a frame takes ${median.toFixed(1)} ms, 95 % take less than ${slow.toFixed(1)} ms`,
    );
    expect(await page.locator(".lane").count()).toBeLessThan(80);
    // 60 frames a second are 16.7 ms; this machine may have much else to do.
    expect(median).toBeLessThan(50);
    expect(slow).toBeLessThan(200);
  });

  it("filters and finds one of them while one types", async () => {
    const page = await open(shared());
    await page.locator(".lane").first().waitFor();
    await page.getByRole("searchbox").pressSequentially("service-9999");
    await expect.poll(() => page.locator(".lane").count()).toBe(1);
    await page.getByRole("searchbox").fill("");
    await page.getByRole("button", { name: /^Frozen/ }).click();
    await page.locator(".lanes-section .section-note", { hasText: "20 lanes" }).waitFor();
  });
});

describeInBrowser("with 1,000 lanes", () => {
  const shared = startFilled(1_000);
  const open = useBrowser();

  it("paints within a second, and transfers less than 60 kB for it", async () => {
    const page = await open(shared(), "/docs/static/index.html", { expectedFaults: /./ });
    const transfers = await watchTransfers(page);
    await page.goto(`${shared().service.url}/`);
    await page.locator(".lane").first().waitFor();
    const [first, seen] = await page.evaluate<[number, number]>(
      "[performance.getEntriesByName('first-contentful-paint')[0].startTime, performance.now()]",
    );
    await expect.poll(() => page.locator(".chart canvas").count()).toBe(3);
    const sum = (isCounted: (path: string) => boolean): number =>
      transfers.filter(({ path }) => isCounted(path)).reduce((total, { bytes }) => total + bytes, 0) / 1_000;
    const shell = sum((path) => path === "/" || (path.startsWith("/assets/") && !path.includes("plot")));
    const lanes = transfers.find(({ path }) => path === "/queue");
    console.log(
      `1,000 lanes: first paint after ${first.toFixed(0)} ms, lanes after ${seen.toFixed(0)} ms; page ${shell.toFixed(1)} kB, lanes ${((lanes?.bytes ?? 0) / 1_000).toFixed(1)} kB, all assets ${sum((path) => path.startsWith("/assets/")).toFixed(1)} kB`,
    );
    expect(shell).toBeGreaterThan(5);
    expect(shell).toBeLessThan(60);
    expect((lanes?.bytes ?? Infinity) / 1_000).toBeLessThan(100);
    // A second on an idle machine.
    expect(first).toBeLessThan(5_000);
    expect(seen).toBeLessThan(10_000);
  });
});
