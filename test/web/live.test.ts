import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, it, onTestFinished } from "vitest";
import { describeInBrowser, useBrowser } from "./browser.ts";
import { startService, type TestService } from "../support/service.ts";

/** A proxy before the service that can be told to refuse the stream, or everything. */
const startProxy = async (
  { service }: TestService,
  refuses: () => "nothing" | "streams" | "all",
): Promise<{ url: string; hangUp: () => void }> => {
  const target = new URL(service.url);
  const proxy = createServer((incoming, outgoing) => {
    const refused = refuses();
    if (refused === "all" || (refused === "streams" && incoming.url?.startsWith("/events/stream"))) {
      incoming.socket.destroy();
      return;
    }
    const { method, headers, url: path } = incoming;
    const onward = request(
      { host: target.hostname, port: target.port, method, path, headers: { ...headers, host: target.host } },
      (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(outgoing);
      },
    );
    onward.on("error", () => outgoing.destroy());
    outgoing.on("close", () => onward.destroy());
    incoming.pipe(onward);
  });
  await new Promise<void>((listening) => proxy.listen(0, "127.0.0.1", listening));
  const hangUp = (): void => {
    proxy.closeAllConnections();
  };
  onTestFinished(() => {
    hangUp();
    proxy.close();
  });
  return { url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`, hangUp };
};

const withUrl = (service: TestService, url: string): TestService => ({
  ...service,
  service: { ...service.service, url },
});

describeInBrowser("the dashboard as time goes on", () => {
  const open = useBrowser();
  const expectedFaults = /Failed to load resource|net::ERR/;

  it("shows what happens elsewhere as it happens, without being loaded again", async () => {
    const service = await startService();
    const page = await open(service);
    await page.getByText("No lane has work.").waitFor();
    expect(await page.getByRole("heading", { level: 1 }).innerText()).toBe("Nothing needs you.");
    expect(await page.locator("[data-fact=movement]").innerText()).toBe("nothing to do");
    await service.post("/tasks", { repo: "acme/web", work_item_id: "WEB-1" });
    const row = page.locator(".lane", { hasText: "acme/web" });
    await row.getByText("ready").waitFor();
    await service.post("/jobs/claim", { worker: "w1" });
    await row.getByText("running").waitFor();
    await expect.poll(() => page.locator("[data-fact=movement]").innerText()).toBe("work is moving");
    await service.post("/freeze?repo=acme/web", { reason: "error rate" });
    await page.locator(".need", { hasText: "error rate" }).waitFor();
    await expect.poll(() => page.title()).toBe("1 frozen · serial-gate");
  });

  it("polls with the ETag where there is no stream, and says so", async () => {
    const service = await startService();
    const { url } = await startProxy(service, () => "streams");
    const page = await open(withUrl(service, url), "/", { expectedFaults });
    await expect.poll(() => page.locator("[data-fact=connection]").innerText()).toBe("connected, polling");
    const unchanged = page.waitForResponse(
      (response) => response.url().endsWith("/queue") && response.status() === 304,
    );
    await unchanged;
    await service.post("/tasks", { repo: "acme/web", work_item_id: "WEB-1" });
    await page.locator(".lane", { hasText: "acme/web" }).waitFor();
  });

  it("says that what it shows is stale while the service does not answer, and recovers", async () => {
    const service = await startService();
    await service.post("/tasks", { repo: "acme/web", work_item_id: "WEB-1" });
    let refuses: "nothing" | "all" = "nothing";
    const { url, hangUp } = await startProxy(service, () => refuses);
    const page = await open(withUrl(service, url), "/", { expectedFaults });
    await expect.poll(() => page.locator("[data-fact=connection]").innerText()).toBe("connected");
    refuses = "all";
    hangUp();
    const connection = page.locator("[data-fact=connection]");
    await expect.poll(() => connection.innerText(), { timeout: 45_000 }).toMatch(/^stale\s*for \d+ s$/);
    await page.getByText(/^The service has not answered for/).waitFor();
    await page.locator(".lane", { hasText: "acme/web" }).waitFor();
    expect(await page.title()).toBe("stale · serial-gate");
    refuses = "nothing";
    await expect.poll(() => connection.innerText(), { timeout: 45_000 }).toMatch(/^connected/);
  });

  it("tells a degraded gate", async () => {
    const service = await startService();
    const page = await open(service);
    await page.getByText("No lane has work.").waitFor();
    await page.route("**/queue", async (route) => {
      const response = await route.fetch();
      if (response.status() !== 200) return route.fulfill({ response });
      const body = (await response.json()) as object;
      return route.fulfill({ response, json: { ...body, degraded: true } });
    });
    await service.post("/tasks", { repo: "acme/web", work_item_id: "WEB-1" });
    await page.reload();
    await page.getByRole("heading", { level: 1, name: "The gate is degraded." }).waitFor();
  });
});
