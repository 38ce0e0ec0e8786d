"""The central store: events, roll-ups, dead letters and what each outbox has delivered, on SQLAlchemy Core."""
