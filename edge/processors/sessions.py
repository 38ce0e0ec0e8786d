"""Which item is in which fitting room, from tag reads alone: the state behind ``edge.processors.tryons``.

Epochs of one second; per tag and place (a room, or an antenna that is no room) the strongest read of the epoch. A
place's level is the mean over the window, an epoch without a read counting as ``missing_dbm``. A tag is in a room
while that room's level leads; see ``TryOnConfig`` for every number and where it comes from.
"""

import math
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from edge.processors.tryon_config import TryOnConfig
from sensors.readings import TagRead

_CLIP: Final = 8.0
"""dB by which one epoch speaks for or against a room at most."""
_CHANGE: Final = 100.0
"""dB that a change of room has to win back, once in and once out."""

Values = dict[int, float]
"""dB above ``missing_dbm`` of each place that saw the tag in an epoch."""


@dataclass(slots=True)
class Stay:
    """A tag leading in one place from epoch ``opened`` on; ``led`` is the last epoch in which it did.

    ``margin`` is the sum over ``epochs`` of the lead over the next best place, in dB times the window.
    """

    place: int
    opened: int
    led: int
    epochs: int = 0
    margin: float = 0.0


@dataclass(slots=True)
class Tag:
    """What is kept about one tag while it is around."""

    epc: str
    first: int
    window: deque[tuple[int, Values]] = field(default_factory=deque)
    trace: deque[tuple[int, Values]] = field(default_factory=deque)
    sums: Values = field(default_factory=dict)
    candidate: int = -1
    since: int = 0
    stay: Stay | None = None
    closed: list[Stay] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Finished:
    """A stay that is over, with the trace of values around it: everything that judging it takes."""

    tag: Tag
    stay: Stay
    now: int


def lookback(config: TryOnConfig) -> int:
    """Epochs before and after a stay that judging it takes: the lag of window and hold, the walk, and the contrast."""
    seconds = config.window_seconds + config.hold_seconds + config.contrast_seconds + 20
    return math.ceil(seconds / config.epoch_seconds)


def chains(stays: list[Stay], gap: int) -> list[list[Stay]]:
    """Stays of one tag, by start, in groups with at most ``gap`` epochs between one and the next."""
    found: list[list[Stay]] = []
    for stay in stays:
        if found and stay.opened - max(one.led for one in found[-1]) <= gap:
            found[-1].append(stay)
        else:
            found.append([stay])
    return found


def settle(trace: Iterable[tuple[int, Values]], chain: list[Stay], window: int) -> list[Stay]:
    """Which of the rooms of a chain a tag was in, looking at all of it at once.

    As it happens, a shadow makes a neighbour lead for half a minute; afterwards that is told from a change of room. The
    most likely path through the rooms (Viterbi): each epoch speaks for a room by its lead in dB, at most ``_CLIP``; each
    change costs ``_CHANGE``.
    """
    begin, end = chain[0].opened, max(stay.led for stay in chain)
    places = sorted({stay.place for stay in chain})
    if len(places) == 1:
        return [_joined(chain)]
    epochs = [(epoch, values) for epoch, values in trace if begin <= epoch <= end]
    best, came = dict.fromkeys(places, 0.0), []
    for _, values in epochs:
        top = max(places, key=lambda place: best[place])
        back = {place: top if best[top] - _CHANGE > best[place] else place for place in places}
        best = {
            place: best[before] - (_CHANGE if before != place else 0.0) + _clipped(_lead(values, place))
            for place, before in back.items()
        }
        came.append(back)
    place, path = max(places, key=lambda place: best[place]), []
    for back in reversed(came):
        path.append(place)
        place = back[place]
    settled: list[Stay] = []
    for (epoch, values), place in zip(epochs, reversed(path), strict=True):
        if not settled or settled[-1].place != place:
            settled.append(Stay(place, epoch, epoch))
        stay = settled[-1]
        stay.led, stay.epochs = epoch, stay.epochs + 1
        stay.margin += _lead(values, place) * window
    return settled


def _joined(chain: list[Stay]) -> Stay:
    last = max(stay.led for stay in chain)
    return Stay(
        chain[0].place,
        chain[0].opened,
        last,
        sum(stay.epochs for stay in chain),
        sum(stay.margin for stay in chain),
    )


def _lead(values: Values, place: int) -> float:
    """dB by which ``place`` is above every other; negative where another is above it."""
    return values.get(place, 0.0) - max((value for other, value in values.items() if other != place), default=0.0)


def _clipped(lead: float) -> float:
    return max(-_CLIP, min(_CLIP, lead))


class Tracker:
    """Reads in, finished stays out. Reads may come up to ``lateness`` seconds out of order."""

    def __init__(self, config: TryOnConfig) -> None:
        self.config = config
        self.names = sorted(set(config.rooms.values()))
        self.first: int | None = None
        self.late = 0
        """Reads that came too late to be counted."""
        self._places = {antenna: self.names.index(room) for antenna, room in config.rooms.items()}
        self._tags: dict[str, Tag] = {}
        self._pending: dict[int, dict[str, dict[int, tuple[float, int]]]] = {}
        self._next: int | None = None
        self._newest = 0
        self._window = round(config.window_seconds / config.epoch_seconds)
        self._hold = round(config.hold_seconds / config.epoch_seconds)
        self._leave = round(config.leave_seconds / config.epoch_seconds)
        self._merge = round(config.merge_seconds / config.epoch_seconds)
        self._late = math.ceil(config.lateness_seconds / config.epoch_seconds)
        self._longest = round(config.longest_seconds / config.epoch_seconds)
        self._lookback = lookback(config)
        self._enter = (config.enter_dbm - config.missing_dbm) * self._window
        self._margin = config.margin_db * self._window

    def add(self, read: TagRead) -> None:
        """Take one read into its epoch. Does not judge: ``advance`` does."""
        epoch = int(read.time // self.config.epoch_seconds)
        if self._next is None:
            self.first = self._next = epoch - self._late
        if epoch < self._next:
            self.late += 1
            return
        if epoch > self._newest:
            self._newest = epoch
        place = self._places.get(read.antenna)
        if place is None:
            place = self._places[read.antenna] = len(self.names) + len(self._places)
        tags = self._pending.get(epoch)
        if tags is None:
            tags = self._pending[epoch] = {}
        places = tags.get(read.epc)
        if places is None:
            places = tags[read.epc] = {}
        rssi, count = places.get(place, (-math.inf, 0))
        if read.rssi_dbm is None:
            places[place] = (rssi, count + 1)
        else:
            places[place] = (rssi if rssi > read.rssi_dbm else read.rssi_dbm, count)

    def behind(self, time: float) -> bool:
        """Whether ``time`` is so far before what was seen that the clock must have been set back."""
        return self._next is not None and time < self._next * self.config.epoch_seconds - self.config.clock_step_seconds

    def due(self, time: float) -> bool:
        """Whether ``advance(time)`` would close an epoch."""
        return self._next is not None and time // self.config.epoch_seconds - self._late >= self._next

    def advance(self, now: float) -> Iterator[Finished]:
        """Close every epoch that ended ``lateness`` before ``now`` (epoch seconds) and yield the stays now over."""
        target = int(now // self.config.epoch_seconds) - self._late
        while self._next is not None and self._next <= target:
            if not self._tags and self._next not in self._pending:
                self._next = min([target + 1, *self._pending])
                continue
            epoch = self._next
            self._next += 1
            self._fill(epoch)
            for tag in list(self._tags.values()):
                yield from self._step(tag, epoch)

    def end(self) -> Iterator[Finished]:
        """The recording is over, or the clock was set: close every epoch and every stay. Starts afresh after."""
        yield from self.advance((self._newest + self._late + 0.5) * self.config.epoch_seconds)
        last = self._newest
        for tag in self._tags.values():
            if tag.stay is not None:
                tag.closed.append(tag.stay)
            yield from self._settled(tag, last)
        self._tags.clear()
        self._pending.clear()
        self._next = self.first = None
        self._newest = 0

    def around(self, place: int, start: int, end: int) -> Iterator[tuple[Tag, Stay]]:
        """The stays in ``place``, not yet finished, that overlap the epochs ``start`` to ``end``."""
        for tag in self._tags.values():
            for stay in (*tag.closed, *([tag.stay] if tag.stay else [])):
                if stay.place == place and stay.opened <= end and stay.led >= start:
                    yield tag, stay

    def _fill(self, epoch: int) -> None:
        missing = self.config.missing_dbm
        for epc, places in self._pending.pop(epoch, {}).items():
            values = {}
            for place, (rssi, count) in places.items():
                # A reader that gives no RSSI gives counts: 1 read is worth 10 dB, 3 are 20 dB, 7 are 30 dB.
                value = rssi - missing if rssi > -math.inf else 10.0 * math.log2(1 + count)
                if value > 0:
                    values[place] = min(value, 60.0)
            tag = self._tags.get(epc)
            if tag is None:
                tag = self._tags[epc] = Tag(epc, epoch)
            tag.window.append((epoch, values))
            tag.trace.append((epoch, values))
            for place, value in values.items():
                tag.sums[place] = tag.sums.get(place, 0.0) + value

    def _step(self, tag: Tag, epoch: int) -> Iterator[Finished]:
        window, sums = tag.window, tag.sums
        while window and window[0][0] <= epoch - self._window:
            for place, value in window.popleft()[1].items():
                sums[place] -= value
                if sums[place] < 1e-6:
                    del sums[place]
        best, lead, level = -1, 0.0, 0.0
        for place, value in sums.items():
            if value > level:
                best, lead, level = place, value - level, value
            elif level - value < lead:
                lead = level - value
        room = best if best < len(self.names) and level >= self._enter and lead >= self._margin else -1
        if room != tag.candidate:
            tag.candidate, tag.since = room, epoch
        stay = tag.stay
        if stay is not None:
            stay.epochs += 1
            if best == stay.place:
                stay.led = epoch
                stay.margin += lead
            elif best >= 0 and stay.place in sums:
                stay.margin -= level - sums[stay.place]
        if room >= 0 and epoch - tag.since + 1 >= self._hold and (stay is None or stay.place != room):
            self._open(tag, room, epoch)
        elif stay is not None and epoch - stay.led >= self._leave:
            self._close(tag, stay)
        if tag.closed or tag.stay is not None:
            yield from self._finish(tag, epoch)
        self._forget(tag, epoch)

    def _open(self, tag: Tag, place: int, epoch: int) -> None:
        if tag.stay is not None:
            tag.stay.led = min(tag.stay.led, tag.since - 1)
            self._close(tag, tag.stay)
        earlier = next((stay for stay in reversed(tag.closed) if stay.place == place), None)
        if earlier is not None and tag.since - earlier.led <= self._merge:
            earlier.led = epoch
            tag.closed.remove(earlier)
            tag.stay = earlier
        else:
            tag.stay = Stay(place, tag.since, epoch)

    @staticmethod
    def _close(tag: Tag, stay: Stay) -> None:
        tag.closed.append(stay)
        tag.stay = None

    def _finish(self, tag: Tag, epoch: int) -> Iterator[Finished]:
        """Stays are over once nothing can be merged into the last; what goes on for too long is judged as it is."""
        begin = min(stay.opened for stay in (*tag.closed, *([tag.stay] if tag.stay else [])))
        if tag.stay is not None and epoch - begin > self._longest:
            tag.closed.append(tag.stay)
            tag.stay, tag.candidate = None, -1
            yield from self._settled(tag, epoch)
        elif tag.stay is None and epoch - max(stay.led for stay in tag.closed) > self._merge + self._hold:
            yield from self._settled(tag, epoch)

    def _settled(self, tag: Tag, epoch: int) -> Iterator[Finished]:
        stays, tag.closed = sorted(tag.closed, key=lambda stay: stay.opened), []
        for chain in chains(stays, self._merge):
            settled = chain if len(chain) == 1 else settle(tag.trace, chain, self._window)
            yield from (Finished(tag, stay, epoch) for stay in settled)

    def _forget(self, tag: Tag, epoch: int) -> None:
        oldest = epoch
        if tag.stay is not None:
            oldest = tag.stay.opened
        for stay in tag.closed:
            oldest = min(oldest, stay.opened)
        while tag.trace and tag.trace[0][0] < oldest - self._lookback:
            tag.trace.popleft()
        if not tag.trace and tag.stay is None and not tag.closed:
            del self._tags[tag.epc]
