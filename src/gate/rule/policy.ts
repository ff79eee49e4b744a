/** Which parts of the gate are on, and for which repositories. */

import { GateError } from "../../contract/errors.ts";
import type { LeaseClock } from "../lease-clock.ts";

export interface Policy {
  /** The kill switch of the freeze and the lanes (SERIAL_GATE_ENABLED). */
  readonly enabled: boolean;
  /** The repositories that the freeze and the lanes apply to; null for all. Never empty. */
  readonly repos: readonly string[] | null;
  readonly freeze: boolean;
  readonly pause: boolean;
  readonly dependencies: boolean;
  /** One task of a repository makes progress at a time, whatever is paused and resumed (SERIAL_GATE_STRICT_LANES). Off,
   *  every decision is the orchestrator's own. */
  readonly strictLanes: boolean;
  /** The agent whose jobs are entry jobs. */
  readonly entryAgent: string;
}

/** The values for callers that name none. All times in milliseconds. */
export interface Defaults {
  readonly leaseMs: number;
  readonly maxAttempts: number;
  readonly retryMs: number;
  readonly retryMaxMs: number;
}

/** All that an operation needs beside its input. */
export interface Rules {
  readonly policy: Policy;
  readonly defaults: Defaults;
  /** The repositories of SERIAL_GATE_PROJECTS. */
  readonly projects: readonly string[];
  /** A fresh lease token: 128 random bits. */
  readonly newToken: () => string;
  /** A number in [0, 1), for jitter. */
  readonly random: () => number;
  readonly leaseClock: LeaseClock;
}

/** A name that a caller without a token says is its own. Nobody checked it. */
export interface ClaimedName {
  readonly claimed: string;
}

/** The author of a change: the name of the caller's token, a claimed name, or null for a caller without either. */
export type Actor = string | ClaimedName | null;

/** The name of an author, as it is stored and shown. */
export const nameOf = (actor: Actor): string | null =>
  typeof actor === "object" && actor !== null ? actor.claimed : actor;

/** The name under which the gate's own changes are recorded: leases given back, pauses that ran out. */
export const GATE_ACTOR = "serial-gate";

/** How a recorded name is known: by the caller's token, or only from the caller; null for no name and for the gate's. */
export const sourceOf = (actor: Actor): "token" | "claimed" | null => {
  if (actor === null || actor === GATE_ACTOR) return null;
  return typeof actor === "string" ? "token" : "claimed";
};

/** The recorded name: the token's name, or the name that is sent where the service asks for no token.
 *  @throws GateError invalid_request for a name beside a token's, and for the gate's own */
export const whoActs = (actor: Actor, by: string | undefined): Actor => {
  if (by === GATE_ACTOR)
    throw new GateError("invalid_request", `${by} is the gate's own name: nobody acts under it.`, {
      faults: [{ in: "body", pointer: "/by", detail: "must be the name of a person or a program" }],
    });
  if (by === undefined || by === actor) return actor;
  if (typeof actor !== "string") return { claimed: by };
  throw new GateError("invalid_request", `The caller's token is ${actor}'s: that is who is recorded.`, {
    faults: [{ in: "body", pointer: "/by", detail: "must be left out, or be the token's name" }],
  });
};
