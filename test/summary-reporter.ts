import type { Reporter, TestModule } from "vitest/node";

/** Hands the counts of a run to scripts/test.mjs, which prints them and decides the exit code. */
export default class SummaryReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    const count = (state: string): number => tests.filter((test) => test.result().state === state).length;
    // No test tells of a file that cannot be loaded, a hook that fails, or an error outside of any test.
    const groups = modules.flatMap((module) => [module, ...module.children.allSuites()]);
    const broken = groups.filter((group) => group.errors().length > 0).length;
    const failed = count("failed") + broken + errors.length;
    // There is no channel when vitest runs without scripts/test.mjs.
    process.send?.({ passed: count("passed"), failed, skipped: count("skipped") });
  }
}
