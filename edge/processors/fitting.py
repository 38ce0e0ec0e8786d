"""Fitting a site's calibration: gate, T and a linear correction, each no better than days that were left out say.

Few parameters, drawn towards those of no site in particular, because a year later and at another spot of the room the
phones differ: with many windows the site speaks, with few the prior does.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

import numpy as np
import numpy.typing as npt

from edge.processors.bursts import Window
from edge.processors.chains import Numbers
from edge.processors.estimate import UNCALIBRATED, FitQuality, WifiCalibration, is_inside, mean_devices, widening
from sensors.errors import FormatError

LEAST_WINDOWS = 6
"""Windows with people that a calibration needs: with fewer there is nothing to leave out in turn."""
GATES_DBM = (None, -80, -75, -70, -65, -60, -55, -50, -45)
INTERVALS_S = np.geomspace(20, 400, 12)
SCALES = np.geomspace(0.4, 2.5, 37)
OFFSETS = np.array([0.0, -0.5, -1.0, -2.0, -3.0, -5.0])
"""What a fit tries: T in steps of 31 %, people per device in steps of 5 %."""
PRIOR_WINDOWS = 5.0
"""Weight of the prior: a T or a scale off by a factor of 2 or 1.5, or an offset of one person, costs as much as being
wrong by all of the people in so many windows."""
LEAST_SPREAD, MOST_SPREAD = 0.3, 1.5
"""Of the interval. The least is what other phones of the same number differ by; a site that counts the same people day
after day does not see it. Chosen on mixtures of the labelled phones: 0.22 held 62 to 85 %, 0.3 held
93 % and more, before the last changes to the chains."""
HELD = 0.85
"""Share of the left-out windows that the interval is made to hold; 0.8 is promised, of other days."""
AS_GOOD = 1.05
"""Of gates with errors so close the weakest is taken: it depends least on where in the room the receiver stands."""
_QUARTERS = 4
_MOST_FOLDS = 10


@dataclass(frozen=True, slots=True)
class Row:
    """One counted window: the mean number of people, and the devices that each gate and T would give: ``(9, 12)``."""

    start: float
    day: str
    people: float
    devices: Numbers


def row(window: Window, people: float, day: str, observed_s: float) -> Row:
    """The row of a window; what is kept of it for a fit, and no burst."""
    known: dict[int, Numbers] = {}
    devices = []
    for gate in GATES_DBM:
        # A higher gate lets through a part of what a lower one does: as many bursts are the same bursts.
        number = sum(is_inside(burst, gate) for part in window.slices for burst in part.bursts)
        if number not in known:
            known[number] = mean_devices(window, gate, INTERVALS_S, observed_s)
        devices.append(known[number])
    return Row(window.start, day, people, np.array(devices))


Levels = npt.NDArray[np.int64]
"""``(128,)``: of how many bursts the strongest frame was heard at 0, -1, … -127 dBm."""
LEAST_BURSTS = 200


def levels(windows: Sequence[Window]) -> Levels:
    """How many bursts of these windows had which strength; those without one are left out."""
    heard = [b.rssi_dbm for w in windows for part in w.slices for b in part.bursts if b.rssi_dbm is not None]
    return np.bincount(np.clip(-np.array(heard, dtype=np.int64), 0, 127), minlength=128).astype(np.int64)


def strong_dbm(heard: Levels) -> float | None:
    """The strength, dBm, that one burst in ten reaches; ``None`` where too few bursts have one."""
    if heard.sum() < LEAST_BURSTS:
        return None
    return -float(np.searchsorted(np.cumsum(heard), heard.sum() / 10))


def fit(
    rows: Sequence[Row], fitted_on: str, today: date, *, seconds: float = 600.0, strong_dbm: float | None = None
) -> WifiCalibration:
    """Learn gate, T, scale and offset.

    The gate is the one with which days that were left out of the fit in turn were met best (quarters of a single day).
    The interval is as wide as the errors on those days. Raises ``FormatError`` for too few windows with people.
    """
    people = np.array([each.people for each in rows])
    if (people >= 1).sum() < LEAST_WINDOWS:
        fix = "count people for longer, or use a shorter --window"
        if not rows:
            fix = "give each capture the counts of its own day, check --zone, or use a shorter --window"
        raise FormatError(
            f"{(people >= 1).sum()} windows with people, wholly recorded and counted; {LEAST_WINDOWS} are needed", fix
        )
    devices = np.array([each.devices for each in rows])
    folds = _folds(rows)
    left_out = [_left_out(devices[:, gate], people, folds) for gate in range(len(GATES_DBM))]
    errors = [np.abs(values - people).sum() for values in left_out]
    gate = next(index for index, error in enumerate(errors) if error <= AS_GOOD * min(errors))
    interval, scale, offset = _best(devices[:, gate], people)
    days = [datetime.fromtimestamp(each.start, UTC).date() for each in rows]
    return WifiCalibration(
        burst_interval_s=round(float(INTERVALS_S[interval]), 1),
        scale=round(float(scale), 3),
        offset=float(offset),
        rssi_gate_dbm=GATES_DBM[gate],
        spread=round(_spread(left_out[gate], people), 3),
        strong_dbm=strong_dbm,
        window_seconds=seconds,
        quality=FitQuality(
            windows=len(rows),
            days=len({each.day for each in rows}),
            first=min(days),
            last=max(days),
            wape=round(float(errors[gate] / people.sum()), 3),
            r=_correlation(left_out[gate], people),
        ),
        fitted_on=fitted_on[:500],
        date=today,
    )


def _folds(rows: Sequence[Row]) -> npt.NDArray[np.intp]:
    """A number for each row: those of one day are left out together; of a single day, those of a quarter of it."""
    days = sorted({each.day for each in rows})
    if len(days) > 1:
        return np.array([days.index(each.day) % _MOST_FOLDS for each in rows])
    order = np.argsort(np.argsort([each.start for each in rows]))
    return order * _QUARTERS // len(rows)


def _left_out(devices: Numbers, people: Numbers, folds: npt.NDArray[np.intp]) -> Numbers:
    """Each row's estimate, by the fit on the rows of other folds; ``devices`` is ``(rows, intervals)``."""
    values = np.zeros_like(people)
    for fold in np.unique(folds):
        out = folds == fold
        interval, scale, offset = _best(devices[~out], people[~out])
        values[out] = np.maximum(0.0, devices[out, interval] * scale + offset)
    return values


def _best(devices: Numbers, people: Numbers) -> tuple[int, float, float]:
    """Index of T, scale and offset with the least absolute error and distance from the prior."""
    values = devices[:, :, None, None] * SCALES[:, None] + OFFSETS
    lost = np.abs(np.maximum(values, 0.0) - people[:, None, None, None]).sum(axis=0)
    far = (
        (np.log(INTERVALS_S / UNCALIBRATED.burst_interval_s) / np.log(2))[:, None, None] ** 2
        + (np.log(SCALES / UNCALIBRATED.scale) / np.log(1.5))[:, None] ** 2
        + OFFSETS**2
    )
    best = np.unravel_index((lost + PRIOR_WINDOWS * people.mean() * far).argmin(), lost.shape)
    return int(best[0]), float(SCALES[best[1]]), float(OFFSETS[best[2]])


def _spread(values: Numbers, people: Numbers) -> float:
    some = people >= 1
    off = np.abs(np.log(people[some] / np.maximum(values[some], 0.5)))
    off /= np.array([widening(value) for value in values[some]])
    return min(MOST_SPREAD, max(LEAST_SPREAD, float(np.quantile(off, HELD))))


def _correlation(values: Numbers, people: Numbers) -> float | None:
    if people.std() < 0.1 * people.mean() or values.std() == 0:
        return None
    return round(float(np.corrcoef(values, people)[0, 1]), 3)
