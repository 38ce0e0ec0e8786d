"""Staff badges: seen by RFID readers, asked for by cameras. No badge leaves the box.

The readers' loops and the cameras' run in threads of their own: the board is what they share.
"""

import threading
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from edge.processing import Losing, Processor
from sensors.readings import TagRead
from sync.events import Epc, Event

KEPT_SECONDS = 120.0
"""More than a crossing waits for a badge."""
_MOST = 5_000
"""Sightings on the board; the oldest go. A hundred badges at once for two minutes are fewer."""
_STEP = 0.25
"""Seconds: a badge that is read a hundred times a second is noted four times."""


class BadgesConfig(BaseModel):
    """The badges that one reader looks for. They are no goods: its fitting rooms and tills never see them."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    epcs: Annotated[tuple[Epc, ...], Field(min_length=1, max_length=10_000)]
    antennas: Annotated[
        tuple[Annotated[int, Field(ge=1, le=65535)], ...], Field(description="beside the line; none given: all")
    ] = ()


@dataclass(frozen=True, slots=True)
class Passing:
    """A badge was at a reader from ``first`` to ``last`` (epoch seconds)."""

    badge: str
    first: float
    last: float


class BadgeBoard:
    """Which badge was seen when and where; bounded, and safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: deque[tuple[float, str, str]] = deque()
        self._last: dict[tuple[str, str], float] = {}

    def note(self, reader: str, badge: str, time: float) -> None:
        """``badge`` was read at ``reader``."""
        with self._lock:
            before = self._last.get((reader, badge))
            if before is not None and 0 <= time - before < _STEP:
                return
            self._last[reader, badge] = time
            self._seen.append((time, reader, badge))
            # A clock that was set back leaves sightings of the future, which go when they are the oldest.
            while len(self._seen) > _MOST or self._seen[0][0] < time - KEPT_SECONDS:
                gone, where, who = self._seen.popleft()
                if self._last.get((where, who)) == gone:
                    del self._last[where, who]

    @property
    def sightings(self) -> int:
        """How many are on the board."""
        with self._lock:
            return len(self._seen)

    def passings(self, readers: Iterable[str], start: float, end: float, gap: float) -> list[Passing]:
        """How badges came and went at any of ``readers`` in [start, end]; not seen for ``gap`` seconds, it was gone."""
        wanted = set(readers)
        with self._lock:
            times: dict[str, list[float]] = {}
            for time, reader, badge in self._seen:
                if reader in wanted and start <= time <= end:
                    times.setdefault(badge, []).append(time)
        found = []
        for badge, seen in sorted(times.items()):
            seen.sort()
            first = last = seen[0]
            for time in seen[1:]:
                if time - last > gap:
                    found.append(Passing(badge, first, last))
                    first = time
                last = time
            found.append(Passing(badge, first, last))
        return found


class BadgeProcessor:
    """Notes the badges among a reader's tags on the board, and hands the other tags on. It publishes no badge."""

    def __init__(
        self, reader: str, config: BadgesConfig, board: BadgeBoard, others: Processor[Any] | None = None
    ) -> None:
        self._reader = reader
        self._badges = frozenset(config.epcs)
        self._antennas = frozenset(config.antennas)
        self._board = board
        self._others = others
        self._losing: Losing | None = others if isinstance(others, Losing) else None

    def process(self, reading: TagRead, /) -> Sequence[Event]:
        if reading.epc not in self._badges:
            return self._others.process(reading) if self._others else ()
        if not self._antennas or reading.antenna in self._antennas:
            self._board.note(self._reader, reading.epc, reading.time)
        return ()

    def flush(self, now: float, /) -> Sequence[Event]:
        return self._others.flush(now) if self._others else ()

    def close(self, now: float, /) -> Sequence[Event]:
        return self._others.close(now) if self._others else ()

    def lost(self, now: float, /) -> None:
        if self._losing is not None:
            self._losing.lost(now)
