/** The service as `serial-gate serve` runs it, in a process that tells its vital signs. */

import { monitorEventLoopDelay } from "node:perf_hooks";
import { parseConfig } from "../../dist/config/service.js";
import { serve } from "../../dist/serve.js";

const delay = monitorEventLoopDelay({ resolution: 1 });
const service = await serve(parseConfig(process.env), process.stderr);

const VITALS = {
  cpu: () => process.cpuUsage(),
  memory: () => {
    globalThis.gc?.();
    return process.memoryUsage();
  },
  watchDelay: () => {
    delay.reset();
    delay.enable();
    return true;
  },
  delay: () => {
    delay.disable();
    return { max: delay.max / 1e6, p99: delay.percentile(99) / 1e6 };
  },
};

process.on("message", (what) => process.send({ answer: VITALS[what]() }));
process.on("disconnect", () => void service.close());
process.send({ url: service.url });
