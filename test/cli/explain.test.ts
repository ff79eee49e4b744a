import { describe, expect, it } from "vitest";
import type { Claim, Explanation } from "../../src/gate/model.ts";
import { cliOf } from "../support/cli.ts";
import { using, makeLegacy } from "../support/legacy.ts";
import { shareService, startService } from "../support/service.ts";
import { temporaryFolder } from "../support/folder.ts";
import { join } from "node:path";

const shared = shareService();

/** How long ago differs from run to run, also where the service says it in a sentence. */
const told = (text: string): string => text.replace(/\b\d+ (ms|s|min|h|d)\b/g, "a while");

describe("explain", () => {
  it("says in two commands why WEB-8 of the orchestrator's database waits; what it says to type frees it; blame says who did", async () => {
    const path = makeLegacy(join(temporaryFolder(), "legacy.db"));
    const { service } = await startService({ DATABASE_URL: `file:${path}` });
    const cli = cliOf(service.url);
    expect(told(await cli.session(["queue"], ["explain", "WEB-8"]))).toMatchInlineSnapshot();
    const commands: string[][] = [];
    for (;;) {
      const { jobs } = JSON.parse((await cli("explain", "WEB-8", "-o", "json")).stdout) as Explanation;
      const [fix] = jobs.flatMap(({ reasons }) => reasons.flatMap((each) => each.fix));
      if (!fix) break;
      expect(commands.length).toBeLessThan(5);
      commands.push(fix.command.split(" ").slice(1));
      await cli(...(commands.at(-1) ?? []), "--reason", "three in the morning");
    }
    expect(commands).toMatchInlineSnapshot();
    expect(told(await cli.session(["explain", "WEB-8"], ["blame", "WEB-8"]))).toMatchInlineSnapshot();
    expect(using(path, (db) => db.prepare("SELECT COUNT(*) AS n FROM tasks").get())).toEqual({ n: 9 });
  });

  it("tells of work that runs, has failed, is done or is not there", async () => {
    const { post, service } = shared();
    const cli = cliOf(service.url);
    await post("/tasks", { repo: "acme/web", work_item_id: "WEB-1" });
    const ready = ["explain", "WEB-1"];
    const first = await cli.session(ready);
    const { jobs } = (await post<Claim>("/jobs/claim", { worker: "w-1" })).body;
    const second = await cli.session(ready);
    const lease_token = jobs[0]?.lease.token;
    await post(`/jobs/1/fail`, { lease_token, error: "tests are red", retry: false });
    const third = await cli.session(ready, ["queue"], ["job", "retry", "1", "--dry-run"]);
    await cli("task", "stage", "WEB-1", "done");
    expect(
      told([first, second, third, await cli.session(ready, ["explain", "WEB-2"])].join("\n")),
    ).toMatchInlineSnapshot();
  });
});
