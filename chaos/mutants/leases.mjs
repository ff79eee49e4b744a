/** Planted bugs of leases, attempts and callers. */

export const LEASE_BUGS = [
  {
    name: "a token that is not checked",
    file: "src/gate/commands/lease.ts",
    edits: [["j.status = 'running' AND j.lease_token = asked.value ->> 'token'", "j.status = 'running'"]],
    test: "test/http/routes/lease.test.ts",
  },
  {
    name: "a reaper that does not look at the lease's end",
    file: "src/gate/commands/due.ts",
    edits: [["AND ${isExpired} AND j.lease_token IS NOT NULL", "AND j.lease_token IS NOT NULL"]],
    chaos: ["--only", "timer", "--kills", "24"],
  },
  {
    name: "a lease token that is used again after a restart",
    file: "src/gate/gate.ts",
    edits: [["newToken: leaseTokens()", "newToken: ((drawn) => () => `token-${(drawn += 1)}`)(0)"]],
    chaos: ["--only", "timer", "--kills", "24"],
  },
  {
    name: "a retry without limit",
    file: "src/gate/commands/lease.ts",
    edits: [["if (failure.retry && job.attempts < job.max_attempts) {", "if (failure.retry) {"]],
    test: "test/http/routes/lease.test.ts",
  },
  {
    name: "base.stale that is never told",
    file: "src/gate/commands/claim.ts",
    edits: [["base: { stale: overtakers.length > 0,", "base: { stale: false,"]],
    test: "test/http/routes/lease.test.ts",
  },
  {
    name: "a token's repositories not checked in one read",
    file: "src/gate/gate.ts",
    edits: [["      yield* refuseUnseen(reach, { task: id });\n", ""]],
    fuzz: ["--requests", "4000"],
  },
  {
    name: "the limit of a body ignored",
    file: "src/http/app.ts",
    edits: [["    bodyLimit: budgets.body,", "    bodyLimit: 64 * budgets.body,"]],
    fuzz: ["--requests", "4000"],
  },
];
