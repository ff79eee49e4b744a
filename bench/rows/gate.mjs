/** The cost of gate operations in one process: claims beside claims at another depth or with the gate switched
 *  off, and the rest beside a claim. */

import { freeLane, headOf, heldLane } from "../backlog.mjs";
import { atLeast, atMost, count, micros } from "../figures.mjs";
import { OFF, oneByOne, openGate, operationsOn, together } from "../gates.mjs";
import { goOn, inTurn, meansOf, ratios, summary } from "../rounds.mjs";

export const rows = ({ deep, shallow }) => [
  {
    id: "claim-depth",
    figure: `claim at ${count(deep.jobs)} held jobs in ${count(deep.lanes)} repos ÷ at ${count(shallow.jobs)}`,
    reach: atMost(1.1),
  },
  {
    id: "nothing-depth",
    figure: `claim with nothing to give at ${count(deep.jobs)} held jobs ÷ at ${count(shallow.jobs)}`,
    reach: atMost(1.1),
  },
  {
    id: "claim-gate-off",
    figure: `claim at ${count(deep.jobs)} held jobs ÷ at ${count(shallow.jobs)} with the gate switched off`,
    reach: { sqlite: atMost(1.25), postgres: atMost(1.1) },
  },
  { id: "enqueue", figure: "enqueue ÷ claim", reach: atMost(2) },
  { id: "pause", figure: "pause ÷ claim", reach: atMost(2) },
  { id: "freeze", figure: "freeze ÷ claim", reach: atMost(2) },
  { id: "complete", figure: "complete with stage ÷ claim", reach: atMost(2.2) },
  {
    id: "group-commit",
    figure: "claims of 100 callers in a group commit ÷ a commit per claim",
    reach: { sqlite: atLeast(8) },
  },
];

/** Claims that are asked for in one turn. */
const IN_TURN = 100;

/** Calls of one caller that make a slice. */
const ALONE = 10;

/** How the operations and the claim beside them are called. On SQLite all that is asked for in one turn shares a commit;
 *  on PostgreSQL only some calls do, and a claim that is served with a hundred others is no measure for a call that
 *  has a transaction to itself. So there each side is one caller. */
const CALLS = { SQLite: [together, IN_TURN], PostgreSQL: [oneByOne, ALONE] };

export async function* measure({ databases, sizes, rounds, wants }) {
  const open = async (name, options) => openGate(await databases.filled(name), options);
  const ofMany = (opened) => operationsOn(opened, together, IN_TURN);
  const warm = (operation) => () => goOn(sizes.warmGateMs, operation);

  /** One over another, each in slices of a round, so that both have the same of a noisy machine. */
  const sideBySide = async (over, under) => {
    const sides = await inTurn(rounds * sizes.slices, [over, under], [warm(over), warm(under)]);
    const [a, b] = sides.map((slices) => meansOf(slices, sizes.slices));
    return {
      samples: ratios(a, b),
      note: `${micros(summary(a).median)} ÷ ${micros(summary(b).median)}`,
    };
  };

  // At once: PostgreSQL fills a database with one core.
  const wanted = {
    deep: true,
    shallow: wants("claim-depth") || wants("nothing-depth"),
    off: wants("claim-gate-off"),
  };
  await Promise.all(
    Object.keys(wanted)
      .filter((name) => wanted[name])
      .map(databases.filled),
  );
  const deep = await open("deep");
  const deepOfMany = ofMany(deep);
  if (wanted.shallow) {
    const shallow = await open("shallow");
    const shallowOfMany = ofMany(shallow);
    if (wants("claim-depth"))
      yield { id: "claim-depth", ...(await sideBySide(deepOfMany.claims, shallowOfMany.claims)) };
    if (wants("nothing-depth"))
      yield {
        id: "nothing-depth",
        ...(await sideBySide(deepOfMany.claimsOfNothing, shallowOfMany.claimsOfNothing)),
      };
    await shallow.close();
  }
  if (wanted.off) {
    const off = await open("off", { policy: OFF });
    yield { id: "claim-gate-off", ...(await sideBySide(deepOfMany.claims, ofMany(off).claims)) };
    await off.close();
  }
  const [calls, times] = CALLS[databases.kind];
  const { claims, enqueues, pauses, freezes, completions } = operationsOn(deep, calls, times);
  const lane = (turn, index) => (turn * times + index) % sizes.deep.lanes;
  let turn = 0;
  const operations = {
    enqueue: () => enqueues({ repo: freeLane(0), work_item_id: headOf(0) }),
    pause: () => {
      turn += 1;
      return pauses((index) => ({
        work_item: headOf(lane(turn, index)),
        repo: heldLane(lane(turn, index)),
      }));
    },
    freeze: () => {
      turn += 1;
      return freezes((index) => heldLane(lane(turn, index)));
    },
    complete: completions,
  };
  for (const [id, operation] of Object.entries(operations))
    if (wants(id)) {
      const { note, ...measured } = await sideBySide(operation, claims);
      yield { id, ...measured, note: `${note}, ${calls === together ? `${times} at once` : "one caller"}` };
    }
  if (wants("group-commit"))
    yield {
      id: "group-commit",
      ...(await sideBySide(operationsOn(deep, oneByOne, IN_TURN).claims, deepOfMany.claims)),
    };
  await deep.close();
}
