/** The budget of a token for the answers that are kept under its Idempotency-Keys. The oldest are forgotten first; a call under
 *  a key is refused only while all that fills the budget is too young for that. Each node counts what it keeps itself, from
 *  what the database had when it last looked. */

import type { FastifyInstance } from "fastify";
import { isCall } from "../../gate/commands/idempotency.ts";
import type { Gate } from "../../gate/gate.ts";
import { overBudget } from "./caller-budgets.ts";

/** Milliseconds until a token that keeps too much is looked at again. */
const LOOK_AGAIN_MS = 5_000;

/** The part of the budget that is left when the oldest answers are forgotten, so that this is not done for every call. */
const LEFT = 3 / 4;

interface Token {
  bytes: number;
  /** A look at the database that is under way. */
  look: Promise<void> | undefined;
  /** No call under a key is taken before. */
  fullUntil: number;
}

export const useKeptAnswers = (
  app: FastifyInstance,
  gate: Pick<Gate, "trimAnswers">,
  { kept: budget }: { readonly kept: number },
): void => {
  const tokens = new Map<string, Token>();
  const tokenOf = (actor: string): Token => {
    // The bytes are not known before the first look.
    const token = tokens.get(actor) ?? { bytes: Infinity, look: undefined, fullUntil: -Infinity };
    tokens.set(actor, token);
    return token;
  };

  const lookAt = async (token: Token, actor: string): Promise<void> => {
    token.bytes = await gate.trimAnswers(actor, budget * LEFT);
    if (token.bytes >= budget) token.fullUntil = performance.now() + LOOK_AGAIN_MS;
  };

  const admit = async (token: Token, actor: string): Promise<void> => {
    if (performance.now() >= token.fullUntil)
      await (token.look ??= lookAt(token, actor).finally(() => (token.look = undefined)));
    if (token.bytes >= budget)
      throw overBudget(
        actor,
        `${Math.floor(budget / 2 ** 20)} MiB of answers kept under an Idempotency-Key within two minutes`,
        LOOK_AGAIN_MS / 1_000,
      );
  };

  app.addHook("preHandler", (request, _reply, done) => {
    const { caller, actor } = request;
    if (!isCall(caller) || actor === null) {
      done();
      return;
    }
    const token = tokenOf(actor);
    request.caller = { ...caller, keeping: (bytes) => (token.bytes += bytes) };
    if (token.bytes < budget) done();
    else
      admit(token, actor).then(() => {
        done();
      }, done);
  });
};
