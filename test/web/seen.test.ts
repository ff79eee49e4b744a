import { expect, it } from "vitest";
import { describeInBrowser, useBrowser } from "./browser.ts";
import { shareIncident } from "./incident.ts";

describeInBrowser("the dashboard over the incident", () => {
  const shared = shareIncident();
  const open = useBrowser();

  it("says first what needs a person, each with why and the way out", async () => {
    const page = await open(shared());
    await page.getByRole("heading", { level: 1 }).waitFor();
    expect(await page.getByRole("heading", { level: 1 }).innerText()).toBe(
      "2 tasks are stuck, 1 repository is frozen, and more.",
    );
    const need = (text: string) => page.locator(".need", { hasText: text });
    await need("ORCH-116").getByRole("button", { name: "Pause ORCH-116…" }).waitFor();
    expect(await need("ORCH-116").innerText()).toMatch(/stuck.*it has no job.*2 jobs behind it/s);
    await need("PAY-40")
      .getByRole("button", { name: /^Retry job \d+…$/ })
      .waitFor();
    expect(await need("PAY-40").innerText()).toMatch(/failed: agent exited 1: 3 of 412 tests are red/);
    expect(await need("acme/api").innerText()).toMatch(
      /frozen.*by ann.*post-deploy DEGRADED: error rate 4\.1 %.*2 jobs held by it.*Unfreeze…/s,
    );
    expect(await need("MODEL-7").innerText()).toMatch(/ready.*no worker has claimed it/s);
    expect(await need("DOC-31").innerText()).toMatch(/paused.*waits for legal.*1 d 5 h.*Resume DOC-31…/s);
  });

  it("tells the state in the tab's title and icon", async () => {
    const page = await open(shared());
    await page.locator(".need").first().waitFor();
    expect(await page.title()).toBe("2 stuck, 1 frozen, 2 waiting · serial-gate");
    expect(decodeURIComponent((await page.locator("link[rel=icon]").getAttribute("href")) ?? "")).toContain(
      "#d0342c",
    );
  });

  it("shows a row for each lane, the troubled first, with the task that has it and the waiting in order", async () => {
    const page = await open(shared());
    const rows = page.locator(".lane");
    await rows.first().waitFor();
    const names = await page.locator(".lane .lane-name").allInnerTexts();
    expect(names.slice(0, 3)).toEqual(["acme/orchestrator", "acme/payments", "acme/api"]);
    const row = rows.filter({ hasText: "acme/orchestrator" });
    expect(await row.innerText()).toMatch(/stuck.*ORCH-116.*approval.*ORCH-123.*ORCH-124/s);
    expect(await rows.filter({ hasText: "acme/api" }).innerText()).toMatch(/Frozen by ann 7 h/);
  });

  it("keeps search, filter and order in the address", async () => {
    const page = await open(shared(), "/?show=frozen");
    await page.locator(".lane").first().waitFor();
    expect(await page.locator(".lane").count()).toBe(1);
    await page.getByRole("button", { name: /^All/ }).click();
    await page.getByRole("searchbox").fill("orch-12");
    await expect.poll(() => page.locator(".lane").count()).toBe(1);
    await page.getByRole("combobox").selectOption("wait");
    expect(new URL(page.url()).search).toBe("?q=orch-12&sort=wait");
    await page.reload();
    await page.locator(".lane").first().waitFor();
    expect(await page.locator(".lane").allInnerTexts()).toEqual([
      expect.stringContaining("acme/orchestrator"),
    ]);
    await page.goBack();
    await page.getByRole("searchbox").fill("no such thing");
    await page.getByText("Nothing matches “no such thing”.").waitFor();
  });

  it("draws a lane's history, and tells the facts of each span by pointer and by key", async () => {
    const page = await open(shared(), "/?repo=fastify%2Ffastify");
    const picture = page.getByRole("img", { name: /^Timeline of fastify\/fastify/ });
    await picture.waitFor();
    expect(await page.locator(".timeline .span-job").count()).toBeGreaterThan(3);
    expect(await page.locator(".timeline .freeze").count()).toBe(1);
    const facts = page.locator(".timeline-facts");
    await page.locator(".timeline .freeze-head").hover();
    expect(await facts.innerText()).toMatch(
      /^frozen by deploy-watch: p99 above 900 ms.*cleared by ann: rolled back/,
    );
    await page.mouse.move(0, 0);
    await picture.focus();
    await page.keyboard.press("ArrowRight");
    await expect.poll(() => facts.innerText()).toMatch(/^fastify#\d+: /);
    const slider = page.getByRole("slider", { name: "Walk back through time" });
    await slider.focus();
    await page.keyboard.press("Home");
    await expect.poll(() => page.locator(".slider output").innerText()).not.toBe("now");
  });

  it("explains a task in words and as a chain down to the root cause, with its jobs and its life", async () => {
    const page = await open(shared(), "/?q=WEB-8");
    await page.locator(".lane").getByRole("link", { name: "WEB-8", exact: true }).click();
    await page.getByText("WEB-8 in acme/web-shop waits for API-2 in acme/api (dependency)").waitFor();
    expect(await page.locator(".chain").innerText()).toMatch(
      /WEB-8.*depends on.*API-2.*is held by a freeze.*acme\/api frozen since.*by ann/s,
    );
    await page.getByRole("button", { name: "Unfreeze acme/api…" }).waitFor();
    expect(await page.locator(".jobs").innerText()).toMatch(/analyst.*queued.*held: waits for a dependency/s);
    expect(await page.locator(".life").innerText()).toMatch(
      /created in analysis.*job \d+ \(analyst\) queued/s,
    );
  });

  it("draws the last day in three charts, with the same numbers as a table", async () => {
    const page = await open(shared());
    await expect.poll(() => page.locator(".chart canvas").count()).toBe(3);
    const waiting = page.locator(".chart", { hasText: "Waiting, by reason" });
    expect(await waiting.locator(".legends").innerText()).toMatch(/freeze\s*2/);
    await waiting.getByText("as a table").click();
    expect(await waiting.locator("tbody tr").count()).toBeGreaterThan(10);
    await waiting.locator(".plot").hover();
    expect(await waiting.locator("figcaption").innerText()).toMatch(/\d\d:\d\d/);
  });

  it("goes to a lane, a task and a filter from the palette", async () => {
    const page = await open(shared());
    await page.locator(".lane").first().waitFor();
    await page.keyboard.press("Control+k");
    await page.keyboard.type("pay-41");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { level: 1, name: "PAY-41" }).waitFor();
    await page.keyboard.press("g");
    await page.keyboard.press("Control+k");
    await page.keyboard.type("show frozen");
    await page.keyboard.press("Enter");
    await expect.poll(() => new URL(page.url()).search).toBe("?show=frozen");
  });

  it("is walked by keys: search, next, previous, open, back and help", async () => {
    const page = await open(shared());
    await page.locator(".lane").first().waitFor();
    await page.keyboard.press("j");
    await page.keyboard.press("j");
    expect(await page.locator(".lane.at-cursor").getAttribute("data-repo")).toBe("acme/payments");
    await page.keyboard.press("k");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { level: 1, name: "acme/orchestrator" }).waitFor();
    await page.keyboard.press("Escape");
    await page.locator(".lane").first().waitFor();
    await page.keyboard.press("/");
    await page.keyboard.type("payments");
    await expect.poll(() => page.locator(".lane").count()).toBe(1);
    await page.keyboard.press("Escape");
    await page.keyboard.press("?");
    await page.getByRole("heading", { name: "Keys" }).waitFor();
    await page.keyboard.press("Escape");
    await expect.poll(() => page.getByRole("heading", { name: "Keys" }).isVisible()).toBe(false);
  });
});
