import { expect, it } from "vitest";
import { onEveryDatabase } from "../../support/databases.ts";
import { API, startWorld, WEB } from "../world.ts";
import { EVERYWHERE } from "../../../src/contract/names/repo-pattern.ts";

onEveryDatabase((open) => {
  it("increases the revision with every change of the rows, also by another program", async () => {
    const world = await startWorld(open);
    const revision = async (): Promise<number> => (await world.gate.queue(undefined, EVERYWHERE)).revision;
    const seen = [await revision()];
    const { id, job_id } = await world.task(WEB, "A");
    seen.push(await revision());
    await world.gate.pause(null, { work_item: "A" }, {});
    seen.push(await revision());
    await world.sql(`UPDATE tasks SET stage = 'review' WHERE id = ${id}`);
    seen.push(await revision());
    await world.sql(`INSERT INTO repo_freeze(repo) VALUES ('${API}')`);
    seen.push(await revision());
    await world.sql(`INSERT INTO job_deps(task_id, depends_on_task_id) VALUES (${id}, ${id})`);
    seen.push(await revision());
    await world.sql(`DELETE FROM jobs WHERE id = ${job_id}`);
    seen.push(await revision());
    expect(seen).toEqual([...new Set(seen)].sort((a, b) => a - b));
    expect(await revision()).toBe(seen.at(-1));
  });
});
