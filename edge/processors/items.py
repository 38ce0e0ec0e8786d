"""What became of an item: ``sold`` at a till, ``left`` through an exit, ``returned`` to a rack.

A tag cannot see money. ``sold`` says that the item lay on the till's antenna, ``left`` that it was read at the exit and
nowhere afterwards. That something left without having been sold here is a fact about tags, with many plain reasons
(another till, a tag in a bag, a read that was missed), and accuses nobody: no event says more than the step. A single
antenna at an exit cannot tell the way either: what is carried in and read nowhere else looks as if it had left again.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from edge.processing import Losing, Processor
from edge.processors.items_config import DEFAULTS, ItemsConfig
from sensors.readings import TagRead
from sensors.rfid.epc import decode, is_blank
from sync.events import Event, Item, is_epc

_UNTOLD: Final = -50.0
"""dBm of a read without a level: a scanner's, which reads what is held before it."""
_STEP_BACK: Final = 60.0
"""Seconds: a larger step back is a clock that was set."""
_SWEEP: Final = 60.0
_EACH: Final = 1.0


@dataclass(frozen=True, slots=True)
class _Place:
    name: str
    role: str
    reads: int
    seconds: float
    dbm: float


_AWAY: Final = _Place("", "away", 1, 0.0, 0.0)


@dataclass(slots=True)
class _Tag:
    """One tag: the strongest read of each place of late, where it leads since when, and where it is."""

    last: float
    best: dict[_Place, tuple[float, float]] = field(default_factory=dict)
    leading: _Place | None = None
    since: float = 0.0
    heard: float = 0.0
    reads: int = 0
    at: _Place | None = None
    arrived: float = 0.0
    told: dict[tuple[str, str], float] = field(default_factory=dict)


class ItemsProcessor:
    """``Processor[TagRead]`` for one reader; ``others`` gets every read as well, such as its fitting rooms' sessions.

    ``rooms`` (antenna to room) only tell that an item was away from its rack. What lies at a till or a rack when the
    reader starts, or comes back after having been lost, was there before: no event is made of it.
    """

    def __init__(
        self,
        sensor: str,
        config: ItemsConfig,
        rooms: Mapping[int, str] | None = None,
        others: Processor[Any] | None = None,
    ) -> None:
        self._sensor = sensor
        self._config = config
        self._others = others
        self._losing: Losing | None = others if isinstance(others, Losing) else None
        self._places = {antenna: _place(name, "room") for antenna, name in (rooms or {}).items()}
        for antenna, place in config.antennas.items():
            self._places[antenna] = _place(place.place, place.role, place.reads, place.seconds, place.dbm)
        self._tags: dict[str, _Tag] = {}
        self._leaving: set[str] = set()
        self._settled: float | None = None
        self._now = self._looked = self._swept = float("-inf")

    def process(self, reading: TagRead, /) -> Sequence[Event]:
        events = list(self._others.process(reading)) if self._others else []
        if not is_epc(reading.epc) or is_blank(reading.epc):
            return events
        if reading.time < self._now - _STEP_BACK:
            self._tags.clear()
            self._leaving.clear()
            self._settled, self._now = None, float("-inf")
            self._looked = self._swept = float("-inf")
        self._now = max(self._now, reading.time)
        if self._settled is None:
            self._settled = reading.time + self._config.settle_seconds
        if self._now - self._looked >= _EACH:
            events += self._left(self._now)
        if len(self._tags) > self._config.most_tags * 1.1:
            self._sweep()
        events += self._follow(reading)
        return events

    def flush(self, now: float, /) -> Sequence[Event]:
        return [*(self._others.flush(now) if self._others else ()), *self._left(now)]

    def close(self, now: float, /) -> Sequence[Event]:
        """Who was at an exit a moment ago may come back: what is not gone by now has not left."""
        return [*(self._others.close(now) if self._others else ()), *self._left(now)]

    def lost(self, now: float, /) -> None:
        """Nothing is read for a while: neither that a tag is gone nor that it came is known afterwards."""
        self._settled = None
        for epc in self._leaving:
            self._tags[epc].at = _AWAY
        self._leaving.clear()
        if self._losing is not None:
            self._losing.lost(now)

    @property
    def tags(self) -> int:
        """How many are followed."""
        return len(self._tags)

    def _follow(self, read: TagRead) -> Iterator[Event]:
        place = self._places.get(read.antenna)
        tag = self._tags.get(read.epc)
        if tag is None:
            if place is None:
                return
            tag = self._tags[read.epc] = _Tag(read.time)
        if self._passed_the_exit(tag) and read.time - tag.last >= self._config.gone_seconds:
            tag.at = _AWAY
        tag.last = max(tag.last, read.time)
        level = _UNTOLD if read.rssi_dbm is None else read.rssi_dbm
        if place is None or level < place.dbm or not self._leads(tag, place, level, read.time):
            return
        if (
            tag.leading is None
            or tag.leading.name != place.name
            or read.time - tag.heard > max(self._config.window_seconds, place.seconds / 4)
        ):
            tag.leading, tag.since, tag.reads = place, read.time, 0
        tag.reads += 1
        tag.heard = max(tag.heard, read.time)
        if tag.at is not None and tag.at.name == place.name:
            return
        if tag.reads >= place.reads and read.time - tag.since >= place.seconds:
            yield from self._arrive(read.epc, tag, place, read.time)

    def _passed_the_exit(self, tag: _Tag) -> bool:
        """Whether it is at an exit, and not because it lies or hangs there."""
        if tag.at is None or tag.at.role != "exit":
            return False
        return tag.last - tag.arrived <= self._config.resident_seconds

    def _leads(self, tag: _Tag, place: _Place, level: float, now: float) -> bool:
        """Whether this read makes or keeps ``place`` the strongest by the margin, over the last seconds."""
        window, best = self._config.window_seconds, tag.best
        known = best.get(place)
        if known is None or level >= known[1] or now - known[0] > window:
            best[place] = (now, level)
        top = best[place][1] - self._config.margin_db
        return not any(
            other.name != place.name and strong > top and now - when <= window for other, (when, strong) in best.items()
        )

    def _arrive(self, epc: str, tag: _Tag, place: _Place, now: float) -> Iterator[Event]:
        before, tag.at, tag.arrived = tag.at, place, tag.since
        self._leaving.discard(epc)
        # What is first seen in the first seconds lay there before; later it has come.
        if before is None and self._settled is not None and tag.since < self._settled:
            return
        if place.role == "till":
            yield from self._tell(epc, tag, place, "sold", now)
        elif place.role == "exit":
            self._leaving.add(epc)
        elif place.role == "rack" and before is not None and before.role != "rack":
            yield from self._tell(epc, tag, place, "returned", now)

    def _left(self, now: float) -> list[Event]:
        """Those that were at an exit and have not been read anywhere for a while."""
        self._looked = min(now, self._now)
        events: list[Event] = []
        for epc in [epc for epc in self._leaving if now - self._tags[epc].last >= self._config.gone_seconds]:
            tag = self._tags[epc]
            self._leaving.discard(epc)
            if tag.at is not None and self._passed_the_exit(tag):
                events += self._tell(epc, tag, tag.at, "left", tag.last)
        if self._now - self._swept >= _SWEEP:
            self._sweep()
        return events

    def _tell(self, epc: str, tag: _Tag, place: _Place, step: Any, when: float) -> Iterator[Event]:
        told = tag.told.get((step, place.name))
        if told is not None and when - told < self._config.repeat_seconds:
            return
        tag.told[step, place.name] = when
        product = decode(epc)
        gtin = product.gtin if product else None
        yield Event.new(self._sensor, when, Item(epc=epc, gtin=gtin, place=place.name, step=step))

    def _sweep(self) -> None:
        self._swept = self._now
        oldest = self._now - self._config.forget_seconds
        kept = {epc: tag for epc, tag in self._tags.items() if tag.last >= oldest or epc in self._leaving}
        if len(kept) > self._config.most_tags:
            by_age = sorted(kept, key=lambda epc: kept[epc].last, reverse=True)
            kept = {epc: kept[epc] for epc in by_age[: self._config.most_tags]}
        self._tags = kept
        self._leaving &= kept.keys()


def _place(
    name: str, role: str, reads: int | None = None, seconds: float | None = None, dbm: float | None = None
) -> _Place:
    usual = DEFAULTS[role]
    return _Place(
        name,
        role,
        usual[0] if reads is None else reads,
        usual[1] if seconds is None else seconds,
        usual[2] if dbm is None else dbm,
    )
