"""How many devices a window's bursts stand for: the estimator, and what it learns from a counted room.

A phone with random addresses sends one burst every T seconds on average, so that B bursts in W seconds are B x T / W
phones, present on average over the window. T differs between phones (labelled phones: 27 to 138 s from the tenth to the
ninetieth percentile) and between places and seasons: it is learnt per site, and the interval comes from its spread.
A phone with its own fixed address counts for the time between its first and last burst, and never as more than one.
The number is additive over slices of a window and knows no device longer than a slice.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from edge.processors.bursts import Burst, Window
from sensors.errors import FormatError

_T = Annotated[float, Field(gt=0, le=3600)]
LEAST_WINDOWS = 6
"""Windows with people that a calibration needs: with fewer, a tenth and a ninetieth percentile say nothing."""
GATES_DBM = (None, -80, -75, -70, -65, -60, -55)
"""Gates that a calibration tries."""
_CANDIDATES = np.geomspace(2, 900, 120)
"""Burst intervals that a calibration tries, in seconds; steps of 5 %."""


class BurstInterval(BaseModel):
    """Seconds between the bursts of one phone: the value used, and the tenth and ninetieth percentile over windows."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    median: _T
    p10: _T
    p90: _T

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.p10 <= self.median <= self.p90:
            raise ValueError("p10 <= median <= p90 is required")
        return self


class WifiCalibration(BaseModel):
    """What a site's estimator has learnt; written by ``yingke wifi calibrate``, read by the box and ``wifi count``."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    burst_interval_s: BurstInterval
    rssi_gate_dbm: Annotated[int, Field(ge=-120, le=0)] | None = Field(
        description="bursts whose strongest frame is weaker are passing by; null: all count as inside"
    )
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
    burst_interval_s=BurstInterval(median=54.0, p10=27.0, p90=138.0),
    rssi_gate_dbm=-65,
    fitted_on="labelled phones, not this site",
    date=date(2026, 11, 1),
)
"""For a site without a calibration: the spread of single labelled phones (its source is in the module's text), and the
gate with which a real room was followed best."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """Devices present on average over what was observed, with an interval meant to hold in eight of ten windows."""

    value: float
    low: float
    high: float


def is_inside(burst: Burst, gate_dbm: int | None) -> bool:
    """Strong enough to be inside; without a gate, or without a measured strength, everything is."""
    return gate_dbm is None or burst.rssi_dbm is None or burst.rssi_dbm >= gate_dbm


def present(bursts: Iterable[Burst], interval_s: float, seconds: float) -> float:
    """Device-seconds in ``seconds`` of one slice when a phone sends a burst every ``interval_s``."""
    total = 0.0
    fixed: dict[bytes, list[float]] = {}
    for burst in bursts:
        if burst.randomised:
            # A burst stands for the time to the next one; a search that goes on for longer stands for its length.
            total += max(interval_s, burst.end - burst.start)
        else:
            times = fixed.setdefault(burst.device, [0.0, burst.start, burst.end])
            times[0] += interval_s
            times[2] = max(times[2], burst.end)
    return total + sum(min(seconds, max(by_rate, last - first)) for by_rate, first, last in fixed.values())


def estimate(
    window: Window, calibration: WifiCalibration, observed_s: float, *, inside: bool = True
) -> Estimate | None:
    """Devices inside (or passing), or ``None`` when the window cannot be stood for.

    ``observed_s`` says how many of the window's seconds were listened to: under half of them, or with more bursts than
    can be real, there is no estimate.
    """
    if window.overflowed or observed_s < window.seconds / 2:
        return None
    gate = calibration.rssi_gate_dbm
    parts = [[burst for burst in part.bursts if is_inside(burst, gate) == inside] for part in window.slices]
    interval = calibration.burst_interval_s

    def over(seconds: float) -> float:
        each = zip(parts, window.slices, strict=True)
        return (
            sum(present(bursts, seconds, min(part.end - part.start, observed_s)) for bursts, part in each) / observed_s
        )

    value = over(interval.median)
    # A phone that sent nothing is not excluded: with one chance in ten, 2.3 intervals pass without a burst.
    unseen = 2.3 * interval.median / observed_s
    return Estimate(value, min(value, over(interval.p10)), max(over(interval.p90), value + unseen))


def calibrate(counted: Sequence[tuple[Window, float]], fitted_on: str, today: date) -> WifiCalibration:
    """Learn gate and burst interval from fully observed windows and the mean number of people in each.

    The pair with the least absolute error over all windows wins; the percentiles are those of the interval that would
    have been right in each window with people. Raises ``FormatError`` when there are too few of those.
    """
    people = np.array([number for _, number in counted])
    if int((people >= 1).sum()) < LEAST_WINDOWS:
        found = int((people >= 1).sum())
        raise FormatError(
            f"{found} fully observed windows with people; {LEAST_WINDOWS} are needed",
            "count people for longer, or use a shorter --window",
        )
    curves = {gate: _curves([window for window, _ in counted], gate) for gate in GATES_DBM}
    errors = {gate: np.abs(curve - people[:, None]).sum(axis=0) for gate, curve in curves.items()}
    gate = min(GATES_DBM, key=lambda gate: float(errors[gate].min()))
    best = int(errors[gate].argmin())
    # Each window's own interval: where its curve, which only rises with the interval, reaches the people counted.
    right = [np.searchsorted(curve, number) for curve, number in zip(curves[gate], people, strict=True) if number >= 1]
    own = _CANDIDATES[np.clip(right, 0, len(_CANDIDATES) - 1)]
    median = float(_CANDIDATES[best])
    low, high = (float(value) for value in np.percentile(own, [10, 90]))
    interval = BurstInterval(median=round(median, 1), p10=round(min(low, median), 1), p90=round(max(high, median), 1))
    return WifiCalibration(burst_interval_s=interval, rssi_gate_dbm=gate, fitted_on=fitted_on, date=today)


def _curves(windows: Sequence[Window], gate: int | None) -> "np.ndarray[tuple[int, int], np.dtype[np.float64]]":
    """Estimates, ``(windows, candidates)``."""
    rows = np.empty((len(windows), len(_CANDIDATES)))
    for row, window in enumerate(windows):
        parts = [([b for b in part.bursts if is_inside(b, gate)], part.end - part.start) for part in window.slices]
        for column, seconds in enumerate(_CANDIDATES):
            rows[row, column] = sum(present(bursts, float(seconds), length) for bursts, length in parts)
        rows[row] /= window.seconds
    return rows
