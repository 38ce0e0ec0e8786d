"""What the company knows of its customers, what they bought, and who serves them. ``docs/crm.md`` is the map."""
