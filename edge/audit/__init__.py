"""The self-service audit: a person counts along, and the store gets an accuracy figure with its interval."""
