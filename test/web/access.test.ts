import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, it } from "vitest";
import { describeInBrowser, useBrowser } from "./browser.ts";
import { temporaryFolder } from "../support/folder.ts";
import type { TestService } from "../support/service.ts";
import { startIncident } from "./incident.ts";

const ROLES = ["viewer", "worker", "producer", "operator"] as const;

const secretOf = (name: string): string => `${name}-7h2k9x4m1q8w5z3v`;

const entry = (name: string, role: string, more: object = {}) => ({
  name,
  role,
  sha256: createHash("sha256").update(secretOf(name)).digest("hex"),
  ...more,
});

describeInBrowser("the dashboard of a service with tokens", () => {
  const open = useBrowser();
  let shared: TestService;
  beforeAll(async () => {
    const ends: (() => void | Promise<void>)[] = [];
    const atEnd = (end: () => void | Promise<void>): void => void ends.unshift(end);
    const file = join(temporaryFolder(atEnd), "tokens.json");
    const tokens = [
      ...ROLES.map((role) => entry(role, role)),
      entry("api-only", "operator", { repos: ["acme/api"] }),
    ];
    writeFileSync(file, JSON.stringify({ tokens }));
    shared = await startIncident({ SERIAL_GATE_TOKENS_FILE: file }, atEnd);
    return async () => {
      for (const end of ends) await end();
    };
  });

  const expectedFaults = /401|403/;

  it("asks for a token before it shows anything, and says why it does not take one", async () => {
    const page = await open(shared, "/", { expectedFaults });
    const field = page.getByLabel("Token");
    await field.waitFor();
    expect(await page.locator(".lane").count()).toBe(0);
    await field.fill("sg_wrong");
    await page.getByRole("button", { name: "Open" }).click();
    await page.getByText("A valid token is required.").waitFor();
    await field.fill(secretOf("operator"));
    await page.getByRole("button", { name: "Open" }).click();
    await page.locator(".lane").first().waitFor();
    expect(await page.locator(".who").innerText()).toBe("operator operator");
  });

  it("keeps the token for the tab only, and forgets it when told to", async () => {
    const page = await open(shared, "/", { token: secretOf("viewer"), expectedFaults });
    await page.locator(".lane").first().waitFor();
    expect(page.url()).not.toContain(secretOf("viewer"));
    expect(await page.evaluate("JSON.stringify([document.cookie, localStorage.length])")).toBe('["",0]');
    await page.getByRole("button", { name: "Forget token" }).click();
    await page.getByLabel("Token").waitFor();
    expect(await page.evaluate("sessionStorage.length")).toBe(0);
    expect(await page.locator(".lane").count()).toBe(0);
  });

  it.each<[role: (typeof ROLES)[number], shown: string[], hidden: string[]]>([
    ["viewer", [], ["Pause", "Retry", "Unfreeze", "Resume", "Freeze", "Cancel"]],
    ["worker", [], ["Pause", "Retry", "Unfreeze", "Resume", "Freeze", "Cancel"]],
    ["producer", ["Retry"], ["Pause", "Unfreeze", "Resume"]],
    ["operator", ["Pause", "Retry", "Unfreeze", "Resume"], []],
  ])("shows a %s only what its role may do", async (role, shown, hidden) => {
    const page = await open(shared, "/", { token: secretOf(role), expectedFaults });
    await page.locator(".need").first().waitFor();
    const buttons = page.locator(".needs-section .button");
    for (const name of shown) await buttons.filter({ hasText: name }).first().waitFor();
    for (const name of hidden) expect(await buttons.filter({ hasText: name }).count(), name).toBe(0);
    // A worker may not read events: there is no stream and no chart, and the page says that it polls.
    const isReader = role !== "worker";
    await expect
      .poll(() => page.locator("[data-fact=connection]").innerText())
      .toBe(isReader ? "connected" : "connected, polling");
    expect(await page.locator(".charts-section").count()).toBe(isReader ? 1 : 0);
  });

  it("shows a worker the lane and the explanation, without what it may not read", async () => {
    const page = await open(shared, "/?q=WEB-8", { token: secretOf("worker"), expectedFaults });
    await page.locator(".lane-active a").click();
    await page.getByText("WEB-8 in acme/web-shop waits for API-2").waitFor();
    expect(await page.locator(".jobs").innerText()).toContain("analyst");
    expect(await page.getByRole("heading", { name: "Life" }).count()).toBe(0);
  });

  it("shows a token of one repository only that one", async () => {
    const page = await open(shared, "/", { token: secretOf("api-only"), expectedFaults });
    await page.locator(".lane").first().waitFor();
    expect(await page.locator(".lane .lane-name").allInnerTexts()).toEqual(["acme/api"]);
  });

  it("answers GET /whoami with the name, the role and the limits of the token", async () => {
    const { body } = await shared.call("GET", "/whoami", undefined, {
      authorization: `Bearer ${secretOf("api-only")}`,
    });
    expect(body).toMatchObject({ name: "api-only", role: "operator", repos: ["acme/api"], agents: null });
    expect((await shared.get("/whoami")).status).toBe(401);
  });
});
