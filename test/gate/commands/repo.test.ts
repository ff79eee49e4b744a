import { beforeEach, expect, it } from "vitest";
import type { GateError } from "../../../src/contract/errors.ts";
import { onEveryDatabase } from "../../support/databases.ts";
import { API, gateError, openWorld, WEB, World } from "../world.ts";
import { EVERYWHERE } from "../../../src/contract/names/repo-pattern.ts";

onEveryDatabase((open) => {
  let world: World;
  beforeEach(async () => {
    world = await openWorld(open);
  });

  const freeze = (repo: string) => world.gate.freeze(null, { repo }, {});
  const refusal = (call: Promise<unknown>): Promise<GateError> =>
    call.then(
      () => Promise.reject(new Error("It was not refused.")),
      (error: unknown) => error as GateError,
    );

  it.each(["ACME/web", " acme/web", "acme/web/", "acme/web.git", "acme/\u00a0web", "ａcme/web"])(
    "refuses %j beside acme/web for a task, a job and a freeze",
    async (name) => {
      await world.task(WEB, "A");
      const calls = [
        () => world.task(name, "B"),
        () => world.gate.createJob(null, { repo: name, work_item_id: "A", agent: "reviewer" }),
        () => freeze(name),
      ];
      for (const call of calls)
        expect(await refusal(call())).toMatchObject({
          code: "repo_looks_alike",
          context: { more: { repos: [WEB] }, hint: "Send the repository as acme/web." },
        });
      expect(await world.rows("SELECT repo FROM tasks UNION ALL SELECT repo FROM repo_freeze")).toEqual([
        { repo: WEB },
      ]);
    },
  );

  it("knows a name by a job without a task, by an active freeze, and by the configuration", async () => {
    await world.sql("INSERT INTO jobs(agent, repo, status) VALUES ('analyst', 'acme/jobs', 'queued')");
    await freeze("acme/frozen");
    const configured = new World(world.store, world.clock, { repos: ["acme/scoped"] }, ["acme/project"]);
    for (const name of ["ACME/jobs", "ACME/frozen", "ACME/scoped", "ACME/project"])
      await expect(configured.task(name, "A")).rejects.toEqual(gateError("repo_looks_alike"));
  });

  it("forgets a name when its last row is gone or its freeze is cleared", async () => {
    await world.sql("INSERT INTO tasks(repo, work_item_id, stage) VALUES ('Acme/Web', 'A', 'analysis')");
    await expect(world.task(WEB, "A")).rejects.toEqual(gateError("repo_looks_alike"));
    await world.sql("DELETE FROM tasks");
    await world.task(WEB, "A");
    await freeze("Acme/Api");
    await expect(freeze(API)).rejects.toEqual(gateError("repo_looks_alike"));
    await world.gate.unfreeze(null, { repo: "Acme/Api" });
    expect(await freeze(API)).toMatchObject({ frozen: true });
  });

  it("takes the known name as it is where another program made both", async () => {
    await world.sql(
      "INSERT INTO tasks(repo, work_item_id, stage) VALUES ('Acme/Web', 'A', 'analysis'), ('acme/web', 'B', 'done')",
    );
    expect(await world.task("Acme/Web", "C")).toMatchObject({ repo: "Acme/Web" });
    expect(await world.task("acme/web", "D")).toMatchObject({ repo: "acme/web" });
    expect(await refusal(world.task("ACME/WEB", "E"))).toMatchObject({
      context: { more: { repos: ["Acme/Web", "acme/web"] } },
    });
    await world.adopt();
    expect(world.logged).toContain(
      "warn: Acme/Web and acme/web look alike. Each is a lane of its own, with its own freezes.",
    );
  });

  it("takes names of any form that another program made, and refuses to make them", async () => {
    for (const name of ["Org Name/My Project", "acme/веб", "../etc", "acme/web.git", "-acme"]) {
      await expect(world.task(name, "A")).rejects.toEqual(gateError("invalid_request"));
      await expect(freeze(name)).rejects.toEqual(gateError("invalid_request"));
      await world.sql(`INSERT INTO tasks(repo, work_item_id, stage) VALUES ('${name}', 'A', 'analysis')`);
      expect(await world.task(name, "B")).toMatchObject({ repo: name });
      expect(await freeze(name)).toMatchObject({ repo: name, known: true });
    }
  });

  it("takes one of two look-alikes that are created at once", async () => {
    const names = ["Acme/One", "acme/one", "ACME/ONE", "acme/ONE"];
    const made = await Promise.allSettled(names.map((name) => world.task(name, "A")));
    expect(made.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    expect(await world.rows("SELECT COUNT(*) AS many FROM tasks")).toEqual([{ many: 1 }]);
  });

  it("warns at the start of a configured name that only looks like a lane's", async () => {
    await world.task(WEB, "A");
    await new World(world.store, world.clock).adopt();
    const scoped = new World(world.store, world.clock, { repos: ["Acme/Web", API] }, ["ACME/WEB"]);
    await scoped.adopt();
    expect(scoped.logged.filter((line) => line.startsWith("warn"))).toEqual([
      "warn: SERIAL_GATE_REPOS: no task or job has Acme/Web. It looks like acme/web.",
      "warn: SERIAL_GATE_PROJECTS: no task or job has ACME/WEB. It looks like acme/web.",
    ]);
  });

  it("says of an unknown name what is near, on freeze, unfreeze, pause and explain", async () => {
    await world.task("acme/web-shop", "A");
    const unknown = { known: false, near: ["acme/web-shop"] };
    expect(await freeze("acme/web")).toMatchObject(unknown);
    expect(await freeze("acme/web")).toMatchObject(unknown);
    expect(await world.gate.unfreeze(null, { repo: "acme/web-shpo" })).toMatchObject(unknown);
    expect(await world.gate.pauseLane(null, { repo: "acme/web-shpo" }, {})).toMatchObject(unknown);
    expect(
      await refusal(world.gate.explain({ work_item: "A", repo: "acme/web-shpo" }, EVERYWHERE)),
    ).toMatchObject({
      code: "unknown_work_item",
      context: { more: { near: ["acme/web-shop"] } },
    });
    expect(await freeze("acme/web-shop")).toMatchObject({ known: true, near: [] });
  });

  it("says that a freeze and a pause are not in force where the gate does not act", async () => {
    await world.task(WEB, "A");
    const off = new World(world.store, world.clock, { enabled: false });
    const elsewhere = new World(world.store, world.clock, { repos: [API] });
    const cases = [
      [off, "SERIAL_GATE_ENABLED is false"],
      [elsewhere, "SERIAL_GATE_REPOS does not include acme/web"],
      [world, null],
    ] as const;
    for (const [{ gate }, because] of cases) {
      const force = { in_force: because === null, not_in_force_because: because };
      expect(await gate.freeze(null, { repo: WEB }, {})).toMatchObject({ frozen: true, ...force });
      expect(await gate.pause(null, { work_item: "A" }, {})).toMatchObject({ paused: true, ...force });
      expect(await gate.pauseLane(null, { repo: WEB }, {})).toMatchObject(force);
      const { not_in_force } = await gate.explain({ work_item: "A" }, EVERYWHERE);
      expect(not_in_force === null).toBe(because === null);
    }
  });

  it("freezes a repository also while tasks cannot be read", async () => {
    await world.task(WEB, "A");
    await world.adopt();
    await world.sql("ALTER TABLE tasks RENAME TO tasks_away");
    expect(await freeze(WEB)).toMatchObject({ frozen: true });
    expect(await freeze("acme/unknown")).toMatchObject({ frozen: true, known: false });
    await world.sql("ALTER TABLE tasks_away RENAME TO tasks");
  });

  it("asks for an id where a repository has several unfinished tasks of a work item", async () => {
    await world.sql(
      "INSERT INTO tasks(repo, work_item_id, stage) VALUES ('acme/web', 'A', 'done'), ('acme/web', 'A', 'analysis'), ('acme/web', 'A', 'review')",
    );
    const ids = (await world.rows<{ id: number }>("SELECT id FROM tasks ORDER BY id")).map(({ id }) => id);
    const calls = [
      () => world.gate.pause(null, { work_item: "A" }, {}),
      () => world.gate.resume(null, { work_item: "A", repo: WEB }),
      () => world.gate.explain({ work_item: "A" }, EVERYWHERE),
      () => world.gate.resolveTask({ work_item: "A" }, EVERYWHERE),
    ];
    for (const call of calls)
      expect(await refusal(call())).toMatchObject({
        code: "ambiguous_work_item",
        context: { more: { tasks: ids.slice(1), work_item_id: "A" } },
      });
    for (const task_id of ids.slice(1))
      expect(await world.gate.pause(null, { task_id }, {})).toMatchObject({ task_id, changed: true });
    expect(await world.gate.resume(null, { task_id: ids[1] })).toMatchObject({ paused: false });
  });

  it("pauses, explains and cancels a task without a work item by its id", async () => {
    await world.sql("INSERT INTO tasks(repo, stage) VALUES ('acme/web', 'analysis')");
    const [{ id } = { id: 0 }] = await world.rows<{ id: number }>("SELECT id FROM tasks");
    expect(await world.gate.pause(null, { task_id: id }, {})).toMatchObject({
      work_item_id: null,
      paused: true,
    });
    expect(await world.gate.explain({ task_id: id }, EVERYWHERE)).toMatchObject({ task: { id } });
    expect(await world.gate.cancelTask(null, { id })).toMatchObject({ task: { stage: "cancelled" } });
    await expect(world.gate.pause(null, { task_id: 9_999 }, {})).rejects.toEqual(gateError("unknown_task"));
  });

  it("says whether the entry job of a paused task can still be claimed", async () => {
    await world.task(WEB, "A");
    const strict = new World(world.store, world.clock, { strictLanes: true });
    expect(await strict.gate.pause(null, { work_item: "A", dry_run: true }, {})).toMatchObject({
      still_claimable: false,
      dry_run: true,
    });
    expect(await world.gate.pause(null, { work_item: "A" }, {})).toMatchObject({ still_claimable: true });
    expect(await world.claimAll()).toEqual(["A"]);
    expect(await world.gate.pause(null, { work_item: "A" }, {})).toMatchObject({ still_claimable: false });
  });
});
