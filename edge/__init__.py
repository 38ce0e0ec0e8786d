"""The box in the store: one loop per source, processors that turn readings into events, health."""
