/** What operations of the gate cost in one process: claims beside claims at another depth or with the gate switched
 *  off, and the rest beside a claim. */

import { freeLane, headOf, heldLane } from "../backlog.mjs";
import { atLeast, atMost, count, micros, millis, none } from "../figures.mjs";
import { OFF, openGate } from "../gates.mjs";
import { inTurn, ratios, summary } from "../rounds.mjs";

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
    figure: `claim at ${count(deep.jobs)} ÷ the same with the gate switched off`,
    reach: { sqlite: atMost(1.25), postgres: atMost(1.1) },
  },
  { id: "claim-walk", figure: `claim that walks past ${count(deep.jobs)} held jobs: no marks`, reach: none },
  { id: "enqueue", figure: "enqueue ÷ claim", reach: atMost(2) },
  { id: "pause", figure: "pause ÷ claim", reach: atMost(2) },
  { id: "freeze", figure: "freeze ÷ claim", reach: atMost(2) },
  { id: "complete", figure: "complete with stage ÷ claim", reach: atMost(2.2) },
  {
    id: "group-commit",
    figure: "claims of 100 callers in a group commit ÷ a commit per claim",
    reach: { sqlite: atLeast(10) },
  },
];

/** Operations that are asked for in one turn. */
const IN_TURN = 100;

export async function* measure({ databases, sizes, rounds, wants }) {
  const open = async (name, options) =>
    openGate(await databases.filled(name), { inTurn: IN_TURN, ...options });

  /** One over another, in slices of a round, so that both have the same of a noisy machine. */
  const sideBySide = async (over, under) => {
    const slices = async () => {
      const [overs, unders] = await inTurn(sizes.slices, [over, under]);
      return [overs, unders].map((each) => each.reduce((sum, ms) => sum + ms, 0) / sizes.slices / IN_TURN);
    };
    const samples = [];
    for (let round = 0; round < rounds; round += 1) samples.push(await slices());
    const [a, b] = [0, 1].map((side) => samples.map((sample) => sample[side]));
    return {
      samples: ratios(a, b),
      note: `${micros(summary(a).median)} ÷ ${micros(summary(b).median)}`,
    };
  };

  const deep = await open("deep");
  if (wants("claim-depth") || wants("nothing-depth")) {
    const shallow = await open("shallow");
    if (wants("claim-depth")) yield { id: "claim-depth", ...(await sideBySide(deep.claims, shallow.claims)) };
    if (wants("nothing-depth"))
      yield { id: "nothing-depth", ...(await sideBySide(deep.claimsOfNothing, shallow.claimsOfNothing)) };
    await shallow.close();
  }
  if (wants("claim-gate-off")) {
    const off = await open("off", { policy: OFF });
    yield { id: "claim-gate-off", ...(await sideBySide(deep.claims, off.claims)) };
    await off.close();
  }
  if (wants("claim-walk")) {
    const walking = await open("deep", { adopt: false, inTurn: 1 });
    const [samples] = await inTurn(rounds, [walking.claims]);
    yield { id: "claim-walk", samples, unit: " ms", note: `one claim, ${millis(summary(samples).median)}` };
    await walking.close();
  }
  const lane = (turn, index) => (turn * IN_TURN + index) % sizes.deep.lanes;
  let turn = 0;
  const others = {
    enqueue: () => deep.enqueues({ repo: freeLane(0), work_item_id: headOf(0) }),
    pause: () => {
      turn += 1;
      return deep.pauses((index) => ({
        work_item: headOf(lane(turn, index)),
        repo: heldLane(lane(turn, index)),
      }));
    },
    freeze: () => {
      turn += 1;
      return deep.freezes((index) => heldLane(lane(turn, index)));
    },
    complete: deep.completions,
  };
  for (const [id, operation] of Object.entries(others))
    if (wants(id)) yield { id, ...(await sideBySide(operation, deep.claims)) };
  if (wants("group-commit"))
    yield { id: "group-commit", ...(await sideBySide(deep.claimsOneByOne, deep.claims)) };
  await deep.close();
}
