"""Processors: one sensor's readings in, events out."""
