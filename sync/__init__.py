"""The event contract, the outbox and the relay (edge half); ingest, store and roll-ups (central half)."""
