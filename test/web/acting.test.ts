import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { Page } from "playwright-core";
import { expect, it } from "vitest";
import type { Job } from "../../src/contract/jobs.ts";
import type { Lane, Queue } from "../../src/contract/queue.ts";
import type { Task } from "../../src/contract/tasks.ts";
import { describeInBrowser, useBrowser } from "./browser.ts";
import { shareService, type TestService } from "../support/service.ts";

const laneOf = async ({ get }: TestService, repo: string): Promise<Lane | undefined> =>
  (await get<Queue>(`/queue?repo=${repo}`)).body.serial_gate.per_repo[repo];

describeInBrowser("acting from the dashboard", () => {
  const shared = shareService({ SERIAL_GATE_STRICT_LANES: "true" });
  const open = useBrowser();
  let count = 0;

  /** A lane of its own with two tasks; the first may be claimed. */
  const makeLane = async (
    isClaimed = false,
  ): Promise<{ repo: string; first: string; second: string; job?: Job }> => {
    const { post } = shared();
    const n = ++count;
    const repo = `acme/act${n}`;
    for (const name of ["A", "B"]) await post("/tasks", { repo, work_item_id: `${name}-${n}` });
    const names = { repo, first: `A-${n}`, second: `B-${n}` };
    if (!isClaimed) return names;
    const { body } = await post<{ jobs: Job[] }>("/jobs/claim", { repos: [repo], worker: "w1" });
    return { ...names, job: body.jobs[0] };
  };

  const openLane = async (repo: string): Promise<Page> => {
    const page = await open(shared(), `/?repo=${encodeURIComponent(repo)}`);
    await page.locator(".page-head h1").waitFor();
    return page;
  };

  const openTask = async (repo: string, workItem: string): Promise<Page> => {
    const { body } = await shared().get<{ task: Task }>(`/tasks/resolve?repo=${repo}&work_item=${workItem}`);
    const page = await open(shared(), `/?task=${body.task.id}`);
    await page.locator(".why-headline").waitFor();
    return page;
  };

  const inDialog = (page: Page) => page.getByRole("dialog");

  /** Writes a reason and confirms. */
  const confirm = async (
    page: Page,
    button: RegExp | string,
    reason = "because of the test",
  ): Promise<string> => {
    await inDialog(page).getByText("What it would do, tried just now:").waitFor();
    await inDialog(page)
      .getByRole("textbox", { name: /^Reason/ })
      .fill(reason);
    await inDialog(page).getByRole("button", { name: button }).click();
    await inDialog(page).getByText("Done. The service says:").waitFor();
    return inDialog(page).locator(".outcomes").innerText();
  };

  it("pauses a task: the dry run's effect in words first, then the service's answer, with the reason recorded", async () => {
    const { repo, first, second } = await makeLane(true);
    const page = await openLane(repo);
    await page.getByRole("button", { name: `Pause ${first}…` }).click();
    await inDialog(page).getByText(`${second} becomes ready.`).waitFor();
    expect((await laneOf(shared(), repo))?.paused).toEqual([]);
    expect(await confirm(page, `Pause ${first}`, "waits for a person")).toContain(`${first} is paused`);
    await inDialog(page).getByRole("button", { name: "Close" }).click();
    await page.getByText("waits for a person").first().waitFor();
    expect((await laneOf(shared(), repo))?.paused).toMatchObject([
      { work_item_id: first, pause_reason: "waits for a person" },
    ]);
  });

  it("resumes a task with an answer for its worker", async () => {
    const { repo, first } = await makeLane();
    await shared().post(`/serial-gate/pause?repo=${repo}&work_item=${first}`, { reason: "asks" });
    const page = await openLane(repo);
    await page.getByRole("button", { name: "Resume…" }).click();
    await inDialog(page)
      .getByRole("textbox", { name: /^Answer/ })
      .fill("Yes, go on.");
    expect(await confirm(page, `Resume ${first}`)).toContain(`${first} is back in its lane.`);
    const { body } = await shared().post<{ jobs: { resumed: { answer: string } }[] }>("/jobs/claim", {
      repos: [repo],
    });
    expect(body.jobs[0]?.resumed.answer).toBe("Yes, go on.");
  });

  it("freezes a repository only after its name was typed", async () => {
    const { repo, first } = await makeLane();
    const page = await openLane(repo);
    await page.getByRole("button", { name: "Freeze…" }).click();
    await inDialog(page).getByText(`${first} is held (freeze).`).waitFor();
    const button = inDialog(page).getByRole("button", { name: "Freeze", exact: true });
    expect(await button.isDisabled()).toBe(true);
    await inDialog(page).getByRole("textbox", { name: /^Type/ }).fill(`${repo}x`);
    expect(await button.isDisabled()).toBe(true);
    await inDialog(page).getByRole("textbox", { name: /^Type/ }).fill(repo);
    expect(await confirm(page, /^Freeze$/, "error rate")).toContain(`${repo} is frozen`);
    expect(await laneOf(shared(), repo)).toMatchObject({ frozen: true, frozen_reason: "error rate" });
  });

  it("clears the freeze that it shows by its id, and leaves a newer one", async () => {
    const { repo } = await makeLane();
    await shared().post(`/freeze?repo=${repo}`, { reason: "first" });
    await shared().post(`/freeze?repo=${repo}`, { reason: "second" });
    const page = await openLane(repo);
    await page
      .locator(".freeze-bar", { hasText: "first" })
      .getByRole("button", { name: "Unfreeze…" })
      .click();
    expect(await confirm(page, `Unfreeze ${repo}`)).toContain(`${repo} stays frozen by another.`);
    expect((await laneOf(shared(), repo))?.freezes).toMatchObject([{ reason: "second" }]);
  });

  it("retries and cancels a job that failed for good", async () => {
    const { repo, first, job } = await makeLane(true);
    const token = { lease_token: (job?.lease as { token?: string } | undefined)?.token };
    await shared().post(`/jobs/${job?.id ?? 0}/fail`, { ...token, error: "red", retry: false });
    const page = await openTask(repo, first);
    await page.locator(".job").getByRole("button", { name: "Retry…" }).click();
    expect(await confirm(page, /^Retry job/)).toContain("is queued again, with one more attempt.");
    await inDialog(page).getByRole("button", { name: "Close" }).click();
    await page.locator(".job", { hasText: "queued" }).waitFor();
    await page.locator(".job").getByRole("button", { name: "Cancel…" }).click();
    expect(await confirm(page, /^Cancel job/)).toContain("is cancelled.");
    const { body } = await shared().get<{ job: Job }>(`/jobs/${job?.id ?? 0}`);
    expect(body.job.status).toBe("cancelled");
  });

  it("takes a job from its worker by force, and not without a reason", async () => {
    const { repo, first, job } = await makeLane(true);
    const page = await openTask(repo, first);
    await page.locator(".job").getByRole("button", { name: "Release by force…" }).click();
    await inDialog(page).getByText("What it would do, tried just now:").waitFor();
    expect(
      await inDialog(page)
        .getByRole("button", { name: /^Release job/ })
        .isDisabled(),
    ).toBe(true);
    expect(await confirm(page, /^Release job/, "the worker hangs")).toContain("is back in the queue");
    const { body } = await shared().get<{ job: Job }>(`/jobs/${job?.id ?? 0}`);
    expect(body.job).toMatchObject({ status: "queued", lease: null });
  });

  it("cancels a task for good", async () => {
    const { repo, first, second } = await makeLane();
    const page = await openTask(repo, first);
    await page.locator(".page-head").getByRole("button", { name: "Cancel…" }).click();
    await inDialog(page).getByText(`${second} becomes ready.`).waitFor();
    expect(await confirm(page, `Cancel ${first}`)).toContain(`${first} is cancelled, for good`);
    await inDialog(page).getByRole("button", { name: "Close" }).click();
    await page.locator(".page-head .state", { hasText: "cancelled" }).waitFor();
  });

  it("selects many lanes and acts once on all of them", async () => {
    const lanes = [await makeLane(), await makeLane()];
    const page = await open(shared(), "/");
    for (const { repo } of lanes) await page.getByRole("checkbox", { name: `Select ${repo}` }).check();
    await page
      .getByRole("region", { name: "Selected lanes" })
      .getByRole("button", { name: "Freeze…" })
      .click();
    await inDialog(page).getByRole("textbox", { name: /^Type/ }).fill("2 repositories");
    const said = await confirm(page, "Freeze all 2", "the network moves");
    for (const { repo } of lanes) {
      expect(said).toContain(`${repo} is frozen`);
      expect((await laneOf(shared(), repo))?.frozen_reason).toBe("the network moves");
    }
  });

  it("copies the call as a command and as curl, each of which does the same", async () => {
    const { repo, first } = await makeLane();
    const page = await open(shared(), `/?repo=${encodeURIComponent(repo)}`, {
      permissions: ["clipboard-read", "clipboard-write"],
    });
    await page.getByRole("button", { name: `Pause ${first}…` }).click();
    await inDialog(page)
      .getByRole("textbox", { name: /^Reason/ })
      .fill("it's $HOME");
    const copied = async (label: string): Promise<string> => {
      await inDialog(page).getByRole("button", { name: label }).click();
      await inDialog(page).getByText("copied").first().waitFor();
      return String(await page.evaluate("navigator.clipboard.readText()"));
    };
    expect(await copied("Copy as command")).toBe(
      `serial-gate pause --repo ${repo} --reason 'it'\\''s $HOME' ${first}`,
    );
    const curl = await copied("Copy as curl");
    expect(curl).toMatch(
      /^curl -X POST 'http:\/\/127\.0\.0\.1:\d+\/serial-gate\/pause\?task_id=\d+' -H 'content-type: application\/json' -d '\{"reason":"it'\\''s \$HOME"\}'$/,
    );
    // The service is in this process: waiting for curl must not stop it.
    await promisify(execFile)("sh", ["-c", curl], { timeout: 20_000 });
    expect((await laneOf(shared(), repo))?.paused).toMatchObject([{ pause_reason: "it's $HOME" }]);
  });

  it("shows the service's refusal, and offers nothing to press", async () => {
    const { repo, first } = await makeLane();
    // The refusal, and the page's looks at the queue while they fail.
    const expectedFaults = /409|ERR_FAILED/;
    const page = await open(shared(), `/?repo=${encodeURIComponent(repo)}`, { expectedFaults });
    await page.getByRole("button", { name: `Pause ${first}…` }).waitFor();
    // The task finishes while its button is on the page, and the page does not hear of it.
    await page.route("**/queue**", (route) => route.abort());
    const { body } = await shared().get<{ task: Task }>(`/tasks/resolve?repo=${repo}&work_item=${first}`);
    await shared().call("PATCH", `/tasks/${body.task.id}`, { stage: "done" });
    await page.getByRole("button", { name: `Pause ${first}…` }).click();
    await inDialog(page)
      .getByText(/is finished|is done/)
      .waitFor();
    expect(
      await inDialog(page)
        .getByRole("button", { name: `Pause ${first}` })
        .isDisabled(),
    ).toBe(true);
  });

  it("sends an action again under its key when the answer was lost, and it is done once", async () => {
    const { repo } = await makeLane();
    const page = await open(shared(), `/?repo=${encodeURIComponent(repo)}`, {
      expectedFaults: /Failed to load/,
    });
    await page.getByRole("button", { name: "Freeze…" }).click();
    await inDialog(page).getByRole("textbox", { name: /^Type/ }).fill(repo);
    let isLost = true;
    await page.route(/\/freeze\?repo=[^&]+$/, async (route) => {
      // The service gets the call; its answer is lost on the way.
      if (isLost) await route.fetch();
      if (!isLost) return route.continue();
      isLost = false;
      return route.abort();
    });
    await inDialog(page).getByRole("button", { name: "Freeze", exact: true }).click();
    await inDialog(page).getByText("Sending it again is safe: it is done once.").waitFor();
    await inDialog(page).getByRole("button", { name: "Send again" }).click();
    await inDialog(page).getByText("Done. The service says:").waitFor();
    expect((await laneOf(shared(), repo))?.freezes).toHaveLength(1);
  });
});
