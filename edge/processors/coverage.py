"""How much of a stretch of time was really observed: the union of the intervals between pictures."""

from collections import deque
from collections.abc import Iterator
from statistics import median

_LEAST_GAP = 2.0
"""Seconds between pictures that are still one observation: nobody crosses a doorway unseen in less."""
_PERIODS = 3
_REMEMBERED = 9


class Observed:
    """Turns the times of pictures into observed intervals.

    Two pictures observe the time between them when they are at most ``max(2 s, 3 usual periods)`` apart; the usual
    period is the median of the last gaps, so that a slow camera is not an absent one.
    """

    def __init__(self) -> None:
        self._last: float | None = None
        self._gaps: deque[float] = deque(maxlen=_REMEMBERED)

    def picture(self, time: float) -> tuple[float, float] | None:
        """The interval that this picture completes, in the clock of ``time``; None after a gap or a jump back."""
        before, self._last = self._last, time
        if before is None or time <= before:
            return None
        gap = time - before
        usual = median(self._gaps) if self._gaps else 0.0
        self._gaps.append(gap)
        return (before, time) if gap <= max(_LEAST_GAP, _PERIODS * usual) else None

    @property
    def period(self) -> float:
        """The usual seconds between pictures; 0 before the second one."""
        return median(self._gaps) if self._gaps else 0.0


def by_minute(start: float, end: float) -> Iterator[tuple[int, float]]:
    """An interval as (number of the minute since the epoch, seconds in it)."""
    while start < end:
        minute = int(start // 60)
        stop = min(end, (minute + 1) * 60.0)
        yield minute, stop - start
        start = stop
