"""Try-on sessions of three methods on the same reads: seen in the last 5 s, SMURF with the strongest antenna, ours.

Both simulations are engineering assumptions: real rooms have to be measured. See ``bench.rfid`` for the table.
"""

import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from statistics import median
from types import ModuleType
from typing import Any, Final

from edge.demo.fitting_rooms import FittingRooms, Scene
from edge.processors.tryons import Session, TryOnConfig, sessions_of
from sensors.readings import TagRead

START: Final = 1_700_000_000.0
Method = Callable[[list[TagRead], dict[int, str]], list[Session]]


@dataclass(frozen=True)
class Stay:
    """The truth of either simulation; ``worn`` None where the simulation does not tell."""

    epc: str
    room: str
    start: float
    end: float
    worn: bool | None


@dataclass(frozen=True)
class Day:
    """One simulated stretch: reads in order of time, the truth, antenna to room, and when it ends."""

    reads: list[TagRead]
    truth: list[Stay]
    rooms: dict[int, str]
    end: float


def ours_simulated(seed: int, **scene: Any) -> Day:
    """Our simulation, ``edge.demo.fitting_rooms``."""
    setting = Scene(START, seed, **scene)
    rooms = FittingRooms(setting)
    reads = [read for second in range(setting.seconds) for read in rooms.reads(second)]
    end = setting.start + setting.seconds
    names = {n: f"room-{n}" for n in range(1, setting.rooms + 1)}
    truth = [Stay(v.epc, names[v.antenna], v.start, v.end, v.worn is not None) for v in rooms.visits if v.end <= end]
    return Day(reads, truth, names, end)


def outside_simulated(model: ModuleType, seed: int, **scene: Any) -> Day:
    """The noise model by others: one read per second, tag and antenna with the strongest level, as it gives them."""
    return from_outside(model.simulate(seed=seed, **scene))


def from_outside(day: dict[str, Any]) -> Day:
    """What the noise model's ``simulate`` returned; antennas count from 1 here."""
    names = {n + 1: f"room-{n + 1}" for n in range(day["R"])}
    reads = [
        TagRead(START + second + 0.5, _epc(tag), antenna + 1, dbm)
        for second in range(day["T"])
        for tag, seen in day["obs"].get(second, {}).items()
        for antenna, (_, dbm) in seen.items()
    ]
    truth = [
        Stay(_epc(tag), names[room + 1], START + start, START + end + 1, True)
        for room, start, end, tags in day["visits"]
        for tag in tags
    ]
    return Day(reads, truth, names, START + day["T"])


def _epc(tag: int) -> str:
    return f"{0x30 << 88 | tag:024X}"


def ours(reads: list[TagRead], rooms: dict[int, str]) -> list[Session]:
    """What the box does, with its starting values."""
    return sessions_of(reads, TryOnConfig(rooms=rooms))


def last_seen(reads: list[TagRead], rooms: dict[int, str], seconds: float = 5.0) -> list[Session]:
    """The usual rule: an item is in a room while that room's antenna saw it in the last 5 s."""
    found: list[Session] = []
    open_: dict[tuple[str, str], tuple[float, float]] = {}
    for read in reads:
        if (room := rooms.get(read.antenna)) is None:
            continue
        key = (read.epc, room)
        start, latest = open_.get(key, (read.time, read.time))
        if read.time - latest > seconds:
            found.append(Session(*key, start, latest, "in_room", 1.0))
            start = read.time
        open_[key] = (start, read.time)
    found += [Session(*key, start, latest, "in_room", 1.0) for key, (start, latest) in open_.items()]
    return found


def smurf(reads: list[TagRead], rooms: dict[int, str]) -> list[Session]:
    """SMURF (Jeffery, Garofalakis, Franklin, VLDB 2006) per tag, then the strongest antenna of its window.

    Epochs of 1 s, four attempts each (the models' own number). Gaps to 45 s are merged and stays under 20 s left out,
    as in ours.
    """
    tags: dict[str, dict[int, list[TagRead]]] = {}
    for read in reads:
        tags.setdefault(read.epc, {}).setdefault(int(read.time), []).append(read)
    return [
        replace(one, room=room)
        for epc, epochs in tags.items()
        for one in _runs(epc, _smurf_rooms(epochs))
        if (room := rooms.get(int(one.room))) is not None
    ]


def _smurf_rooms(epochs: dict[int, list[TagRead]]) -> Iterator[tuple[int, int]]:
    """Epoch and strongest antenna wherever SMURF holds the tag for present; confidence 1 - 0.05."""
    width = 1
    window: deque[tuple[int, list[TagRead]]] = deque()
    for epoch in range(min(epochs), max(epochs) + 30):
        window.append((epoch, epochs.get(epoch, [])))
        while len(window) > 60:
            window.popleft()
        seen = [(at, found) for at, found in window if at > epoch - width and found]
        if not seen:
            width = max(1, width // 2)
            continue
        best: dict[int, float] = {}
        for _, found in seen:
            for read in found:
                level = -90.0 if read.rssi_dbm is None else read.rssi_dbm
                best[read.antenna] = max(best.get(read.antenna, -math.inf), level)
        yield epoch, max(best, key=lambda antenna: best[antenna])
        rate = sum(min(len(found), 4) / 4 for _, found in seen) / len(seen)
        wanted = math.ceil(-2 * math.log(0.05) / rate) if rate < 1 else 1
        expected = width * rate
        if len(seen) < expected - 2 * math.sqrt(max(width * rate * (1 - rate), 0.0)):
            width = max(1, width // 2)
        elif wanted > width:
            width = min(width + 2, wanted, 60)


def _runs(epc: str, labels: Iterable[tuple[int, int]]) -> Iterator[Session]:
    """Runs of one antenna, gaps to 45 s merged, from 20 s on; ``room`` holds the antenna's number."""
    runs: dict[int, tuple[int, int]] = {}
    for epoch, antenna in labels:
        start, last = runs.get(antenna, (epoch, epoch))
        if epoch - last > 45:
            if last - start >= 20:
                yield Session(epc, str(antenna), start, last + 1, "in_room", 1.0)
            start = epoch
        runs[antenna] = (start, epoch)
    for antenna, (start, last) in runs.items():
        if last - start >= 20:
            yield Session(epc, str(antenna), start, last + 1, "in_room", 1.0)


METHODS: Final[dict[str, Method]] = {"last 5 s": last_seen, "SMURF + strongest": smurf, "ours": ours}


@dataclass
class Score:
    """Sums over seeds. A hit is the same item and room with an overlap of half the union of both times.

    ``confused``: true stays whose only overlapping sessions are in another room. ``by_seed``: F1 of each.
    """

    hits: int = 0
    false: int = 0
    missed: int = 0
    confused: int = 0
    reads: int = 0
    cpu: float = 0.0
    by_seed: list[float] = field(default_factory=list)
    edges: list[float] = field(default_factory=list)
    kinds: dict[tuple[bool | None, str], int] = field(default_factory=dict)

    def add(self, day: Day, method: Method = ours) -> None:
        """Judge one day. Sessions that go on to its last 15 s have no truth and are left out."""
        began = time.process_time()
        sessions = method(day.reads, day.rooms)
        self.cpu += time.process_time() - began
        self.reads += len(day.reads)
        items: dict[str, list[Session]] = {}
        for one in sessions:
            items.setdefault(one.epc, []).append(one)
        hits = missed = 0
        for stay in day.truth:
            of = items.get(stay.epc, [])
            match = next((one for one in of if _same(one, stay)), None)
            if match is None:
                missed += 1
                overlapping = {one.room for one in of if min(one.end, stay.end) - max(one.start, stay.start) > 10}
                self.confused += bool(overlapping) and stay.room not in overlapping
                continue
            of.remove(match)
            hits += 1
            self.edges += [abs(match.start - stay.start), abs(match.end - stay.end)]
            self.kinds[stay.worn, match.kind] = self.kinds.get((stay.worn, match.kind), 0) + 1
        false = sum(one.end < day.end - 15 for of in items.values() for one in of)
        self.hits, self.missed, self.false = self.hits + hits, self.missed + missed, self.false + false
        self.by_seed.append(_f1(hits, false, missed))

    @property
    def f1(self) -> float:
        return _f1(self.hits, self.false, self.missed)

    def edge(self, share: float) -> float:
        """Seconds by which starts and ends are off, at this share of them."""
        edges = sorted(self.edges) or [math.nan]
        return edges[min(int(len(edges) * share), len(edges) - 1)]

    def line(self) -> str:
        kinds = ""
        for worn, kind, name in ((True, "tried_on", "worn told"), (False, "in_room", "hung told")):
            of = sum(count for (truth, _), count in self.kinds.items() if truth is worn)
            kinds += f", {name} {self.kinds.get((worn, kind), 0)}/{of}" if of else ""
        share = self.confused / max(self.hits + self.missed, 1)
        return (
            f"F1 {self.f1:.3f}, worst seed {min(self.by_seed):.3f}, median seed {median(self.by_seed):.3f} "
            f"({self.hits} hit, {self.false} false, {self.missed} missed), room confused {share:.1%}, "
            f"off by {self.edge(0.5):.1f} s, p95 {self.edge(0.95):.1f} s{kinds}, {self.cpu / self.reads * 1e6:.1f} µs/read"
        )


def _f1(hits: int, false: int, missed: int) -> float:
    return 2 * hits / max(2 * hits + false + missed, 1)


def _same(one: Session, stay: Stay) -> bool:
    both = min(one.end, stay.end) - max(one.start, stay.start)
    return (one.epc, one.room) == (stay.epc, stay.room) and both >= (
        max(one.end, stay.end) - min(one.start, stay.start)
    ) / 2
