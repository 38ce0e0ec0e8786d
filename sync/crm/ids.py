"""New references: of customers as the boxes know them, and of everything else."""

import secrets
from uuid import UUID

from sync.events import uuid7

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no letter that is taken for another one when it is read aloud."""
_LETTERS = 16


def new_customer() -> str:
    """A random reference of 80 bits, such as ``M-7D0QK2V9A1XM4TZC``; says nothing of whom it stands for."""
    number = secrets.randbits(5 * _LETTERS)
    return "M-" + "".join(_ALPHABET[number >> shift & 31] for shift in range(0, 5 * _LETTERS, 5))


def new_id(now: float) -> UUID:
    """A UUIDv7 of ``now`` (epoch seconds)."""
    return uuid7(now)


def millis(seconds: float) -> int:
    """Epoch seconds as the milliseconds that the database holds."""
    return round(seconds * 1000)
