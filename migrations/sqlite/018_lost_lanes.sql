-- Finds the tasks that lost their lane by a pause, finished ones too: a job that such a task left behind waits for the
-- holder of the lane. The 2 is LANE_STATE.lost.
CREATE INDEX IF NOT EXISTS gate_tasks_lost ON tasks(repo, paused_at, id) WHERE lane_state = 2;
