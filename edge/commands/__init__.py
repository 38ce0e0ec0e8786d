"""The sub-commands of the box and of recordings, one module a group."""
