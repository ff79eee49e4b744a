-- The folded name of each lane (src/contract/names/repo-name.ts): lanes with the same one look alike. The program folds,
-- because no database folds every script; a lane that another program made has none until the program sees it.

ALTER TABLE gate_lanes ADD COLUMN folded TEXT;

CREATE INDEX IF NOT EXISTS gate_lanes_folded ON gate_lanes(folded);

CREATE INDEX IF NOT EXISTS gate_lanes_unfolded ON gate_lanes(repo) WHERE folded IS NULL;
