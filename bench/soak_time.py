"""Time for a simulation with real threads: it stands still while any works, and jumps when all of them sleep."""

import heapq
import itertools
import threading
from collections.abc import Sequence


class SteppedTime:
    """A clock and a sleep for ``workers`` threads that must all use it; nothing is lost however slow the machine is.

    ``elapsed`` counts seconds from 0 and never goes back. ``now`` is what the box's clock shows, which is wrong by
    ``ahead`` seconds during the ``jumps`` (first and last second, by how much).
    """

    def __init__(self, start: float, workers: int, jumps: Sequence[tuple[float, float, float]] = ()) -> None:
        self.start = start
        self.elapsed = 0.0
        self._jumps = jumps
        self._lock = threading.Lock()
        self._working = workers
        self._asleep: list[tuple[float, int, threading.Lock]] = []
        self._ticket = itertools.count()

    def now(self) -> float:
        """Epoch seconds, as the box's clock has them."""
        return self.start + self.elapsed + self.ahead

    @property
    def ahead(self) -> float:
        """By how many seconds the box's clock is wrong at present."""
        return next((by for first, last, by in self._jumps if first <= self.elapsed < last), 0.0)

    def sleep(self, seconds: float) -> None:
        """Return when ``elapsed`` has grown by so much."""
        until = threading.Lock()
        until.acquire()
        with self._lock:
            heapq.heappush(self._asleep, (self.elapsed + max(0.0, seconds), next(self._ticket), until))
            self._working -= 1
            self._jump()
        until.acquire()

    def leave(self) -> None:
        """A worker ends: nobody waits for it any more."""
        with self._lock:
            self._working -= 1
            self._jump()

    def _jump(self) -> None:
        if self._working or not self._asleep:
            return
        self.elapsed = max(self.elapsed, self._asleep[0][0])
        while self._asleep and self._asleep[0][0] <= self.elapsed:
            _, _, until = heapq.heappop(self._asleep)
            self._working += 1
            until.release()


class SteppedStop(threading.Event):
    """An event whose ``wait`` takes its seconds from the simulation: what the box's loops wait with."""

    def __init__(self, time: SteppedTime) -> None:
        super().__init__()
        self._time = time

    def wait(self, timeout: float | None = None) -> bool:
        """As ``threading.Event.wait``; a stop in between is seen at the end of the wait. Needs a timeout."""
        if timeout is None:
            raise ValueError("a simulated wait needs a timeout")
        if not self.is_set():
            self._time.sleep(timeout)
        return self.is_set()
