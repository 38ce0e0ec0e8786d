"""Devices that access points heard to ``devices.window`` events: another estimator than that of probe requests.

Access points tell which addresses they heard, not the frames: there are no bursts and no kinds of phones. A device with
a fixed address, or one that has joined the network, was present between its first and last sighting. A random address
is worth a phone for one burst interval, or for the time it was kept, whichever is longer. It adds up to device-seconds,
and over the observed time to a mean number present.

The interval is wide: it lets the burst interval be anything between the tenth and the ninetieth percentile of 32
labelled phones. This estimator was never compared with counted people.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from sensors.readings import Attention, ClientHeard
from sensors.wifi.hashing import ROTATION_SECONDS
from sync.events import DevicesWindow, Event, Interval, utc

LEAST_SHOWN = 5
"""Devices; a smaller number stays in the box (PRIVACY rule 10)."""
MEDIAN_BURST_S, SHORT_BURST_S, LONG_BURST_S = 54.0, 27.0, 138.0
"""Median, tenth and ninetieth percentile of the burst intervals of labelled phones."""
MOST_DEVICES = 50_000
"""Remembered in one slice. Real shops have hundreds; more is an attack, and must not cost memory."""


class ClientsConfig(BaseModel):
    """Windows of one access point, Meraki network or sniffer."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    window_seconds: Annotated[
        float, Field(ge=60, le=3600, description="aligned to multiples of itself since the epoch")
    ] = 600.0
    rssi_gate_dbm: Annotated[int, Field(ge=-120, le=0)] | None = Field(
        default=None, description="devices whose strongest sighting is weaker are passing by; none: all are inside"
    )
    burst_interval_s: Annotated[float, Field(ge=1, le=900)] = Field(
        default=MEDIAN_BURST_S, description="mean seconds between the bursts of a phone with random addresses"
    )
    report_seconds: Annotated[float, Field(ge=1, le=600)] = Field(
        default=60.0, description="how often a present device is reported: Meraki posts every minute"
    )
    silent_seconds: Annotated[float, Field(ge=5, le=3600)] = Field(
        default=180.0, description="without any report for longer, nothing counts as observed"
    )


@dataclass(slots=True)
class _Client:
    first: float
    last: float
    fixed: bool
    rssi_dbm: int | None


@dataclass(slots=True)
class _Side:
    """Device-seconds on one side of the gate: of fixed addresses, and of random ones by burst interval."""

    fixed: float = 0.0
    random: dict[float, float] = field(default_factory=dict)
    sightings: int = 0


class ClientsProcessor:
    """One event per window, also for a window in which nothing was told.

    Numbers under five do not leave, nor what they could be worked out from. ``malformed`` gives the source's running
    count of what it could not read.
    """

    def __init__(self, sensor: str, config: ClientsConfig, malformed: Callable[[], int] = lambda: 0) -> None:
        self._sensor = sensor
        self._config = config
        self._malformed = malformed
        self._malformed_before = 0
        scale = config.burst_interval_s / MEDIAN_BURST_S
        self._intervals = (config.burst_interval_s, SHORT_BURST_S * scale, LONG_BURST_S * scale)
        self._start: float | None = None
        self._told = -math.inf
        self._begin_anew(0.0)

    def _begin_anew(self, now: float) -> None:
        self._clients: dict[bytes, _Client] = {}
        self._slice = math.floor(now / ROTATION_SECONDS)
        self._sides = {True: _Side(), False: _Side()}
        self._observed = 0.0
        self._overflowed = False
        self._frames = 0

    def process(self, reading: ClientHeard | Attention, /) -> Sequence[Event]:
        if isinstance(reading, Attention):
            events = self.flush(reading.time)
            self._observe(reading.time)
            return events
        # What was heard before this window began is a report that came late: it counts from the window's start.
        events = self.flush(max(reading.time, self._start or reading.time))
        time = max(reading.time, self._start or 0.0)
        self._observe(time)
        self._frames += 1
        client = self._clients.get(reading.device)
        if client is None:
            if len(self._clients) >= MOST_DEVICES:
                self._overflowed = True
                return events
            fixed = reading.associated or not reading.randomised
            self._clients[reading.device] = _Client(time, time, fixed, reading.rssi_dbm)
            return events
        client.first, client.last = min(client.first, time), max(client.last, time)
        client.fixed = client.fixed or reading.associated
        if reading.rssi_dbm is not None and (client.rssi_dbm is None or reading.rssi_dbm > client.rssi_dbm):
            client.rssi_dbm = reading.rssi_dbm
        return events

    def flush(self, now: float, /) -> Sequence[Event]:
        seconds = self._config.window_seconds
        events = []
        if self._start is not None and not self._start - seconds <= now < self._start + seconds:
            events = [self._close_window()]
            self._start = None
        if self._start is None:
            self._start = math.floor(now / seconds) * seconds
            self._begin_anew(now)
        elif math.floor(now / ROTATION_SECONDS) > self._slice:
            self._close_slice()
            self._slice = math.floor(now / ROTATION_SECONDS)
        return events

    def close(self, now: float, /) -> Sequence[Event]:
        return [] if self._start is None else [self._close_window()]

    def lost(self, now: float, /) -> None:
        """The source is away until the next report: it is not observed meanwhile."""
        self._told = -math.inf

    def _observe(self, time: float) -> None:
        """Between two reports that are not far apart, the access point listened."""
        assert self._start is not None
        if 0 < time - self._told <= self._config.silent_seconds:
            self._observed += time - max(self._told, self._start)
        if time > self._told or self._told - time > self._config.silent_seconds:
            self._told = time

    def _close_slice(self) -> None:
        """Add up, and forget everybody: their names end with the salt."""
        hold = self._config.report_seconds
        for client in self._clients.values():
            inside = _is_inside(client.rssi_dbm, self._config.rssi_gate_dbm)
            side = self._sides[inside]
            side.sightings += 1
            span = client.last - client.first
            if client.fixed:
                side.fixed += max(hold, span)
                continue
            for interval in self._intervals:
                side.random[interval] = side.random.get(interval, 0.0) + max(interval, span)
        self._clients.clear()

    def _close_window(self) -> Event:
        assert self._start is not None
        self._close_slice()
        end = self._start + self._config.window_seconds
        damaged, self._malformed_before = self._malformed() - self._malformed_before, self._malformed()
        data = DevicesWindow(
            start=utc(self._start),
            seconds=self._config.window_seconds,
            bursts=0,
            frames=0,
            malformed=max(0, damaged),
            method="clients",
        )
        if self._frames == 0 or self._observed < self._config.window_seconds / 2:
            return Event.new(self._sensor, end, data.model_copy(update={"withheld": "radio_silent"}))
        if self._overflowed:
            return Event.new(self._sensor, end, data.model_copy(update={"withheld": "drifted"}))
        return Event.new(self._sensor, end, self._shown(data))

    def _shown(self, data: DevicesWindow) -> DevicesWindow:
        gated = self._config.rssi_gate_dbm is not None
        inside, passing = self._interval(self._sides[True]), self._interval(self._sides[False])
        shows = {True: inside.value >= LEAST_SHOWN, False: gated and passing.value >= LEAST_SHOWN}
        # The sightings behind a number that is not shown would tell it.
        sightings = sum(side.sightings for inner, side in self._sides.items() if shows[inner])
        hidden = not shows[True] or (gated and not shows[False])
        return data.model_copy(
            update={
                "inside": inside if shows[True] else None,
                "passing": passing if shows[False] else None,
                "withheld": "below_five" if hidden else None,
                "bursts": sightings,
                "frames": sightings,
            }
        )

    def _interval(self, side: _Side) -> Interval:
        value, low, high = (
            (side.fixed + side.random.get(interval, 0.0)) / self._observed for interval in self._intervals
        )
        # A phone that sent nothing is not excluded: with one chance in ten, 2.3 intervals pass without a burst.
        high = max(high, value + 2.3 * self._config.burst_interval_s / self._observed)
        return Interval(value=round(value, 1), low=round(low, 1), high=round(high, 1))


def _is_inside(rssi_dbm: int | None, gate_dbm: int | None) -> bool:
    return gate_dbm is None or rssi_dbm is None or rssi_dbm >= gate_dbm
