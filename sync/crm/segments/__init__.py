"""Who buys, how often, and who is about to stop: computed from the purchases, incrementally."""
