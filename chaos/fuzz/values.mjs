/** Values for a schema: valid ones, such as callers send; nearly valid ones, with one fault; and hostile ones. */

export const REPOS = ["fuzz/alpha", "fuzz/beta", "fuzz/gamma-1", "other/delta", "other/epsilon"];
const STAGES = ["analysis", "development", "review", "testing", "done", "cancelled"];
const AGENTS = ["analyst", "developer", "tester", "deploy"];

const TEXTS = [
  "",
  " ",
  "a",
  "<script>alert(1)</script>",
  "<img src=x onerror=alert(1)>",
  "\u0000",
  "a\u0000b",
  "\ud800",
  "\udfff\ud800",
  "\u202eevil",
  "\u200b",
  "e\u0301",
  "𝄞𝄞",
  "\r\nX-Injected: 1",
  "'; DROP TABLE jobs; --",
  "../../../etc/passwd",
  "${jndi:ldap://127.0.0.1}",
  "%00%0d%0a",
  "null",
  "NaN",
  "__proto__",
  "constructor",
  "fuzz/Alpha",
  "FUZZ/alpha.git",
  " FUZZ/alpha",
  "Fuzz/alpha/",
  "-rf",
  "9".repeat(400),
  "x".repeat(199),
  "x".repeat(200),
  "x".repeat(201),
  "ä".repeat(4_000),
  "y".repeat(25_000),
];
const NUMBERS = [
  0,
  -1,
  1,
  2,
  100,
  101,
  500,
  501,
  999,
  1_000,
  1_001,
  60_001,
  86_400_000,
  86_400_001,
  2 ** 31,
  2 ** 53 - 1,
  1.5,
  1e-7,
  -0,
];
const OTHERS = [
  null,
  true,
  false,
  [],
  {},
  [[]],
  [null],
  { a: 1 },
  "1",
  1,
  ["x"],
  { toString: 1 },
  { length: 3 },
];
const TIMES = [
  "2026-11-25T10:00:00Z",
  "2026-11-25T10:00:00.000+05:30",
  "9999-12-31T23:59:59Z",
  "0001-01-01T00:00:00Z",
  "2026-02-30T00:00:00Z",
  "0000-01-01T00:00:00Z",
  "10000-01-01T00:00:00Z",
  "2026-11-25 10:00:00",
  "now",
  "2026-11-25T25:00:00Z",
];

export const valuesFrom = (random, known, resolve) => {
  const { oneOf, chance, between } = random;
  const text = () => (chance(60) ? oneOf(["fine", "a question", "ünïcødé", "x"]) : oneOf(TEXTS));
  const json = (depth = 3) => {
    if (depth === 0 || chance(50)) return oneOf([1, "x", null, true, 3.25, "ü", -7]);
    return chance(50)
      ? Array.from({ length: between(0, 3) }, () => json(depth - 1))
      : Object.fromEntries(Array.from({ length: between(0, 3) }, (_, n) => [`k${n}`, json(depth - 1)]));
  };
  const workItem = () =>
    chance(80) && known.workItems.length > 0 ? oneOf(known.workItems) : `F-${between(1, 300)}`;
  const instant = () => new Date(Date.now() + between(-5_000, 60_000)).toISOString();

  /** Values that mean something, by their name. */
  const NAMED = {
    repo: () => oneOf(REPOS),
    work_item_id: workItem,
    work_item: workItem,
    lease_token: () => oneOf(known.leases)?.token ?? "0123",
    stage: () => oneOf(STAGES),
    agent: () => oneOf(AGENTS),
    agents: () => [oneOf(AGENTS)],
    repos: () => [oneOf(REPOS)],
    wait_ms: () => between(0, 20),
    lease_ms: () => oneOf([1_000, 60_000, 600_000]),
    max: () => between(1, 5),
    limit: () => between(1, 50),
    run_after: instant,
    until: instant,
    cursor: () => String(between(0, 300)),
    after: () => between(0, 400),
    retry_after_ms: () => between(0, 3_000),
    task_id: () => oneOf(known.tasks) ?? 1,
    reason: text,
    error: text,
    title: text,
    progress: text,
    answer: text,
    by: () => oneOf(["alice", "ops"]),
    payload: json,
    result: json,
    force: () => chance(30),
    all: () => chance(20),
    cancel_jobs: () => chance(20),
    dry_run: () => chance(30),
  };

  const valid = (given, name) => {
    const schema = resolve(given);
    if (NAMED[name]) return NAMED[name]();
    if (schema === undefined) return json();
    if (schema.const !== undefined) return schema.const;
    if (schema.enum) return oneOf(schema.enum);
    const choice = schema.anyOf ?? schema.oneOf;
    if (choice && schema.properties === undefined) return valid(oneOf(choice));
    switch (Array.isArray(schema.type) ? oneOf(schema.type) : schema.type) {
      case "object": {
        const members = Object.entries(schema.properties ?? {}).filter(
          ([key]) => schema.required?.includes(key) || chance(35),
        );
        return Object.fromEntries(members.map(([key, member]) => [key, valid(member, key)]));
      }
      case "array":
        return Array.from({ length: between(schema.minItems ?? 0, Math.min(schema.maxItems ?? 3, 3)) }, () =>
          valid(schema.items, name === "depends_on" ? "work_item" : undefined),
        );
      case "integer":
      case "number":
        return between(schema.minimum ?? 0, Math.min(schema.maximum ?? 1_000, 1_000));
      case "boolean":
        return chance(50);
      case "null":
        return null;
      case "string":
        return schema.format === "date-time"
          ? instant()
          : schema.pattern === "^\\d{1,16}$"
            ? String(between(0, 99))
            : text();
      default:
        return json();
    }
  };

  const odd = () => {
    const kind = random.pick({ text: 40, number: 25, other: 25, time: 10 });
    return oneOf({ text: TEXTS, number: NUMBERS, other: OTHERS, time: TIMES }[kind]);
  };

  /** Puts one fault into a value, at any depth. */
  const spoiled = (value) => {
    if (typeof value !== "object" || value === null || chance(15)) return odd();
    if (Array.isArray(value)) {
      if (value.length === 0 || chance(30))
        return chance(50)
          ? [...value, odd()]
          : Array.from({ length: oneOf([101, 1_001]) }, () => value[0] ?? "x");
      const at = between(0, value.length - 1);
      return value.map((each, index) => (index === at ? spoiled(each) : each));
    }
    const keys = Object.keys(value);
    const at = oneOf(keys);
    switch (random.pick({ unknown: 20, drop: 20, rename: 10, spoil: 50 })) {
      case "unknown":
        return {
          ...value,
          [oneOf(["x", "__proto__x", "constructor", "toString", "Repo", "lease-token", ""])]: odd(),
        };
      case "drop":
        return Object.fromEntries(Object.entries(value).filter(([key]) => key !== at));
      case "rename":
        return at === undefined ? value : { ...value, [at.toUpperCase()]: value[at] };
      default:
        return at === undefined ? odd() : { ...value, [at]: spoiled(value[at]) };
    }
  };
  return { valid, spoiled, odd, text: () => oneOf(TEXTS) };
};
