"""Footfall and events for other tools: coverage in every row, late data as revisions, and a report of what changed."""
