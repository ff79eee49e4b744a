/** Random policies and commands for the model-based test. */

import * as fc from "fast-check";
import { POLICY } from "../support/fixtures.ts";

const REPOS = ["acme/web", "acme/api", "acme/ops"];
const STAGES = ["analysis", "development", "review", "done"];

/** A number picks among the rows that exist when the command runs, so that a shrunk history stays valid. */
const pick = fc.nat({ max: 1_000 });
const repo = fc.constantFrom(...REPOS);
export const command = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant("create"), repo, needs: fc.array(pick, { maxLength: 2 }) }),
  },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("claim"), max: fc.integer({ min: 1, max: 3 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("claim in"), repo, max: fc.constant(1) }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant("pause"), task: pick, forMs: fc.constantFrom(0, 0, 90_000) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("resume"), task: pick }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("depend"), task: pick, on: fc.array(pick, { maxLength: 2 }) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("pause lane"), repo }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("resume lane"), repo }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("freeze"), repo }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("unfreeze"), repo }) },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("complete"),
      job: pick,
      stage: fc.constantFrom(...STAGES, undefined, undefined),
      next: fc.constantFrom(undefined, "developer", "developer", "analyst"),
      pause: fc.constantFrom(false, false, true),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("fail"),
      job: pick,
      retry: fc.boolean(),
      afterMs: fc.constantFrom(undefined, 20_000),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("release"),
      job: pick,
      forMs: fc.constantFrom(0, 0, 30_000),
      pause: fc.constantFrom(false, false, true),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("heartbeat"), job: pick }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("retry"), job: pick }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("stage"),
      task: pick,
      stage: fc.constantFrom(...STAGES, "done"),
      cancelJobs: fc.constantFrom(false, false, true),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("cancel"), task: pick }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("rework"), task: pick }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant("time"), ms: fc.constantFrom(1_000, 6_000, 70_000) }),
  },
  // Another program writes to the same rows.
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("sql stage"),
      task: pick,
      stage: fc.constantFrom(...STAGES, "cancelled"),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("sql pause"), task: pick }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("sql resume"), task: pick }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("sql thaw"), repo }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("sql forget freezes"), repo }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("sql depend"), task: pick, on: pick }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("sql depend no more"), task: pick }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("sql delete task"), task: pick }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("sql delete job"), job: pick }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("sql job status"),
      job: pick,
      status: fc.constantFrom("queued", "done", "cancelled"),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("sql task with job"), repo }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("sql move task"), task: pick, repo }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("sql freeze"), repo }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("sql entry job without task"), repo }) },
);
export type Command = typeof command extends fc.Arbitrary<infer Each> ? Each : never;

export const policies = fc.record({
  enabled: fc.constantFrom(true, true, true, false),
  repos: fc.constantFrom(null, null, ["acme/web"], ["acme/web", "acme/api"]),
  freeze: fc.constantFrom(true, true, true, false),
  pause: fc.constantFrom(true, true, true, false),
  dependencies: fc.constantFrom(true, true, true, false),
  entryAgent: fc.constant(POLICY.entryAgent),
  strictLanes: fc.boolean(),
});
