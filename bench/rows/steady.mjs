/** The steady state: every lane has tasks that wait, and each completion makes the next job of its lane ready. Over HTTP beside a
 *  route that does nothing, and in pages of SQLite's log. */

import { atLeast, atMost, count } from "../figures.mjs";
import { openGate, together } from "../gates.mjs";
import { repeat, requestOf } from "../load.mjs";
import { claimsAndCompletions } from "../pages.mjs";
import { start } from "../processes.mjs";
import { AUTHORIZED, comparison, jobIn, ok, pairs, startService } from "./http.mjs";

const CONNECTIONS = 50;

const sizeOf = ({ lanes, jobs }) => `${count(lanes)} lanes × ${count(jobs / lanes)} waiting`;

export const rows = ({ steady }) => [
  {
    id: "steady-pairs-50",
    figure: `claim + complete with stage over HTTP, ${sizeOf(steady)} ÷ two no-op POSTs, ${CONNECTIONS} connections`,
    reach: atLeast(0.3),
  },
  {
    id: "steady-claiming-50",
    figure: `complete with stage and claim in one call, ${sizeOf(steady)} ÷ a no-op POST, ${CONNECTIONS} connections`,
    reach: atLeast(0.3),
  },
  {
    id: "pages-claim",
    figure: `pages of the log for 100 claims, ${sizeOf(steady)}`,
    reach: { sqlite: atMost(44) },
  },
  {
    id: "pages-complete",
    figure: `pages of the log for 100 completions with stage, ${sizeOf(steady)}`,
    reach: { sqlite: atMost(170) },
  },
  {
    id: "bytes-left",
    figure: "bytes that a finished task with one job leaves behind",
    reach: atMost(500),
  },
];

const STAGE = { stage: "done" };

/** Finished tasks that are created and worked on at once. */
const AT_ONCE = 100;

/** Measures the bytes that a finished task leaves in the database: its row, its job, their events, and the indexes of all. */
const leftByTasks = async (databases, tasks) => {
  const url = await databases.filled("finished");
  const connection = await databases.connect(url);
  const size = async () => {
    await connection.compact();
    return Number((await connection.column(databases.bytes))[0]);
  };
  const before = await size();
  const { gate, close } = await openGate(url);
  for (let done = 0; done < tasks; done += AT_ONCE) {
    await together(AT_ONCE, (index) =>
      gate.createTask("bench", {
        repo: `acme/service-${index}`,
        work_item_id: `WORK-${done + index}`,
        title: "Fix the build",
        stage: "analysis",
      }),
    );
    const { jobs } = await gate.claim("bench", { max: AT_ONCE, wait_ms: 0, worker: "bench" });
    await together(AT_ONCE, (index) =>
      gate.complete("bench", jobs[index].id, { lease_token: jobs[index].lease.token, ...STAGE }),
    );
  }
  await close();
  const after = await size();
  await connection.close();
  return (after - before) / tasks;
};

/** Callers that claim once, and from then on complete and claim in one call. None leaves a job that it claimed. */
const claiming = (url) => {
  const body = { worker: "bench" };
  const claim = requestOf(url, { path: "/jobs/claim", body, headers: AUTHORIZED });
  return (isOver) => {
    let isLast = false;
    return (answer) => {
      if (!answer) return claim;
      if (isLast) {
        ok(answer);
        return undefined;
      }
      const { id, lease } = jobIn(answer);
      isLast = isOver();
      const completion = { lease_token: lease.token, ...STAGE, ...(isLast ? {} : { claim: body }) };
      return requestOf(url, { path: `/jobs/${id}/complete`, body: completion, headers: AUTHORIZED });
    };
  };
};

export async function* measure({ databases, sizes, rounds, wants, logs }) {
  if (wants("steady-pairs-50") || wants("steady-claiming-50")) {
    const service = await startService(await databases.filled("steady"), logs);
    const noop = await start("noop", { logs });
    const nothing = [noop.url, repeat(requestOf(noop.url, { path: "/", body: { worker: "bench" } }), ok)];
    const compare = (ofService, ofBoth) =>
      comparison({ sizes, rounds, connections: CONNECTIONS }, [service.url, ofService], nothing, ofBoth);
    if (wants("steady-pairs-50"))
      yield { id: "steady-pairs-50", ...(await compare(pairs(service.url, STAGE), 2)) };
    if (wants("steady-claiming-50"))
      yield { id: "steady-claiming-50", ...(await compare(claiming(service.url), 1)) };
    await noop.stop();
    await service.stop();
  }
  if (wants("bytes-left"))
    yield {
      id: "bytes-left",
      samples: [await leftByTasks(databases, sizes.finished.tasks)],
      unit: " bytes",
      note: `the mean of ${count(sizes.finished.tasks)} tasks in ${AT_ONCE} repos`,
    };
  if (!wants("pages-claim") && !wants("pages-complete")) return;
  const url = await databases.filled("pages");
  const { gate, close } = await openGate(url);
  const pages = await claimsAndCompletions(gate, url.slice("file:".length), sizes.steady.lanes);
  await close();
  const note = "the mean of a second pass over the lanes; test/pages.test.ts counts the same";
  if (wants("pages-claim")) yield { id: "pages-claim", samples: [pages.claims], note };
  if (wants("pages-complete")) yield { id: "pages-complete", samples: [pages.completions], note };
}
