-- A verb for a whole lane that is done in steps: one row a lane while it goes on (src/gate/commands/whole-lane/steps.ts).
-- While its phase is 1, tasks that were paused together count as not paused: for a pause those that its steps paused, for a
-- resume all. The other phases evaluate the jobs of the lane. The row says all that a service needs to go on after another
-- ended in the middle.
CREATE TABLE IF NOT EXISTS gate_lane_steps (
  repo TEXT PRIMARY KEY,
  verb TEXT NOT NULL,
  phase BIGINT NOT NULL,
  at TEXT NOT NULL,
  up_to BIGINT NOT NULL,
  next_task BIGINT NOT NULL,
  next_job BIGINT NOT NULL,
  changed BIGINT NOT NULL,
  stepped_ms BIGINT NOT NULL,
  asked TEXT NOT NULL
);
