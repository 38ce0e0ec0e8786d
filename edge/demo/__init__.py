"""The demonstration: a store day on one machine, honest about what is simulated."""
