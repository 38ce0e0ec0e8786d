"""How many devices a window's bursts stand for, with an interval, and the calibration file of a site.

``edge.processors.chains`` gives device-seconds for a burst interval T; a site's calibration adds the gate between
inside and passing, T, a linear correction (people are not devices: some carry none, some two, and some devices are
the shop's own), and how far off it was on days it was not fitted on. All of it adds up over slices of a window, and
knows nobody for longer than a slice. ``edge.processors.fitting`` makes the calibration.
"""

import math
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge.processors.bursts import Burst, Window
from edge.processors.chains import Numbers, device_seconds
from sensors.errors import FormatError

NOISE = 5.0
"""Phones; of N phones in a window, those whose bursts happened to be few or many make the logarithm of the ratio of
truth to estimate wider by the square root of 1 + 5 / N. A round number that made
mixtures of 5 to 40 labelled phones be held alike; not fitted."""
BAD_WAPE, BAD_R = 0.5, 0.4
"""A fit whose estimates are off by half of the people on days that it was not fitted on, or hardly follow them, is not
shown. Counting nobody at all is off by 1.0; the room of the public recordings without a gate has r 0.66."""


class FitQuality(BaseModel):
    """How well estimates agreed with people on days, or quarters of one day, that were left out of the fit in turn."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    windows: Annotated[int, Field(ge=1)]
    days: Annotated[int, Field(ge=1)]
    first: date
    last: date
    wape: Annotated[float, Field(ge=0, description="sum of absolute errors / sum of people")]
    r: Annotated[float, Field(ge=-1, le=1)] | None = Field(description="null: the number of people hardly changed")

    @property
    def is_bad(self) -> bool:
        """Whether an estimate made with this fit must not be shown."""
        return self.wape > BAD_WAPE or (self.r is not None and self.r < BAD_R)


class WifiCalibration(BaseModel):
    """What a site's estimator has learnt; written by ``yingke wifi calibrate``, read by the box and ``wifi count``."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    burst_interval_s: Annotated[float, Field(gt=0, le=3600, description="T: mean seconds between a phone's bursts")]
    scale: Annotated[float, Field(gt=0, le=20, description="people per device")] = 1.0
    offset: Annotated[float, Field(ge=-1000, le=0, description="people; negative for devices that stay at night")] = 0.0
    rssi_gate_dbm: Annotated[int, Field(ge=-120, le=0)] | None = Field(
        description="bursts whose strongest frame is weaker are passing by; null: all count as inside"
    )
    spread: Annotated[
        float, Field(gt=0, le=3, description="half the interval's width: logarithm of truth / estimate, many phones")
    ]
    strong_dbm: Annotated[float, Field(ge=-120, le=0)] | None = Field(
        default=None, description="one burst in ten was stronger: tells a moved receiver from an empty shop"
    )
    window_seconds: Annotated[float, Field(gt=0)] = 600.0
    quality: FitQuality | None = Field(default=None, description="null: not fitted here")
    fitted_on: Annotated[str, Field(max_length=500)]
    date: date

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a calibration file. Raises ``FormatError``, naming the field, when it is none."""
        fix = "make one with: yingke wifi calibrate --day PCAP:PEOPLE.csv --out FILE"
        try:
            return cls.model_validate_json(path.read_bytes())
        except OSError as error:
            raise FormatError(f"{path}: {error.strerror}", fix) from error
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise FormatError(
                f"{path}: no Wi-Fi calibration of this version: {where + ': ' if where else ''}{first['msg']}", fix
            ) from error


UNCALIBRATED = WifiCalibration(
    burst_interval_s=120.0,
    scale=0.95,
    rssi_gate_dbm=-65,
    spread=0.5,
    fitted_on="labelled phones and one room, not this site",
    date=date(2026, 11, 25),
)
"""For a site without a calibration. Labelled phones ask for 300 s and 0.9, a room of counted people for 66 s and 0.94:
between them. The gate is the one with which that room was followed best."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """Devices present on average over what was observed, with an interval meant to hold in eight of ten windows."""

    value: float
    low: float
    high: float


def is_inside(burst: Burst, gate_dbm: int | None) -> bool:
    """Strong enough to be inside; without a gate, or without a measured strength, everything is."""
    return gate_dbm is None or burst.rssi_dbm is None or burst.rssi_dbm >= gate_dbm


def mean_devices(
    window: Window, gate_dbm: int | None, intervals_s: Numbers, observed_s: float, *, inside: bool = True
) -> Numbers:
    """Mean number of devices in the ``observed_s`` seconds of a window, for each T of ``intervals_s``."""
    total = np.zeros_like(intervals_s)
    for part in window.slices:
        bursts = [burst for burst in part.bursts if is_inside(burst, gate_dbm) == inside]
        total += device_seconds(bursts, intervals_s, min(part.end - part.start, observed_s))
    return total / observed_s


def estimate(
    window: Window, calibration: WifiCalibration, observed_s: float, *, inside: bool = True
) -> Estimate | None:
    """People inside with a device (or passing), or ``None`` when the window cannot be stood for.

    ``observed_s`` says how many of the window's seconds were listened to: under half of them, or with more bursts than
    can be real, there is no estimate.
    """
    if window.overflowed or observed_s < window.seconds / 2:
        return None
    interval = calibration.burst_interval_s
    devices = mean_devices(window, calibration.rssi_gate_dbm, np.array([interval]), observed_s, inside=inside)
    offset = calibration.offset if inside else 0.0
    value = max(0.0, float(devices[0]) * calibration.scale + offset)
    wide = math.exp(calibration.spread * widening(value))
    # A phone that sent nothing is not excluded: with one chance in ten, 2.3 intervals pass without a burst.
    unseen = 2.3 * interval / observed_s
    return Estimate(value, value / wide, max(value * wide, value + unseen))


def widening(value: float) -> float:
    """By how much the interval of ``value`` phones is wider than that of very many; see ``NOISE``."""
    return math.sqrt(1 + NOISE / max(value, 1.0))
