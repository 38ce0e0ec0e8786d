"""A box that keeps its Wi-Fi calibration: counted windows kept for two weeks, a drift test, a fit every week.

The counts are those of the door cameras (``edge.processors.doors``). What is kept of a window is its time, the number
of people, what each gate and burst interval would have made of it, and how many bursts had which strength: totals, no
burst and no pseudonym.
"""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from edge.processors.bursts import Window
from edge.processors.estimate import Estimate, WifiCalibration, widening
from edge.processors.fitting import GATES_DBM, INTERVALS_S, LEAST_WINDOWS, Levels, Row, fit, levels, row, strong_dbm

KEPT_S = 14 * 86400.0
WEEK_S = 7 * 86400.0
LEAST_REFIT = 10 * LEAST_WINDOWS
"""Windows with people before the box fits by itself: ten hours."""


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
            if "levels" not in {column[1] for column in store.execute("PRAGMA table_info(windows)")}:
                store.execute("ALTER TABLE windows ADD COLUMN levels BLOB")
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
                "INSERT OR REPLACE INTO windows (start, people, devices, levels) VALUES (?, ?, ?, ?)",
                (kept.start, people, kept.devices.astype(np.float32).tobytes(), levels([window]).tobytes()),
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

    def _levels(self) -> Levels:
        with closing(self._open()) as store:
            found = store.execute("SELECT levels FROM windows WHERE levels IS NOT NULL").fetchall()
        total = levels([])
        for (blob,) in found:
            total += np.frombuffer(blob, dtype=np.int64)
        return total

    def _fit(self, now: float) -> None:
        rows = self._rows()
        if sum(each.people >= 1 for each in rows) < LEAST_REFIT:
            return
        today = datetime.fromtimestamp(now, UTC).date()
        strong = strong_dbm(self._levels())
        self.calibration = fit(rows, "the doors of this box", today, seconds=self._seconds, strong_dbm=strong)
        self.drift, self._fitted_at = DriftTest(), now
        with closing(self._open()) as store, store:
            store.execute("INSERT OR REPLACE INTO fits VALUES (?, ?)", (now, self.calibration.model_dump_json()))
            store.execute("DELETE FROM fits WHERE time < ?", (now - 53 * WEEK_S,))


def _numbers(blob: bytes, shape: tuple[int, int]) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return np.frombuffer(blob, dtype=np.float32).reshape(shape).astype(np.float64)
