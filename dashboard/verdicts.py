"""How often a face that the box suggested was somebody else, by what clerks tapped: the site's own false-alert rate."""

from math import sqrt
from typing import Any, Protocol

DAYS = 30
"""What is told covers so many days up to now."""
_Z = 1.959964
"""Of a 95 % interval."""


class Verdicts(Protocol):
    """Arrivals by face, and what clerks said of them (``sync.store.queries.FaceVerdicts``)."""

    @property
    def suggested(self) -> int: ...
    @property
    def confirmed(self) -> int: ...
    @property
    def wrong(self) -> int: ...


def verdict_view(verdicts: Verdicts) -> dict[str, Any]:
    """As the API tells it; ``rate`` is null until somebody has judged one. What nobody judged says nothing."""
    judged = verdicts.confirmed + verdicts.wrong
    low, high = wilson(verdicts.wrong, judged)
    return {
        "days": DAYS,
        "suggested": verdicts.suggested,
        "judged": judged,
        "wrong": verdicts.wrong,
        "rate": None if not judged else {"value": verdicts.wrong / judged, "low": low, "high": high},
    }


def wilson(hits: int, of: int) -> tuple[float, float]:
    """The Wilson score interval of a share, 95 % (E. B. Wilson, 1927); all of 0 to 1 where nothing was seen."""
    if not of:
        return 0.0, 1.0
    share, square = hits / of, _Z * _Z
    middle = (share + square / (2 * of)) / (1 + square / of)
    half = _Z * sqrt(share * (1 - share) / of + square / (4 * of * of)) / (1 + square / of)
    # At both ends the bound is the end itself; computed, it misses it by a rounding.
    return 0.0 if hits == 0 else middle - half, 1.0 if hits == of else middle + half
