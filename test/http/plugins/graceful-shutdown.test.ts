import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { expect, it, onTestFinished } from "vitest";
import type { Claim } from "../../../src/contract/jobs.ts";
import { sleep, timed } from "../../support/calls.ts";
import { startService, type TestService } from "../../support/service.ts";

/** Far below the minute and more that an idle connection may stay. */
const AT_ONCE_MS = 5_000;

/** How long those have who are being answered: less than the ten seconds that containers are given to stop. */
const GRACE_MS = 8_000;

const connectTo = async ({ service }: TestService): Promise<Socket> => {
  const { hostname, port } = new URL(service.url);
  const socket = connect(Number(port), hostname);
  onTestFinished(() => {
    socket.destroy();
  });
  await once(socket, "connect");
  return socket;
};

it("a closing service answers waiting claims and does not wait for their connections", async () => {
  const serving = await startService();
  const waiting = serving.post<Claim>("/jobs/claim", { wait_ms: 60_000 });
  await sleep(200);
  const { ms } = await timed(serving.service.close());
  expect(ms).toBeLessThan(AT_ONCE_MS);
  const { status, headers, body } = await waiting;
  expect(status).toBe(200);
  expect(body).toEqual({ jobs: [], degraded: false });
  expect(headers.get("connection")).toBe("close");
});

it("a closing service does not wait for a connection without a request", async () => {
  const serving = await startService();
  const socket = await connectTo(serving);
  const cut = once(socket, "close");
  const { ms } = await timed(serving.service.close());
  expect(ms).toBeLessThan(AT_ONCE_MS);
  await cut;
});

it("a closing service does not wait for an unfinished request", { timeout: 30_000 }, async () => {
  const serving = await startService();
  const socket = await connectTo(serving);
  socket.on("error", () => undefined); // It may be reset.
  const cut = once(socket, "close");
  socket.write(
    "POST /jobs/claim HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{",
  );
  await sleep(200);
  const { ms } = await timed(serving.service.close());
  expect(ms).toBeLessThan(GRACE_MS + AT_ONCE_MS);
  await cut;
});
