/** The settings that every test starts from. */

import type { Policy } from "../../src/gate/rule/policy.ts";

export const POLICY: Policy = {
  enabled: true,
  repos: null,
  freeze: true,
  pause: true,
  dependencies: true,
  entryAgent: "analyst",
  strictLanes: false,
};

/** Times in milliseconds. */
export const DEFAULTS = { leaseMs: 60_000, maxAttempts: 2, retryMs: 5_000, retryMaxMs: 300_000 };
