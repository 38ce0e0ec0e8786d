"""What turns readings into events."""

from collections.abc import Sequence
from typing import Protocol, TypeVar, runtime_checkable

from sync.events import Event

Reading_contra = TypeVar("Reading_contra", contravariant=True)


class Processor(Protocol[Reading_contra]):
    """A processor holds the state of one source's stream; it does no I/O and reads no clock.

    ``process`` takes one reading, in order of time, and returns the events that it completes.
    ``flush(now)`` returns what ends by silence up to ``now`` (epoch seconds, UTC): minutes, windows, sessions. It is
    called at every ``Silence`` and about once a second in between; calling it twice with the same ``now`` is harmless.
    ``close(now)`` returns what is still open when the source ends or the box stops: the part of the running minute,
    window or session that was observed. The processor is not used afterwards.
    """

    def process(self, reading: Reading_contra, /) -> Sequence[Event]: ...

    def flush(self, now: float, /) -> Sequence[Event]: ...

    def close(self, now: float, /) -> Sequence[Event]: ...


@runtime_checkable
class Observing(Protocol):
    """A processor that sees for itself when its readings cannot be counted on, though they come.

    ``condition`` is a reason code such as ``frozen``, or None; the loop reads it after each ``process``.
    """

    @property
    def condition(self) -> str | None: ...


@runtime_checkable
class Losing(Protocol):
    """A processor that must know when its source is lost: from ``now`` until the next reading nothing was observed.

    A source that is there and silent is an observation; one that is lost is not.
    """

    def lost(self, now: float, /) -> None: ...
