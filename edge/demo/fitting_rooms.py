"""SIMULATED fitting rooms: people, garments and a rack, as the tag reads of one reader, with the truth beside them.

Engineering assumptions, not measurements. One ceiling antenna per room, rooms in a row; optionally one more antenna
over the shop floor. A rack stands beside room 1. Visitors carry one to five garments past the other doors into a
room, try some of them on one after the other, hang others on the hook, and walk out; some garments come from the rack
and go back to it. Others only pass the doors, or stop before one. Levels have 4 dB of noise per attempt and 4 dB per
tag, and are lower behind walls, in the shadow of other bodies and while worn.

On request, too: items left behind until staff clear the room, visitors who change rooms, antennas that hear better or
worse than the rest, and jewellery: trays with a near-field antenna each, on which many small tags lie at once and from
which single pieces are taken up.
"""

from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from sensors.readings import TagRead

Kind = Literal["visit", "left", "changed", "tray"]
Levels = npt.NDArray[np.float64]
_INSIDE, _PASSING, _RACK, _FLOOR = -52.0, -62.0, -70.0, -64.0
"""dBm at the own antenna: in the room, before its door, on the rack; and of the floor antenna on the shop floor."""
_FADE: Final = 7.0
"""dB per room that one walks away from a door."""
_ON_TRAY: Final = -55.0
"""dBm of a small tag in the near field of its tray; beside the tray it is not heard at all."""
_THRESHOLD: Final = -74.0
"""dBm at which half of the attempts succeed."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What is simulated; ``start`` in epoch seconds, levels in dB."""

    start: float
    seed: int
    seconds: int = 3600
    rooms: int = 4
    wall_db: float = 8.0
    worn_db: float = 9.0
    shadow_db: float = 14.0
    shadow_share: float = 0.25
    rack: int = 40
    visits_per_hour: float = 40.0
    passers_per_hour: float = 30.0
    tried_share: float = 0.6
    floor_antenna: bool = False
    read_rate: float = 0.85
    left_share: float = 0.0
    change_share: float = 0.0
    trays: int = 0
    presentations_per_hour: float = 12.0
    gains: tuple[float, ...] = ()

    @property
    def antennas(self) -> int:
        """One per room, then that of the floor, then one per tray."""
        return self.rooms + self.floor_antenna + self.trays

    def names(self) -> dict[int, str]:
        """Antenna to room or tray, as in ``TryOnConfig.rooms``; the floor is no room."""
        trays = {self.rooms + self.floor_antenna + n: f"tray-{n}" for n in range(1, self.trays + 1)}
        return {n: f"room-{n}" for n in range(1, self.rooms + 1)} | trays


@dataclass(frozen=True, slots=True)
class Visit:
    """The truth: an item inside the room of ``antenna`` (from 1), and when it was worn, if it was. Epoch seconds.

    ``kind``: how it came to be there; of an item ``left`` behind, ``end`` is when staff cleared it.
    """

    epc: str
    antenna: int
    start: float
    end: float
    worn: tuple[float, float] | None
    kind: Kind = "visit"


@dataclass(slots=True)
class _Segment:
    """An item doing one thing over seconds ``begin`` to ``end``; positions count rooms from 0."""

    item: int
    kind: Literal["inside", "walk", "rack", "tray"]
    begin: int
    end: int
    x0: float
    x1: float
    worn: tuple[int, int] | None = None
    depth: float = 0.0
    shadow: bool = False
    turn: float = 0.0
    next_turn: int = 0


def garment(number: int) -> bytes:
    """The SGTIN-96 of a made-up garment: company 9506000, which GS1 keeps for examples, 12 products, serials from 1."""
    product, serial = 1340 + number % 12, 1 + number
    return (0x30 << 88 | 1 << 85 | 5 << 82 | 9506000 << 58 | product << 38 | serial).to_bytes(12, "big")


class FittingRooms:
    """One simulated stretch of time: ``visits`` is the truth, ``reads(second)`` what the reader reports, in order."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self._rng = np.random.default_rng(scene.seed)
        self._segments: list[_Segment] = []
        self._busy = np.zeros(scene.rooms)
        self._items = scene.rack
        self._away: dict[int, list[tuple[int, int]]] = {}
        self.visits: list[Visit] = []
        self._plan()
        self._segments.sort(key=lambda segment: segment.begin)
        self._offset = self._rng.normal(0, 4.0, self._items)
        self._epcs = [garment(number).hex().upper() for number in range(self._items)]
        self._active: list[_Segment] = []
        self._coming = 0

    def reads(self, second: int) -> list[TagRead]:
        """The reads of ``second`` (from 0; call in order), by time. Each is one report of a peak level."""
        while self._coming < len(self._segments) and self._segments[self._coming].begin <= second:
            self._active.append(self._segments[self._coming])
            self._coming += 1
        self._active = [segment for segment in self._active if segment.end >= second]
        if not self._active:
            return []
        base = np.array([self._levels(segment, second) for segment in self._active])
        attempts = np.array([2 if segment.kind == "rack" else 4 for segment in self._active])
        return self._report(second, base, attempts)

    def _report(self, second: int, base: Levels, attempts: npt.NDArray[np.int64]) -> list[TagRead]:
        levels = base[:, :, None] + self._rng.normal(0, 4.0, (*base.shape, 4))
        chance = self.scene.read_rate / (1 + np.exp(-(levels - _THRESHOLD) / 2.0))
        heard = (self._rng.random(levels.shape) < chance) & (np.arange(4) < attempts[:, None, None])
        indexes = np.argwhere(heard)
        times = np.sort(self._rng.random(len(indexes)))
        self._rng.shuffle(indexes)
        return [
            TagRead(
                self.scene.start + second + float(moment),
                self._epcs[self._active[row].item],
                int(antenna) + 1,
                float(round(levels[row, antenna, attempt] * 2) / 2),
            )
            for moment, (row, antenna, attempt) in zip(times, indexes, strict=True)
        ]

    def _levels(self, segment: _Segment, second: int) -> list[float]:
        scene, rng = self.scene, self._rng
        here = (second - segment.begin) / max(segment.end - segment.begin, 1)
        x = segment.x0 + (segment.x1 - segment.x0) * here
        lift = float(self._offset[segment.item])
        if segment.kind == "tray":
            levels = [-150.0] * scene.antennas
            if not (segment.worn and segment.worn[0] <= second <= segment.worn[1]):
                levels[int(segment.x0)] = _ON_TRAY + lift
            return levels
        if segment.kind == "rack":
            if rng.random() < 0.5:
                return [-150.0] * scene.antennas
            levels = [_RACK - 9.0 * room for room in range(scene.rooms)]
        elif segment.kind == "walk":
            levels = [_PASSING - _FADE * min(3.0, abs(room - x)) for room in range(scene.rooms)]
        else:
            levels = [_INSIDE - scene.wall_db * min(2.4, abs(room - x)) for room in range(scene.rooms)]
            if second >= segment.next_turn:
                segment.turn = float(rng.normal(0, 2.0))
                segment.next_turn = second + int(rng.integers(20, 60))
            lift += segment.turn
            if segment.worn and segment.worn[0] <= second <= segment.worn[1]:
                lift -= segment.depth
        if scene.floor_antenna:
            levels.append(_FLOOR - (2 * scene.wall_db if segment.kind == "inside" else 0.0))
        levels += [-150.0] * scene.trays
        if segment.kind != "rack":
            odds = scene.shadow_share / max(1 - scene.shadow_share, 1e-9)
            segment.shadow = bool(rng.random() > 0.3) if segment.shadow else bool(rng.random() < 0.3 * odds)
            lift -= scene.shadow_db if segment.shadow else 0.0
        if scene.gains:
            return [level + lift + gain for level, gain in zip(levels, scene.gains, strict=True)]
        return [level + lift for level in levels]

    def _plan(self) -> None:
        scene, rng = self.scene, self._rng
        for rate, plan in ((scene.visits_per_hour, self._plan_visit), (scene.passers_per_hour, self._plan_passer)):
            second = 0.0
            while rate > 0 and (second := second + rng.exponential(3600 / rate)) < scene.seconds:
                plan(int(second))
        for tray in range(scene.trays):
            self._plan_tray(tray)
        for item in range(scene.rack):
            begin = 0
            for left, back in (*sorted(self._away.get(item, [])), (scene.seconds, scene.seconds)):
                self._segments.append(_Segment(item, "rack", begin, left - 1, 0, 0))
                begin = back

    def _plan_visit(self, second: int) -> None:
        scene, rng = self.scene, self._rng
        free = [room for room in range(scene.rooms) if self._busy[room] < second]
        if not free:
            return
        room = int(rng.choice(free))
        start = second + int(rng.integers(4, 14))
        end = start + int(np.clip(rng.lognormal(np.log(210), 0.5), 60, 900))
        self._busy[room] = end + 15
        worn_from = start + int(rng.integers(15, 30))
        for _ in range(int(rng.choice([1, 2, 3, 4, 5], p=[0.25, 0.3, 0.2, 0.15, 0.1]))):
            item = self._take(second, end)
            worn = None
            if rng.random() < scene.tried_share and worn_from + 30 < end - 15:
                worn = (worn_from, min(end - 10, worn_from + int(rng.integers(30, 150))))
                worn_from = worn[1] + int(rng.integers(10, 30))
            if scene.change_share and rng.random() < scene.change_share:
                self._change(item, room, second, start, end, worn)
            else:
                self._carry(item, room, second, start, end, worn)

    def _change(self, item: int, room: int, second: int, start: int, end: int, worn: tuple[int, int] | None) -> None:
        """The visitor, or only this item, goes on to another room after half of the time, or later if it is worn."""
        half = max((start + end) // 2, worn[1] + 10 if worn else 0)
        other = (room + 1 + int(self._rng.integers(0, max(self.scene.rooms - 1, 1)))) % self.scene.rooms
        if self.scene.rooms < 2 or end - half < 60 or half - start < 60:
            self._carry(item, room, second, start, end, worn)
            return
        self._carry(item, room, second, start, half, worn, kind="changed", onward=other)
        self._carry(item, other, half + 1, half + 9, end, None, kind="changed", back=room)

    def _plan_tray(self, tray: int) -> None:
        """Presentations one after the other: 5 to 24 pieces together, half of them taken up once for 15 to 40 s."""
        scene, rng = self.scene, self._rng
        antenna, second = scene.rooms + scene.floor_antenna + tray, 0.0
        while (second := second + rng.exponential(3600 / scene.presentations_per_hour)) < scene.seconds:
            start, end = int(second), int(second) + int(np.clip(rng.lognormal(np.log(150), 0.5), 60, 600))
            for _ in range(int(rng.integers(5, 25))):
                item, self._items = self._items, self._items + 1
                worn = None
                if rng.random() < 0.5 and end - start > 100:
                    begin = start + int(rng.integers(20, end - start - 65))
                    worn = (begin, begin + int(rng.integers(15, 40)))
                self._segments.append(_Segment(item, "tray", start, end, antenna, antenna, worn))
                self._record(item, antenna, start, end, worn, "tray")
            second = float(end) + 20

    def _record(self, item: int, antenna: int, start: int, end: int, worn: tuple[int, int] | None, kind: Kind) -> None:
        begin = self.scene.start
        truth = (begin + worn[0], begin + worn[1]) if worn else None
        epc = garment(item).hex().upper()
        self.visits.append(Visit(epc, antenna + 1, begin + start, begin + end + 1, truth, kind))

    def _carry(
        self,
        item: int,
        room: int,
        second: int,
        start: int,
        end: int,
        worn: tuple[int, int] | None,
        kind: Kind = "visit",
        onward: int | None = None,
        back: int | None = None,
    ) -> None:
        """In from ``back`` (else from one side), inside, and out, unless it goes ``onward`` from here."""
        walk, side = int(self._rng.integers(4, 14)), float(self._rng.choice([-1, 1]))
        if kind == "visit" and self.scene.left_share and self._rng.random() < self.scene.left_share:
            kind, end = "left", end + int(self._rng.integers(60, 600))
        origin = room - side * (start - second) / 2 if back is None else back
        self._segments.append(_Segment(item, "walk", second, start - 1, origin, room))
        inside = _Segment(item, "inside", start, end, room, room, worn)
        inside.depth = self.scene.worn_db * float(self._rng.uniform(0.7, 1.6))
        self._segments.append(inside)
        if onward is None:
            self._segments.append(_Segment(item, "walk", end + 1, end + walk, room, room + side * walk / 2))
        self._record(item, room, start, end, worn, kind)

    def _take(self, second: int, end: int) -> int:
        """A garment from elsewhere in the shop, or (one in five) from the rack, to which it goes back afterwards."""
        rack = [i for i in range(self.scene.rack) if all(back < second for _, back in self._away.get(i, []))]
        if rack and self._rng.random() < 0.2:
            item = int(self._rng.choice(rack))
            late = 600 if self.scene.left_share else 0
            self._away.setdefault(item, []).append((second, end + late + int(self._rng.integers(30, 300))))
            return item
        self._items += 1
        return self._items - 1

    def _plan_passer(self, second: int) -> None:
        """Carries a garment along all doors; one in three stops before one for up to 15 s."""
        scene, rng = self.scene, self._rng
        item, self._items = self._items, self._items + 1
        ends = (-2.0, scene.rooms + 1.0) if rng.random() < 0.5 else (scene.rooms + 1.0, -2.0)
        door = float(rng.integers(0, scene.rooms))
        half = int(abs(door - ends[0]) * 2)
        pause = int(rng.integers(5, 16)) if rng.random() < 1 / 3 else 0
        self._segments.append(_Segment(item, "walk", second, second + half, ends[0], door))
        if pause:
            self._segments.append(_Segment(item, "walk", second + half + 1, second + half + pause, door, door))
        last = second + half + pause + 1
        self._segments.append(_Segment(item, "walk", last, last + int(abs(ends[1] - door) * 2), door, ends[1]))


def calibration_walk(scene: Scene, seconds: int = 40) -> list[TagRead]:
    """One tag carried through every room, ``seconds`` in each, 8 s of corridor between: what a calibration records."""
    gains = scene.gains[: scene.antennas - scene.trays]
    walker = FittingRooms(
        replace(scene, rack=0, visits_per_hour=0, passers_per_hour=0, trays=0, left_share=0, gains=gains)
    )
    second = 5
    for room in range(scene.rooms):
        walker._carry(0, room, second, second + 8, second + 8 + seconds, None)
        second += 8 + seconds + 8
    walker._segments.sort(key=lambda segment: segment.begin)
    walker._offset, walker._epcs = np.zeros(1), [garment(0).hex().upper()]
    return [read for moment in range(second + 20) for read in walker.reads(moment)]
