"""RFM: five scores each for how lately, how often and how much; 5 is best."""

from bisect import bisect_right
from collections.abc import Sequence

CUTS = 4
"""Four limits make five bands."""


def quantiles(values: Sequence[int]) -> tuple[int, ...]:
    """The lowest values of the second to the fifth band, of about as many customers each.

    Many customers with one and the same value stay in one band, which leaves others empty.
    """
    rising = sorted(values)
    if not rising:
        return (0,) * CUTS
    return tuple(rising[min(len(rising) - 1, len(rising) * number // (CUTS + 1))] for number in range(1, CUTS + 1))


def score(value: int, cuts: Sequence[int]) -> int:
    """1 to 5, rising with the value."""
    return bisect_right(cuts, value) + 1


def recency(silence: int, cuts: Sequence[int]) -> int:
    """5 to 1, falling with the days of silence."""
    return CUTS + 1 - bisect_right(cuts, silence)


def vital_from(spent: Sequence[int], share: float) -> int:
    """Who spent at least so much belongs to the fewest customers that make up ``share`` of what everybody spent.

    One more than anybody spent where nothing was sold.
    """
    falling = sorted((each for each in spent if each > 0), reverse=True)
    wanted, so_far = sum(falling) * share, 0
    for each in falling:
        so_far += each
        if so_far >= wanted:
            return each
    return 1
