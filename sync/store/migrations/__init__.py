"""Alembic's environment and revisions; run by ``sync.store.database`` when the store is opened."""
