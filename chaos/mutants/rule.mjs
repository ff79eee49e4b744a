/** Planted bugs of the rule and of its index. */

export const RULE_BUGS = [
  {
    name: "the freeze term dropped",
    file: "src/gate/rule/reasons/freeze.ts",
    edits: [["  applies: (policy) => policy.enabled && policy.freeze,", "  applies: () => false,"]],
    chaos: ["--only", "timer", "--kills", "32"],
  },
  {
    name: "`<` become `<>`: another task holds the lane, not an older one",
    file: "src/gate/rule/reasons/active-task.ts",
    edits: [["ahead.id < ${task} AND", "ahead.id <> ${task} AND"]],
    chaos: ["--only", "timer", "--kills", "24"],
  },
  {
    name: "a dependency that takes a cancelled task for an unfinished one",
    file: "src/gate/rule/reasons/dependency.ts",
    edits: [
      [
        '      WHERE d.task_id = ${task} AND ${unfinished("needed")}`;',
        "      WHERE d.task_id = ${task} AND needed.stage <> 'done'`;",
      ],
    ],
    test: "test/gate/rule/effect.test.ts",
  },
  {
    name: "a pause that bypasses a freeze",
    file: "src/gate/rule/reasons/freeze.ts",
    edits: [
      [
        "    sql`${isEntryJob(policy, job)} AND ${isInScope(policy, job)}${",
        "    sql`${isEntryJob(policy, job)} AND NOT EXISTS (SELECT 1 FROM tasks p WHERE p.id = ${raw(job)}.task_id AND p.paused_at IS NOT NULL) AND ${isInScope(policy, job)}${",
      ],
    ],
    test: "test/gate/model.test.ts",
  },
  {
    name: "a ready index that an unfreeze does not evaluate again",
    file: "src/gate/rule/reasons/freeze.ts",
    edits: [['affects: [HELD, releasedIn(policy, "OLD"), releasedIn(policy, "NEW")],', "affects: [HELD],"]],
    chaos: ["--only", "timer", "--kills", "32"],
  },
  {
    name: "the holder of a strict lane ignored",
    file: "src/gate/rule/reasons/active-task.ts",
    edits: [[" OR ${beside}${waitsForTurn(policy, job)})", "${waitsForTurn(policy, job)})"]],
    test: "test/http/strict-lanes.test.ts",
  },
  {
    name: "an effect from before the change",
    file: "src/gate/rule/effect.ts",
    edits: [
      [
        "  const before = yield* readReady(policy, lookup, repos, yield* onlyLane(policy, lookup, repos));\n  const value = yield* change;",
        "  const value = yield* change;\n  const before = yield* readReady(policy, lookup, repos, yield* onlyLane(policy, lookup, repos));",
      ],
    ],
    test: "test/gate/rule/effect.test.ts",
  },
];
