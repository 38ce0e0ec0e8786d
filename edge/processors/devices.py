"""Probe requests to ``devices.window`` events: how many devices are inside and passing by, never which."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from edge.processors.bursts import Window, Windows
from edge.processors.doors import DoorBoard, Flow
from edge.processors.dwell import mean_dwell
from edge.processors.estimate import UNCALIBRATED, Estimate, WifiCalibration, estimate, is_inside
from edge.processors.site import Learning
from sensors.readings import Attention, ProbeRequest
from sync.events import DevicesWindow, Event, Interval, utc

LEAST_SHOWN = 5
"""Devices; a smaller number stays in the box (PRIVACY rule 10)."""


class DevicesConfig(BaseModel):
    """Windows of one Wi-Fi sensor. Without a calibration nothing is estimated, and the events say so."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    window_seconds: Annotated[
        float, Field(ge=60, le=3600, description="aligned to multiples of itself since the epoch")
    ] = 600.0
    calibration: Path | None = Field(default=None, description="file written by: yingke wifi calibrate")
    doors: tuple[str, ...] = Field(
        default=(),
        description="lines around the store, whose balance since the night says how many people are inside, or zones "
        "that together show all of it: the box then fits the calibration every week, withholds the estimate while it "
        "drifts from them, and with lines tells how long people stay on average",
    )

    @model_validator(mode="after")
    def _doors_count_by_the_minute(self) -> Self:
        if self.doors and self.window_seconds % 60:
            raise ValueError("doors are counted by the minute: make window_seconds a multiple of 60")
        return self


HELD_S = 360.0
"""Seconds after which a minute of the doors is final: an entry rule holds a visit for up to 300."""
HOUR_S = 3600.0
"""How long a mean stay is taken over: with less, most who came have not left."""


@dataclass(frozen=True, slots=True)
class _Told:
    """A window that is over, and what was made of it; ``shown``: all that was inside may leave the box."""

    window: Window
    inside: Estimate
    shown: bool


@dataclass(frozen=True, slots=True)
class _Counted:
    start: float
    inside: Estimate
    flow: Flow


class DevicesProcessor:
    """One event per window, also for a window without a single frame.

    A number under five never leaves, and neither does what it could be worked out from: the event then counts only the
    bursts and frames of the number that is shown. ``malformed`` gives the source's running count of damaged frames.
    Raises ``FormatError`` when the calibration file is none.
    """

    def __init__(
        self,
        sensor: str,
        config: DevicesConfig,
        malformed: Callable[[], int] = lambda: 0,
        board: DoorBoard | None = None,
        kept: Path | None = None,
    ) -> None:
        self._sensor, self._seconds = sensor, config.window_seconds
        self._calibration = None if config.calibration is None else WifiCalibration.load(config.calibration)
        self._board, self._doors = board, config.doors
        self._learning: Learning | None = None
        if config.doors and board is not None and kept is not None:
            self._learning = Learning(kept, self._calibration, config.window_seconds)
            self._calibration = self._learning.calibration
        self._waiting: list[_Told] = []
        """Windows whose doors may still be counting: a camera's last minute comes after ours."""
        self._counted: list[_Counted] = []
        """The windows of the last hour whose visits are known, without a gap."""
        self._windows = Windows(config.window_seconds)
        self._malformed = malformed
        self._malformed_before = 0
        self._since: float | None = None
        self._lost: list[tuple[float, float]] = []
        """When the source was lost, and when it gave the next reading: infinity while it has not."""
        self._reason: str | None = None

    @property
    def condition(self) -> str | None:
        """``radio_silent`` while the source hears nothing at all, or None."""
        return self._reason

    def process(self, reading: ProbeRequest | Attention, /) -> Sequence[Event]:
        self._begin(reading.time)
        self._reason = reading.reason if isinstance(reading, Attention) else None
        if self._reason is not None:
            self.lost(reading.time)
            return self._events(self._windows.until(reading.time))
        if self._lost and self._lost[-1][1] == math.inf:
            self._lost[-1] = self._lost[-1][0], max(reading.time, self._lost[-1][0])
        if isinstance(reading, Attention):
            return self._events(self._windows.until(reading.time))
        return self._events(self._windows.add(reading))

    def flush(self, now: float, /) -> Sequence[Event]:
        self._begin(now)
        return self._events(self._windows.until(now))

    def close(self, now: float, /) -> Sequence[Event]:
        return self._events(self._windows.end(), now)

    def lost(self, now: float, /) -> None:
        """The radio is away until the next reading: its window is not observed meanwhile."""
        if not self._lost or self._lost[-1][1] < math.inf:
            self._lost.append((now, math.inf))

    def _begin(self, time: float) -> None:
        if self._since is None:
            self._since = time

    def _events(self, windows: Iterable[Window], until: float | None = None) -> list[Event]:
        events = []
        for window in windows:
            end = window.start + window.seconds
            events.append(Event.new(self._sensor, end, self._data(window, until)))
            self._lost = [span for span in self._lost if span[1] > end]
        return events

    def _data(self, window: Window, until: float | None) -> DevicesWindow:
        end = window.start + window.seconds
        since = window.start if self._since is None else self._since
        first, last = max(window.start, min(since, end)), end if until is None else min(end, until)
        observed = last - first - sum(max(0.0, min(last, b) - max(first, a)) for a, b in self._lost)
        damaged, self._malformed_before = self._malformed() - self._malformed_before, self._malformed()
        data = DevicesWindow(
            start=utc(window.start), seconds=window.seconds, bursts=0, frames=0, malformed=max(0, damaged)
        )
        if window.frames == 0 or observed < window.seconds / 2:
            return data.model_copy(update={"withheld": "radio_silent"})
        calibration = self._calibration or UNCALIBRATED  # that of this window, whatever is fitted below
        inside = estimate(window, calibration, observed)
        passing = estimate(window, calibration, observed, inside=False)
        bad = calibration is UNCALIBRATED or (calibration.quality is not None and calibration.quality.is_bad)
        may_leave = not bad and inside is not None and inside.value >= LEAST_SHOWN
        drifted = self._learn(window, inside, may_leave, observed)
        if inside is None or passing is None or drifted:
            self._counted.clear()
            return data.model_copy(update={"withheld": "drifted"})
        shown = _suppressed(data, window, calibration.rssi_gate_dbm, inside, passing)
        if bad:
            return shown.model_copy(update={"withheld": "uncalibrated", "inside": None, "passing": None})
        return shown.model_copy(update={"dwell": self._dwell() if may_leave else None})

    def _learn(self, window: Window, inside: Estimate | None, shown: bool, observed: float) -> bool:
        """Let the doors judge the windows before this one; whether the estimate has drifted from them.

        A calibration that is fitted here holds from the next window on.
        """
        if self._learning is None or self._board is None:
            return False
        end = window.start + window.seconds
        ready = [told for told in self._waiting if told.window.start + told.window.seconds + HELD_S <= end]
        self._waiting = self._waiting[len(ready) :]
        for told in ready:
            people = self._board.mean(self._doors, told.window.start, told.window.seconds)
            if people is not None:
                self._learning.add(told.window, people, told.inside)
            self._count(told)
        if inside is not None and observed > 0.99 * window.seconds and not window.overflowed:
            self._waiting.append(_Told(window, inside, shown))
        self._calibration = self._learning.calibration
        return self._learning.drift.fired

    def _count(self, told: _Told) -> None:
        """Take a window into the hour that a mean stay is told of; a gap begins a new hour."""
        assert self._board is not None
        start, seconds = told.window.start, told.window.seconds
        flow = self._board.flow(self._doors, start, seconds) if told.shown else None
        if flow is None or (self._counted and self._counted[-1].start + seconds != start):
            self._counted.clear()
        if flow is not None:
            self._counted.append(_Counted(start, told.inside, flow))
            del self._counted[: -math.ceil(HOUR_S / seconds)]

    def _dwell(self) -> Interval | None:
        """Mean stay over the last hour that is known wholly."""
        seconds = self._seconds
        if not self._counted or len(self._counted) < HOUR_S / seconds:
            return None
        flow = Flow(sum(each.flow.entered for each in self._counted), sum(each.flow.left for each in self._counted))
        dwell = mean_dwell([each.inside for each in self._counted], seconds, flow)
        return None if dwell is None else _interval(dwell)


def _suppressed(
    data: DevicesWindow, window: Window, gate: int | None, inside: Estimate, passing: Estimate
) -> DevicesWindow:
    """The event with the numbers that may leave; its bursts and frames are those behind the numbers shown."""
    shown = {True: inside.value >= LEAST_SHOWN, False: passing.value >= LEAST_SHOWN and gate is not None}
    bursts = [burst for part in window.slices for burst in part.bursts if shown[is_inside(burst, gate)]]
    hidden = not shown[True] or (not shown[False] and gate is not None)
    return data.model_copy(
        update={
            "inside": _interval(inside) if shown[True] else None,
            "passing": _interval(passing) if shown[False] else None,
            "withheld": "below_five" if hidden else None,
            "bursts": len(bursts),
            "frames": sum(burst.frames for burst in bursts),
        }
    )


def _interval(number: Estimate) -> Interval:
    return Interval(value=round(number.value, 1), low=round(number.low, 1), high=round(number.high, 1))
