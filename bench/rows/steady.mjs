/** The steady state: every lane has tasks that wait, and each completion makes the next job of its lane ready. Over HTTP beside a
 *  route that does nothing, and in pages of SQLite's log. */

import { atLeast, atMost, count } from "../figures.mjs";
import { openGate } from "../gates.mjs";
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
];

const STAGE = { stage: "done" };

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
  if (!wants("pages-claim") && !wants("pages-complete")) return;
  const url = await databases.filled("pages");
  const { gate, close } = await openGate(url);
  const pages = await claimsAndCompletions(gate, url.slice("file:".length), sizes.steady.lanes);
  await close();
  const note = "the mean of a second pass over the lanes; test/pages.test.ts counts the same";
  if (wants("pages-claim")) yield { id: "pages-claim", samples: [pages.claims], note };
  if (wants("pages-complete")) yield { id: "pages-complete", samples: [pages.completions], note };
}
