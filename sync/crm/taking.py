"""What taking in one customer, product or purchase came to, and how two contents are told apart."""

from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from hashlib import blake2b
from typing import Literal

Done = Literal["new", "changed", "same"]


@dataclass(frozen=True, slots=True)
class Wrong:
    """It was not taken in; ``reason`` is for the person who sent it."""

    reason: str


Outcome = Done | Wrong


def digest(content: object) -> bytes:
    """16 bytes that stand for a dataclass of texts, numbers, days, tuples and dataclasses of them.

    A field that has its default says nothing, so that a field which a later version adds changes no digest.
    """
    return blake2b(repr(_said(content)).encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _said(value: object) -> object:
    kind: type = type(value)
    if kind is tuple:
        return [_said(each) for each in value]  # type: ignore[attr-defined]
    pairs = _defaults(kind)
    if not pairs:
        return value
    return [(name, _said(now)) for name, default in pairs if (now := getattr(value, name)) != default]


@cache
def _defaults(kind: type) -> list[tuple[str, object]]:
    """The fields of a dataclass; none of anything else."""
    if not is_dataclass(kind):
        return []
    return [(field.name, field.default) for field in fields(kind)]
