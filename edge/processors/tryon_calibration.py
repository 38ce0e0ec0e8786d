"""Calibration of a reader's rooms: one tag carried through all of them tells what each antenna hears in its own room.

An antenna is loudest while the tag is in its room, so that its highest levels, over 15 s, say when that was, however
much better or worse than the others it hears. The offset brings its usual level in its own room to ``REFERENCE_DBM``,
the level that the starting values of ``TryOnConfig`` were chosen for.
"""

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge.processors.tryon_config import Name, TryOnConfig
from sensors.errors import SensorError
from sensors.readings import TagRead

REFERENCE_DBM: Final = -52.0
_WINDOW: Final = 15
_LEAST_SECONDS: Final = 15
"""Seconds in a room below which its level is a guess."""
_LEAST_LEAD: Final = 2.0
"""dB. A room whose own antenna leads by less cannot be told from its neighbour."""


class Calibration(BaseModel):
    """What a walk measured. ``offsets_db`` by antenna, ``enter_dbm``, ``lead_db`` and ``seconds`` by room."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    tag: str
    offsets_db: dict[Annotated[int, Field(ge=1, le=65535)], Annotated[float, Field(ge=-40, le=40)]]
    enter_dbm: dict[Name, Annotated[float, Field(ge=-120, le=0)]]
    lead_db: dict[Name, float]
    seconds: dict[Name, int]

    @property
    def doubtful(self) -> tuple[str, ...]:
        """Rooms that cannot be told from a neighbour: less power, or a shield, is what helps there."""
        return tuple(room for room, lead in self.lead_db.items() if lead < _LEAST_LEAD)


@dataclass(frozen=True, slots=True)
class _Walk:
    """Per second and antenna of a room the strongest read, ``missing`` where there was none."""

    antennas: tuple[int, ...]
    levels: list[dict[int, float]]


def calibrate(reads: Iterable[TagRead], config: TryOnConfig, tag: str | None = None) -> Calibration:
    """The calibration from a walk. ``tag``: the EPC that was carried; without one, the tag read most.

    Raises ``SensorError`` when the tag was not long enough in one of the rooms.
    """
    taken = [read for read in reads if read.antenna in config.rooms and read.rssi_dbm is not None]
    carried = tag.upper() if tag else _most_read(taken)
    walk = _walk([read for read in taken if read.epc == carried], config)
    peaks = {antenna: _peak(walk, antenna, config.missing_dbm) for antenna in walk.antennas}
    for antenna, peak in peaks.items():
        if peak < config.missing_dbm + 2.0:
            raise SensorError(
                f"antenna {antenna} in {config.rooms[antenna]} hardly heard the tag",
                "carry one tag through every room, 30 s or more in each, and check which antenna is in which room",
            )
    inside = _inside(walk, peaks, config)
    offsets: dict[int, float] = {}
    for antenna in walk.antennas:
        own = inside[config.rooms[antenna]]
        heard = [levels[antenna] for levels in own if levels[antenna] > config.missing_dbm]
        if len(own) < _LEAST_SECONDS or len(heard) < 5:
            raise SensorError(
                f"the tag was {len(own)} s in {config.rooms[antenna]}, heard {len(heard)} s by antenna {antenna}",
                "carry one tag through every room, 30 s or more in each, and check which antenna is in which room",
            )
        offsets[antenna] = round(max(-40.0, min(40.0, REFERENCE_DBM - median(heard))), 1)
    rooms = sorted(set(config.rooms.values()))
    return Calibration(
        tag=carried,
        offsets_db=offsets,
        enter_dbm={room: _enter(inside[room], room, config) for room in rooms},
        lead_db={room: _lead(inside[room], room, offsets, config) for room in rooms},
        seconds={room: len(inside[room]) for room in rooms},
    )


def load(path: Path) -> Calibration:
    """Read a calibration. Raises ``SensorError`` when the file is missing or damaged."""
    fix = "write it again: yingke rfid calibrate READS --rooms … --out FILE"
    try:
        return Calibration.model_validate(json.loads(path.read_bytes()))
    except OSError as error:
        raise SensorError(f"cannot read calibration {path}: {error.strerror}", fix) from error
    except (ValueError, ValidationError) as error:
        raise SensorError(f"calibration {path} is damaged or none", fix) from error


def calibrated(config: TryOnConfig) -> TryOnConfig:
    """``config`` with the numbers of its calibration file, if it names one; what it sets itself wins."""
    if config.calibration is None:
        return config
    found = load(config.calibration)
    # Trays and other places that nobody walks into keep their levels as they are.
    if not set(config.rooms) & set(found.offsets_db):
        raise SensorError(
            f"calibration {config.calibration} has none of the antennas of these rooms",
            "calibrate again with the rooms of the configuration",
        )
    return config.model_copy(
        update={
            "offsets_db": {**found.offsets_db, **config.offsets_db},
            "enter_room_dbm": {**found.enter_dbm, **config.enter_room_dbm},
        }
    )


def _most_read(reads: list[TagRead]) -> str:
    counts: dict[str, int] = {}
    for read in reads:
        counts[read.epc] = counts.get(read.epc, 0) + 1
    if not counts:
        raise SensorError(
            "no read with a level by an antenna of a room", "check --rooms, and that the reader gives RSSI"
        )
    return max(counts, key=lambda epc: counts[epc])


def _walk(reads: list[TagRead], config: TryOnConfig) -> _Walk:
    antennas = tuple(sorted(config.rooms))
    if not reads:
        raise SensorError("the tag was not read", "give the EPC of the tag that was carried")
    first, last = int(min(read.time for read in reads)), int(max(read.time for read in reads))
    if last - first > 4 * 3600:
        raise SensorError("the walk is longer than four hours", "record the walk alone")
    levels = [dict.fromkeys(antennas, config.missing_dbm) for _ in range(last - first + 1)]
    for read in reads:
        second = levels[int(read.time) - first]
        second[read.antenna] = max(second[read.antenna], read.rssi_dbm or config.missing_dbm)
    return _Walk(antennas, levels)


def _peak(walk: _Walk, antenna: int, missing: float) -> float:
    """The highest mean over the window: the antenna's level in its own room."""
    means = _means([levels[antenna] for levels in walk.levels])
    return max(means, default=missing)


def _means(values: list[float]) -> list[float]:
    width = min(_WINDOW, len(values))
    total, found = sum(values[:width]), []
    for index in range(width, len(values) + 1):
        found.append(total / width)
        if index < len(values):
            total += values[index] - values[index - width]
    return found


def _inside(walk: _Walk, peaks: dict[int, float], config: TryOnConfig) -> dict[str, list[dict[int, float]]]:
    """The seconds in each room: where its antenna's level over the window is nearest to its own peak, within 6 dB."""
    means = {antenna: _means([levels[antenna] for levels in walk.levels]) for antenna in walk.antennas}
    found: dict[str, list[dict[int, float]]] = {room: [] for room in config.rooms.values()}
    for index, levels in enumerate(walk.levels):
        at = max(0, min(index - _WINDOW // 2, len(next(iter(means.values()))) - 1))
        below = {antenna: peaks[antenna] - means[antenna][at] for antenna in walk.antennas}
        nearest = min(below, key=lambda antenna: below[antenna])
        if below[nearest] < 6.0:
            found[config.rooms[nearest]].append(levels)
    return found


def _enter(inside: list[dict[int, float]], room: str, config: TryOnConfig) -> float:
    """Lower where the room's own antennas heard the tag in less than half of the seconds."""
    own = [antenna for antenna, name in config.rooms.items() if name == room]
    heard = sum(any(levels[antenna] > config.missing_dbm for antenna in own) for levels in inside)
    share = heard / max(len(inside), 1)
    lowest = config.missing_dbm + 2.0
    return round(config.enter_dbm if share >= 0.5 else max(lowest, config.enter_dbm + 3 * math.log2(2 * share)), 1)


def _lead(inside: list[dict[int, float]], room: str, offsets: dict[int, float], config: TryOnConfig) -> float:
    """dB by which the room's antennas lead in it once the offsets are added, on average."""
    leads = []
    for levels in inside:
        shifted = {a: level + offsets[a] for a, level in levels.items() if level > config.missing_dbm}
        own = max((v for a, v in shifted.items() if config.rooms[a] == room), default=config.missing_dbm)
        other = max((v for a, v in shifted.items() if config.rooms[a] != room), default=config.missing_dbm)
        leads.append(own - other)
    return round(sum(leads) / max(len(leads), 1), 1)
