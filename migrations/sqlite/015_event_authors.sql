-- How the actor of an event is known: 'token', or 'claimed' by a caller without a token. NULL for no actor, for the gate
-- itself and for events of earlier versions.
ALTER TABLE gate_events ADD COLUMN by_source TEXT;
