-- The text of a lane in GET /queue is kept while the lane's revision stays (docs/adr/0036).

-- 1 once a job of the lane had its task in another lane, or a task of the lane a job in another one: such a lane shows rows
-- that do not move its revision, and its text is not kept. Triggers set it (src/store/triggers/mixed-lanes.ts).
ALTER TABLE gate_lanes ADD COLUMN mixed INTEGER NOT NULL DEFAULT 0;

-- Counts the changes of all lanes: it has no rows, and the highest id that it drew is the count. A trigger moves it with a
-- lane's revision (src/store/triggers/queue-changes.ts).
CREATE TABLE IF NOT EXISTS gate_changes (
  id INTEGER PRIMARY KEY AUTOINCREMENT
);

-- SQLite keeps the highest id from the first row on.
INSERT INTO gate_changes(id) SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'gate_changes');

DELETE FROM gate_changes;
