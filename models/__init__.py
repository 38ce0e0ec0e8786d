"""Recognition models: arrays in, arrays out. No transport, no storage, no clock."""
