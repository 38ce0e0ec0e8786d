"""Try-on sessions from tag reads: what was in which fitting room, from when to when, and whether it was handled.

``in_room`` says that the item's tag led in that room, and was much weaker there before and after. ``tried_on`` says in
addition that for ``worn_seconds`` or more its level fell by about ``worn_db`` or more below the rest of the stay: that
is what a tag against a body looks like. A tag cannot see wearing: a garment held against
the body, or under a coat on the hook, looks the same, and one that is put on at once and kept on looks like one on a
hook. Treat it as evidence, with its confidence, never as a fact about a customer.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

from edge.processors.evidence import Verdict, entered, judge
from edge.processors.sessions import Finished, Tracker
from edge.processors.tryon_config import TryOnConfig
from sensors.readings import TagRead
from sensors.rfid.epc import decode, is_blank
from sync.events import Event, TryOn, is_epc, utc

__all__ = ["Session", "Sessions", "TryOnConfig", "TryOnProcessor", "sessions_of"]

_EPC: Final = re.compile(r"([0-9A-F]{4}){2,31}")
"""What the event contract can carry: 32 to 496 bits. Tags with no EPC at all are not followed."""


@lru_cache(maxsize=65536)
def _usable(epc: str) -> bool:
    return _EPC.fullmatch(epc) is not None and not is_blank(epc)


@dataclass(frozen=True, slots=True)
class Session:
    """One item in one room; times in epoch seconds as in the reads. ``confidence`` is for ``kind`` in that room.

    ``doubts``: why it is uncertain, which halves the confidence: ``reader_lost``, ``too_many_tags``, ``late_reads``.
    """

    epc: str
    room: str
    start: float
    end: float
    kind: Literal["in_room", "tried_on"]
    confidence: float
    companions: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()


class Sessions:
    """The algorithm without events: ``add`` reads in (nearly) the order of time, get sessions as they end."""

    def __init__(self, config: TryOnConfig) -> None:
        self._config = config
        self._tracker = Tracker(config)
        self._recent: list[Session] = []
        self._lost: float | None = None
        self.blank = 0
        """Reads of an EPC of all zeros, which many tags share: they are nobody's item."""

    @property
    def dropped(self) -> int:
        """Reads that were not counted: of too many tags at once, or too late."""
        return self._tracker.dropped + self._tracker.late

    def lost(self, now: float) -> None:
        """The reader is gone: from ``now`` until the next read nothing was observed."""
        if self._lost is None:
            self._lost = now

    def add(self, read: TagRead) -> list[Session]:
        """Take one read; the sessions that are over by its time."""
        tracker = self._tracker
        if not _usable(read.epc):
            self.blank += is_blank(read.epc)
            return []
        if self._lost is not None:
            seconds = self._config.epoch_seconds
            tracker.disturb(int(self._lost // seconds), int(max(read.time, self._lost) // seconds), "reader_lost")
            self._lost = None
        found: list[Session] = []
        if tracker.due(read.time):
            found = self._judged(tracker.advance(read.time))
        elif tracker.behind(read.time):
            found = self.end()
        tracker.add(read)
        return found

    def advance(self, now: float) -> list[Session]:
        """The sessions that were over ``silence_seconds`` before ``now`` though nothing is read."""
        return self._judged(self._tracker.advance(now - self._config.silence_seconds))

    def end(self) -> list[Session]:
        """Nothing more will come: the sessions that are still open, as far as they were seen."""
        return self._judged(self._tracker.end())

    def _judged(self, finished: Iterable[Finished]) -> list[Session]:
        found = []
        for one in finished:
            for verdict in judge(one, self._tracker.first or 0, self._config):
                found.append(self._session(one, verdict))
        return found

    def _session(self, one: Finished, verdict: Verdict) -> Session:
        seconds = self._config.epoch_seconds
        start, end = verdict.start * seconds, (verdict.end + 1) * seconds
        room, near = self._tracker.names[one.stay.place], self._companions(one, verdict)
        doubts = self._tracker.doubts(verdict.start, verdict.end)
        if self._lost is not None and end > self._lost - self._config.merge_seconds:
            doubts = tuple(sorted({*doubts, "reader_lost"}))
        confidence = round(verdict.confidence / 2, 3) if doubts else verdict.confidence
        session = Session(one.tag.epc, room, start, end, verdict.kind, confidence, near, doubts)
        self._recent = [old for old in self._recent if old.end > start - self._config.longest_seconds]
        self._recent.append(session)
        return session

    def _companions(self, one: Finished, verdict: Verdict) -> tuple[str, ...]:
        """The other items that were in the room with this one: those already over, and those still there."""
        config, tracker = self._config, self._tracker
        least, room = config.companion_seconds / config.epoch_seconds, tracker.names[one.stay.place]
        found = set()
        for old in self._recent:
            begin, end = max(old.start / config.epoch_seconds, verdict.start), old.end / config.epoch_seconds
            if old.room == room and min(end, verdict.end + 1) - begin >= least:
                found.add(old.epc)
        for tag, stay in tracker.around(one.stay.place, verdict.start, verdict.end):
            if tag.epc not in found and tag.epc != one.tag.epc:
                start = entered(Finished(tag, stay, one.now, one.heard), tracker.first or 0, config)
                if start is not None and min(stay.led, verdict.end) + 1 - max(start, verdict.start) >= least:
                    found.add(tag.epc)
        return tuple(sorted(found - {one.tag.epc}))


class TryOnProcessor:
    """``Processor[TagRead]``: one ``yingke.tryon.v1`` event per session, at the moment the item left the room.

    An event comes about a minute after that moment, and two minutes later where no tag at all is read any more: until
    then the session may go on.
    """

    def __init__(self, sensor: str, config: TryOnConfig) -> None:
        self._sensor = sensor
        self._sessions = Sessions(config)

    def process(self, reading: TagRead, /) -> Sequence[Event]:
        # A tag whose memory holds no EPC (under 64 bits, half a word) is nobody's item, and no event could name it.
        if not is_epc(reading.epc):
            return []
        return [self._event(session) for session in self._sessions.add(reading)]

    def flush(self, now: float, /) -> Sequence[Event]:
        return [self._event(session) for session in self._sessions.advance(now)]

    def lost(self, now: float, /) -> None:
        """What goes on while the reader is away is uncertain (``Losing``)."""
        self._sessions.lost(now)

    def close(self, now: float, /) -> Sequence[Event]:
        return [*self.flush(now), *(self._event(session) for session in self._sessions.end())]

    def _event(self, session: Session) -> Event:
        product = decode(session.epc)
        return Event.new(
            self._sensor,
            session.end,
            TryOn(
                epc=session.epc,
                gtin=product.gtin if product else None,
                room=session.room,
                start=utc(session.start),
                end=utc(session.end),
                kind=session.kind,
                companions=session.companions,
                confidence=session.confidence,
            ),
        )


def sessions_of(reads: Iterable[TagRead], config: TryOnConfig) -> list[Session]:
    """Every session of a recording, by start. ``reads`` in order of time."""
    return sorted(_all(reads, config), key=lambda session: (session.start, session.room, session.epc))


def _all(reads: Iterable[TagRead], config: TryOnConfig) -> Iterator[Session]:
    sessions = Sessions(config)
    for read in reads:
        yield from sessions.add(read)
    yield from sessions.end()
