import { expect, it } from "vitest";
import { startService } from "../../support/service.ts";

/** The value of a sample, by its name and labels as they are written. */
const valueIn = (text: string, sample: string): number | undefined => {
  const line = text.split("\n").find((each) => each.startsWith(`${sample} `));
  return line === undefined ? undefined : Number(line.slice(sample.length + 1));
};

it("counts requests and jobs, and shows the current state", async () => {
  const {
    service: { url },
    post,
  } = await startService();
  const read = async (): Promise<string> => {
    const response = await fetch(`${url}/metrics`);
    expect(response.headers.get("content-type")).toMatch(/^text\/plain; version=0\.0\.4/);
    return await response.text();
  };
  await post("/tasks", { repo: "acme/web", work_item_id: "WEB-1" });
  await post("/tasks", { repo: "acme/web", work_item_id: "WEB-2" });
  await post("/tasks", { repo: "acme/api", work_item_id: "API-1", entry_job: false });
  await post("/serial-gate/pause?work_item=API-1");
  await post("/tasks", { repo: "acme/lib", work_item_id: "LIB-1", depends_on: ["API-1"] });
  await post("/freeze?repo=acme/cold");
  await post("/jobs/claim", {});
  await post("/jobs/claim", {});
  await post("/serial-gate/pause?work_item=NONE");

  /** A busy service shows how it was a moment ago. */
  const readWith = async (sample: string, value: number): Promise<string> => {
    let text = "";
    await expect.poll(async () => valueIn((text = await read()), sample)).toBe(value);
    return text;
  };
  const text = await readWith("serial_gate_frozen_lanes", 1);
  for (const [sample, value] of [
    ['serial_gate_claims_total{outcome="granted"}', 1],
    ['serial_gate_claims_total{outcome="empty"}', 1],
    ["serial_gate_jobs_claimed_total", 1],
    ['serial_gate_problems_total{code="unknown_work_item"}', 1],
    ['serial_gate_jobs{status="queued"}', 2],
    ['serial_gate_jobs{status="running"}', 1],
    ['serial_gate_waiting_jobs{reason="active-task"}', 1],
    ['serial_gate_waiting_jobs{reason="dependency"}', 1],
    ['serial_gate_waiting_jobs{reason="none"}', 0],
    ["serial_gate_frozen_lanes", 1],
    ["serial_gate_paused_tasks", 1],
    ["serial_gate_stuck_tasks", 1],
    ["serial_gate_degraded", 0],
    ["serial_gate_unreadable_times", 0],
    ["serial_gate_ready_flags_wrong", 0],
    ["serial_gate_ready_flags_repaired", 0],
    ['serial_gate_http_request_duration_seconds_count{method="POST",route="/jobs/claim",status="200"}', 2],
  ] as const)
    expect([sample, valueIn(text, sample)]).toEqual([sample, value]);
  expect(text).toContain("nodejs_eventloop_lag_seconds");

  await post("/unfreeze?repo=acme/cold");
  await post("/serial-gate/resume?work_item=API-1");
  const later = await readWith("serial_gate_frozen_lanes", 0);
  // The task that was paused has no job: only the orchestrator can move it on.
  expect(valueIn(later, "serial_gate_stuck_tasks")).toBe(1);
});

it("has no label for an unknown path", async () => {
  const { url } = (await startService()).service;
  await fetch(`${url}/no/such/route`);
  const text = await (await fetch(`${url}/metrics`)).text();
  expect(text).not.toContain("/no/such/route");
  expect(text).toContain('route="none",status="404"');
});

it("refuses metrics without a token when there are tokens", async () => {
  const { service } = await startService({ SERIAL_GATE_TOKENS: "monitor:0123456789abcdef" });
  const { url } = service;
  expect((await fetch(`${url}/metrics`)).status).toBe(401);
  const authorization = "Bearer 0123456789abcdef";
  expect((await fetch(`${url}/metrics`, { headers: { authorization } })).status).toBe(200);
});
