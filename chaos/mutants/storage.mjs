/** Planted bugs of the store and of what is kept. */

export const STORAGE_BUGS = [
  {
    name: "a missing fsync: a commit is acknowledged before the disk has it",
    file: "src/store/sqlite/connection.ts",
    edits: [
      [
        '  db.pragma("synchronous = FULL");\n  db.pragma(`wal',
        '  db.pragma("synchronous = OFF");\n  db.pragma(`wal',
      ],
      ["if (synchronous !== 2)", "if (synchronous === undefined)"],
    ],
    // A process that is killed loses nothing that it gave to the system: only a power cut shows it.
    chaos: ["--only", "powercut", "--kills", "24"],
    needs: "cc",
  },
  {
    name: "a lost savepoint: a refused write of a group is committed with the others",
    file: "src/store/sqlite/group-commit.ts",
    edits: [
      ["      this.#rollbackToSavepoint.run();\n      this.#release.run();", "      this.#release.run();"],
    ],
    test: "test/store/sqlite/store.test.ts",
  },
  {
    name: "a reply before its commit",
    file: "src/store/sqlite/group-commit.ts",
    edits: [
      [
        "    this.#begin.run();\n    try {",
        "    if (this.#db.inTransaction) this.#commit.run();\n    this.#begin.run();\n    try {",
      ],
      [
        "        this.#commit.run();\n        this.#commits += 1;",
        "        if (this.#commits < 9) this.#commit.run();\n        this.#commits += 1;",
      ],
      [
        "        this.#check();\n      }\n      return results;\n    } finally {\n      if (this.#db.inTransaction) this.#rollback.run();\n    }",
        "        this.#check();\n      } else this.#rollback.run();\n      return results;\n    } catch (error) {\n      if (this.#db.inTransaction) this.#rollback.run();\n      throw error;\n    }",
      ],
    ],
    chaos: ["--only", "failpoint", "--moment", "before-commit", "--kills", "24"],
  },
  {
    name: "an event outside of its transaction",
    file: "src/store/sqlite/connection.ts",
    edits: [
      [
        "        const statement = prepare(step.statement.sql);",
        `        if (/^\\s*INSERT INTO gate_events/.test(step.statement.sql)) {
          const { sql, params } = step.statement;
          setTimeout(() => { try { prepare(sql).run(...params); } catch { /* another time */ } }, 1);
          return [];
        }
        const statement = prepare(step.statement.sql);`,
      ],
    ],
    chaos: ["--only", "timer", "--kills", "24"],
  },
  {
    name: "an answer that is not stored under its idempotency key",
    file: "src/gate/commands/idempotency.ts",
    edits: [["SET answer = ${text}, bytes", "SET answer = ${null}, bytes"]],
    chaos: ["--only", "timer", "--kills", "24"],
  },
  {
    name: "a cursor that skips",
    file: "src/gate/queries/history.ts",
    edits: [
      [
        "    next_cursor: exhausted ? Math.max(seen, log.completeUpTo) : seen,",
        "    next_cursor: Math.max(seen, log.completeUpTo),",
      ],
    ],
    test: "test/gate/queries/history.test.ts",
  },
];
