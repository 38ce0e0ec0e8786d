"""Access points and sniffers that tell which devices they hear: sources of their own kind, pseudonymous on arrival."""
