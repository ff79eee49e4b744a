-- Answers by the key that the caller gave its call, each written in the transaction of what it answers for: a call that is
-- repeated because its answer was lost gets that answer, and changes nothing again.

CREATE TABLE IF NOT EXISTS gate_idempotency (
  idempotency_key TEXT NOT NULL,
  actor TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  answer TEXT,
  replays BIGINT NOT NULL DEFAULT 0,
  at TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (idempotency_key, actor)
);

CREATE INDEX IF NOT EXISTS gate_idempotency_at ON gate_idempotency(at);
