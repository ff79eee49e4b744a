/** Which parts of the gate are on, and for which repositories. */

export interface Policy {
  /** The kill switch of the freeze and the lanes (SERIAL_GATE_ENABLED). */
  readonly enabled: boolean;
  /** The repositories that the freeze and the lanes apply to; null for all. Never empty. */
  readonly repos: readonly string[] | null;
  readonly freeze: boolean;
  readonly pause: boolean;
  readonly dependencies: boolean;
  /** The agent whose jobs are entry jobs. */
  readonly entryAgent: string;
}

/** What the gate gives when a caller names nothing else. All times in milliseconds. */
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
  /** A fresh lease token: 128 random bits. */
  readonly newToken: () => string;
  /** A number in [0, 1), for jitter. */
  readonly random: () => number;
}

/** Who calls: the name of the token, or null when the service asks for none. */
export type Actor = string | null;
