-- The service's own memory: answers by idempotency key, and settings.

-- An answer is written in the transaction of its effect: a call that is repeated because its answer was lost gets that
-- answer and changes nothing again.
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

-- Among others, the text from which each trigger was made, as a checksum.
CREATE TABLE IF NOT EXISTS gate_settings (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL
);
