"""How many devices a window's bursts stand for: the estimator, and what it learns from a counted room.

A phone with random addresses sends one burst every T seconds on average, so that B bursts in W seconds are B x T / W
phones, present on average over the window. T differs between phones and places, and is learnt per site. Kinds of phones
(masked fingerprints) correct both ends: a kind heard throughout the window is at least one phone, however rarely it
sends; and one whose bursts come like clockwork is one phone, however often it sends. A phone with its own fixed address
counts for the time between its first and last burst. All of it adds up over slices of a window, and knows nobody for
longer than a slice.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge.processors.bursts import Burst, Window
from sensors.errors import FormatError

LEAST_WINDOWS = 6
"""Windows with people that a calibration needs: with fewer, a tenth and a ninetieth percentile say nothing."""
GATES_DBM = (None, -80, -75, -70, -65, -60, -55)
FLOORS = (0.0, 0.5, 1.0)
INTERVALS_S = np.geomspace(2, 900, 120)
"""What a calibration tries; the intervals are 5 % apart."""
SINGLE = 0.3
"""Share of the window for which a kind heard once counts as heard throughout. Of 0.3 and 0.6, tried on labelled phones
and in a room, 0.3 was better in the room and as good on the phones."""
_REGULAR_BURSTS, _REGULAR_SHARE, _REGULAR_WITHIN, _REGULAR_LEAST_S = 8, 0.5, 0.15, 5.0
"""Like clockwork: of eight bursts or more, half of the pauses are within 15 % of their median, which is over 5 s.
Labelled phones in use send every 15.0 or 20.0 s exactly; two phones of a kind are not in step."""

_OTHER_DAYS = 1.25
"""The days that are fitted resemble themselves: plain percentiles held 75 % of a room's other windows, not 80."""


class WifiCalibration(BaseModel):
    """What a site's estimator has learnt; written by ``yingke wifi calibrate``, read by the box and ``wifi count``."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    burst_interval_s: Annotated[float, Field(gt=0, le=3600, description="mean seconds between the bursts of a phone")]
    kind_floor: Annotated[float, Field(ge=0, le=1, description="phones that a kind heard throughout counts at least")]
    rssi_gate_dbm: Annotated[int, Field(ge=-120, le=0)] | None = Field(
        description="bursts whose strongest frame is weaker are passing by; null: all count as inside"
    )
    ratio_p10: Annotated[float, Field(ge=0, le=1, description="truth / estimate, tenth percentile over the windows")]
    ratio_p90: Annotated[float, Field(ge=1, le=100, description="the same, ninetieth percentile")]
    fitted_on: Annotated[str, Field(max_length=500)]
    date: date

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a calibration file. Raises ``FormatError``, naming the field, when it is none."""
        fix = "make one with: yingke wifi calibrate PCAP --truth CSV -o FILE"
        try:
            return cls.model_validate_json(path.read_bytes())
        except OSError as error:
            raise FormatError(f"{path}: {error.strerror}", fix) from error
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise FormatError(
                f"{path}: no Wi-Fi calibration: {where + ': ' if where else ''}{first['msg']}", fix
            ) from error


UNCALIBRATED = WifiCalibration(
    burst_interval_s=65.0,
    kind_floor=1.0,
    rssi_gate_dbm=-65,
    ratio_p10=0.6,
    ratio_p90=1.7,
    fitted_on="labelled phones and one room, not this site",
    date=date(2026, 11, 1),
)
"""For a site without a calibration. Labelled phones ask for 98 s, a room of counted people for 22 to 72: between them.
The gate is the one with which that room was followed best."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """Devices present on average over what was observed, with an interval meant to hold in eight of ten windows."""

    value: float
    low: float
    high: float


def is_inside(burst: Burst, gate_dbm: int | None) -> bool:
    """Strong enough to be inside; without a gate, or without a measured strength, everything is."""
    return gate_dbm is None or burst.rssi_dbm is None or burst.rssi_dbm >= gate_dbm


Numbers = npt.NDArray[np.float64]


def device_seconds(bursts: Iterable[Burst], intervals_s: Numbers, floor: float, seconds: float) -> Numbers:
    """Device-seconds in ``seconds`` of one slice, for each burst interval in ``intervals_s``; the same shape."""
    groups: dict[tuple[bool, bytes], list[Burst]] = {}
    for burst in bursts:
        groups.setdefault((burst.randomised, burst.kind if burst.randomised else burst.device), []).append(burst)
    total = np.zeros_like(intervals_s)
    for (randomised, _), group in groups.items():
        busy = sum(burst.end - burst.start for burst in group)
        by_rate = np.maximum(len(group) * intervals_s, busy)
        if not randomised:
            total += np.minimum(seconds, np.maximum(by_rate, max(b.end for b in group) - group[0].start))
            continue
        devices = np.maximum(by_rate, floor * _throughout(group, seconds))
        total += np.minimum(devices, seconds) if _like_clockwork(group) else devices
    return total


def _throughout(group: Sequence[Burst], seconds: float) -> float:
    """For how long one phone with these bursts was there: their span, and half a pause before and after it."""
    if len(group) == 1:
        return SINGLE * seconds
    return min(seconds, (group[-1].start - group[0].start) * (len(group) + 1) / (len(group) - 1))


def _like_clockwork(group: Sequence[Burst]) -> bool:
    if len(group) < _REGULAR_BURSTS:
        return False
    pauses = np.diff([burst.start for burst in group])
    middle = float(np.median(pauses))
    regular = np.mean(np.abs(pauses - middle) < _REGULAR_WITHIN * middle)
    return middle > _REGULAR_LEAST_S and bool(regular > _REGULAR_SHARE)


def _mean_devices(
    window: Window, calibrated: tuple[int | None, float], intervals_s: Numbers, observed_s: float, inside: bool = True
) -> Numbers:
    gate, floor = calibrated
    total = np.zeros_like(intervals_s)
    for part in window.slices:
        bursts = [burst for burst in part.bursts if is_inside(burst, gate) == inside]
        total += device_seconds(bursts, intervals_s, floor, min(part.end - part.start, observed_s))
    return total / observed_s


def estimate(
    window: Window, calibration: WifiCalibration, observed_s: float, *, inside: bool = True
) -> Estimate | None:
    """Devices inside (or passing), or ``None`` when the window cannot be stood for.

    ``observed_s`` says how many of the window's seconds were listened to: under half of them, or with more bursts than
    can be real, there is no estimate.
    """
    if window.overflowed or observed_s < window.seconds / 2:
        return None
    site = calibration.rssi_gate_dbm, calibration.kind_floor
    interval = calibration.burst_interval_s
    value = float(_mean_devices(window, site, np.array([interval]), observed_s, inside)[0])
    # A phone that sent nothing is not excluded: with one chance in ten, 2.3 intervals pass without a burst.
    unseen = 2.3 * interval / observed_s
    return Estimate(value, value * calibration.ratio_p10, max(value * calibration.ratio_p90, value + unseen))


def calibrate(counted: Sequence[tuple[Window, float]], fitted_on: str, today: date) -> WifiCalibration:
    """Learn gate, floor and burst interval from fully observed windows and the mean number of people in each.

    The combination with the least absolute error over all windows wins; the percentiles are those of people per
    estimated device with it. Raises ``FormatError`` when there are too few windows with people.
    """
    people = np.array([number for _, number in counted])
    some = people >= 1
    if some.sum() < LEAST_WINDOWS:
        raise FormatError(
            f"{some.sum()} fully observed windows with people; {LEAST_WINDOWS} are needed",
            "count people for longer, or use a shorter --window",
        )
    sites = [(gate, floor) for gate in GATES_DBM for floor in FLOORS]
    curves = {
        site: np.array([_mean_devices(window, site, INTERVALS_S, window.seconds) for window, _ in counted])
        for site in sites
    }
    errors = {site: np.abs(curve - people[:, None]).sum(axis=0) for site, curve in curves.items()}
    gate, floor = best = min(sites, key=lambda site: float(errors[site].min()))
    column = int(errors[best].argmin())
    low, high = np.percentile(people[some] / np.maximum(curves[best][some, column], 0.1), [10, 90])
    return WifiCalibration(
        burst_interval_s=round(float(INTERVALS_S[column]), 1),
        kind_floor=floor,
        rssi_gate_dbm=gate,
        ratio_p10=round(min(1.0, float(low) ** _OTHER_DAYS), 3),
        ratio_p90=round(min(100.0, max(1.0, float(high) ** _OTHER_DAYS)), 3),
        fitted_on=fitted_on,
        date=today,
    )
