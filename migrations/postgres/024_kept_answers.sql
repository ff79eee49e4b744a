-- The size of a kept answer, in bytes; 0 for one that an earlier version kept.
ALTER TABLE gate_idempotency ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;

-- Sums the kept answers of a caller, and finds its oldest.
CREATE INDEX IF NOT EXISTS gate_idempotency_actor ON gate_idempotency(actor, at, bytes);
