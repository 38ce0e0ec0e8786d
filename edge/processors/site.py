"""A box that keeps its Wi-Fi calibration: counted windows kept for two weeks, a drift test, a fit every week.

The counts are those of the door cameras (``footfall.minute`` occupancy). What is kept of a window is its time, the
number of people, and what each gate and burst interval would have made of it: totals, no burst and no pseudonym.
"""

import sqlite3
import threading
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import numpy as np

from edge.processors.bursts import Window
from edge.processors.estimate import Estimate, WifiCalibration, widening
from edge.processors.fitting import GATES_DBM, INTERVALS_S, LEAST_WINDOWS, Row, fit, row
from sync.events import Event, FootfallMinute

KEPT_S = 14 * 86400.0
WEEK_S = 7 * 86400.0
LEAST_REFIT = 10 * LEAST_WINDOWS
"""Windows with people before the box fits by itself: ten hours."""


class Sink(Protocol):
    """Where events become durable."""

    def put(self, events: Sequence[Event]) -> object: ...


class DoorBoard:
    """How many people the doors say are inside, minute by minute, for three hours; written and read by any thread."""

    def __init__(self) -> None:
        self._minutes: dict[tuple[str, float], float] = {}
        self._lock = threading.Lock()

    def note(self, events: Sequence[Event]) -> None:
        """Keep the occupancy of the footfall minutes among the events; a later revision replaces an earlier one."""
        with self._lock:
            for event in events:
                data = event.data
                if isinstance(data, FootfallMinute) and data.occupancy is not None:
                    minute = data.minute.timestamp()
                    self._minutes[data.place, minute] = data.occupancy
                    self._minutes = {k: v for k, v in self._minutes.items() if k[1] > minute - 3 * 3600}

    def mean(self, places: Sequence[str], start: float, seconds: float) -> float | None:
        """Mean number inside over a window, added over places; ``None`` unless every whole minute of it was counted."""
        minutes = [start + 60.0 * step for step in range(int(seconds // 60))]
        with self._lock:
            found = [[self._minutes.get((place, minute)) for minute in minutes] for place in places]
        known = [[each for each in of_place if each is not None] for of_place in found]
        if not minutes or any(len(each) < len(minutes) for each in known):
            return None
        return float(sum(np.mean(each) for each in known))


class Noting:
    """A sink that also tells a board what it was given, once that is durable."""

    def __init__(self, sink: Sink, board: DoorBoard) -> None:
        self._sink = sink
        self._board = board

    def put(self, events: Sequence[Event]) -> None:
        """Raises what the sink raises."""
        self._sink.put(events)
        self._board.note(events)


class DriftTest:
    """Two-sided CUSUM of how far people and estimates are apart, in widths of the interval (Page 1954).

    With a fit that holds, nine windows of ten are within one width: a step is that distance less ``SLACK``, so that
    a day's own bias does not add up. In simulations (20 people, noise of 15 %, each day its own bias of 10 %) an
    estimate that is off by a factor of two is found out within two hours of windows of ten minutes, one that is off by
    1.5 within four; without drift under 2 % of the windows are withheld.
    """

    SLACK = 0.6
    LIMIT = 9.0

    def __init__(self) -> None:
        self._sums = [0.0, 0.0]

    def add(self, people: float, estimate: Estimate, calibration: WifiCalibration) -> None:
        """One more window. With fewer than three people and three devices nothing can be told."""
        if max(people, estimate.value) < 3:
            return
        ratio = np.log(max(people, 1.0) / max(estimate.value, 1.0))
        off = float(np.clip(ratio / (calibration.spread * widening(estimate.value)), -3, 3))
        for side, signed in enumerate((off, -off)):
            self._sums[side] = min(self.LIMIT + 3, max(0.0, self._sums[side] + signed - self.SLACK))

    @property
    def fired(self) -> bool:
        """Whether the estimate is off; it takes a few good windows to be believed again."""
        return max(self._sums) > self.LIMIT


class Learning:
    """The counted windows of a sensor on disk, and its calibration.

    ``path`` is a SQLite file of the box, made where there is none. ``calibration`` is the one given, or the box's own
    later one. Raises ``sqlite3.Error`` when the disk refuses.
    """

    def __init__(self, path: Path, given: WifiCalibration | None, seconds: float) -> None:
        self._path = path
        self._seconds = seconds
        self.drift = DriftTest()
        with closing(self._open()) as store, store:
            store.execute("CREATE TABLE IF NOT EXISTS windows (start REAL PRIMARY KEY, people REAL, devices BLOB)")
            store.execute("CREATE TABLE IF NOT EXISTS fits (time REAL PRIMARY KEY, calibration TEXT)")
            last = store.execute("SELECT time, calibration FROM fits ORDER BY time DESC LIMIT 1").fetchone()
        self._fitted_at: float | None = last[0] if last else None
        own = WifiCalibration.model_validate_json(last[1]) if last else None
        self.calibration = own if own is not None and (given is None or own.date >= given.date) else given

    def _open(self) -> sqlite3.Connection:
        return sqlite3.connect(self._path, timeout=10)

    def add(self, window: Window, people: float, number: Estimate | None) -> None:
        """Keep a fully observed window with its count, test for drift, and fit again when a week has passed."""
        if number is not None and self.calibration is not None:
            self.drift.add(people, number, self.calibration)
        kept = row(window, people, "", window.seconds)
        with closing(self._open()) as store, store:
            store.execute(
                "INSERT OR REPLACE INTO windows VALUES (?, ?, ?)",
                (kept.start, people, kept.devices.astype(np.float32).tobytes()),
            )
            store.execute("DELETE FROM windows WHERE start < ?", (window.start - KEPT_S,))
        if self._fitted_at is None or not 0 <= window.start - self._fitted_at < WEEK_S:
            self._fit(window.start)

    def _rows(self) -> list[Row]:
        with closing(self._open()) as store:
            found = store.execute("SELECT start, people, devices FROM windows ORDER BY start").fetchall()
        shape = len(GATES_DBM), len(INTERVALS_S)
        return [
            Row(start, f"{datetime.fromtimestamp(start, UTC):%Y-%m-%d}", people, _numbers(blob, shape))
            for start, people, blob in found
        ]

    def _fit(self, now: float) -> None:
        rows = self._rows()
        if sum(each.people >= 1 for each in rows) < LEAST_REFIT:
            return
        today = datetime.fromtimestamp(now, UTC).date()
        self.calibration = fit(rows, "the doors of this box", today, seconds=self._seconds)
        self.drift, self._fitted_at = DriftTest(), now
        with closing(self._open()) as store, store:
            store.execute("INSERT OR REPLACE INTO fits VALUES (?, ?)", (now, self.calibration.model_dump_json()))
            store.execute("DELETE FROM fits WHERE time < ?", (now - 53 * WEEK_S,))


def _numbers(blob: bytes, shape: tuple[int, int]) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return np.frombuffer(blob, dtype=np.float32).reshape(shape).astype(np.float64)
