import { defineConfig } from "vitest/config";

/** Tests of the service that hold over PostgreSQL as they do over SQLite. */
const OVER_EITHER = [
  "plugins/access",
  "routes/claim",
  "routes/complete-and-claim",
  "routes/events",
  "routes/event-cursor",
  "routes/freeze",
  "routes/job-list",
  "routes/jobs",
  "routes/lease",
  "routes/pause",
  "people-text",
  "routes/queue",
  "routes/readiness",
  "routes/tasks",
].map((name) => `test/http/${name}.test.ts`);

const BROWSER = "test/web/*.test.ts";

export default defineConfig({
  test: {
    // Most of a test is waiting for a disk or a socket: two cores serve three.
    maxWorkers: 3,
    reporters: ["default", "./test/summary-reporter.ts"],
    projects: [
      {
        extends: true,
        test: { name: "all", include: ["test/**/*.test.ts"], exclude: [BROWSER, "**/node_modules/**"] },
      },
      // Keys that a test presses come faster than a person's, and now and then faster than a frame of the page.
      { extends: true, test: { name: "browser", include: [BROWSER], retry: 2 } },
      {
        extends: true,
        test: {
          name: "services over PostgreSQL",
          include: OVER_EITHER,
          env: { SERVICES_OVER: "PostgreSQL" },
        },
      },
    ],
    globalSetup: "./test/support/one-postgres.ts",
    testTimeout: 30_000,
    hookTimeout: 60_000,
    expect: { poll: { timeout: 20_000 } },
  },
});
