/** Ways to die that every database knows. Each is a function of a life that starts its service; when it returns, the service is
 *  dead or is killed. */

import { setTimeout as sleep } from "node:timers/promises";

const STOP_MS = 15_000;

/** A random moment of use. */
const timer = async (life) => {
  life.start();
  if (await life.ready()) await sleep(life.random.between(50, 900));
};

/** A random moment of the start, of which the migration is a part on an empty database. */
const starting = async (life) => {
  life.start();
  await Promise.race([sleep(life.random.between(100, 2_500)), life.service.ended]);
};

const MOMENTS = {
  begin: 40,
  statement: 600,
  savepoint: 60,
  "before-commit": 30,
  "after-commit": 30,
  "before-reply": 60,
  "after-reply": 60,
};
const ON_POSTGRES = { ...MOMENTS, "in-commit": 30, statement: 900 };

/** A named moment (failpoints.mjs), some time after the start. */
const failpoint = async (life) => {
  const moments = life.database.kind === "postgres" ? ON_POSTGRES : MOMENTS;
  const name = life.moment ?? life.random.oneOf(Object.keys(moments));
  life.now += ` ${name}`;
  life.start({ failpoint: `${name}@${life.random.between(1, moments[name])}` });
  await life.ready();
  await Promise.race([sleep(3_000), life.service.ended]);
};

/** A statement of the start: on an empty database one of the migration. */
const migrating = async (life) => {
  life.start({ failpoint: `statement@${life.random.between(1, 400)}` });
  await life.ready();
};

/** Told to stop: it answers what is under way, and ends by itself. */
const stop = async (life) => {
  life.start();
  if (!(await life.ready())) return {};
  await sleep(life.random.between(50, 500));
  life.town.stopping = true;
  const end = await Promise.race([life.service.kill("SIGTERM"), sleep(STOP_MS)]);
  if (!end) life.wrong([`the service did not end within ${STOP_MS / 1_000} s of SIGTERM`]);
  else if (end.code !== 0) life.wrong([`the service ended with ${JSON.stringify(end)} after SIGTERM`]);
  return { isExit: true };
};

const named = (name, run) => ({ name, run });

export const KILLS = {
  timer: named("at a random moment", timer),
  starting: named("while it starts", starting),
  failpoint: named("at a failpoint", failpoint),
  migrating: named("at a statement of the start or migration", migrating),
  stop: named("stopped by SIGTERM", stop),
};
export const KILL_SHARES = { timer: 45, starting: 10, failpoint: 35, migrating: 4, stop: 4 };
