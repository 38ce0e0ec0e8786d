"""Who may ask the centre for what: people with a password, programs with a key. ``docs/access.md`` is the map."""
