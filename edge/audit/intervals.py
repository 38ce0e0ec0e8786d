"""Intervals of the audit's figures, at 95 %: sound at 0 errors of n, also where n is small."""

import math
from dataclasses import dataclass

from scipy.special import gammaincinv

Z = 1.959964
"""Two-sided 95 % of the normal distribution."""
TAIL = 0.025


@dataclass(frozen=True, slots=True)
class Estimate:
    """A share (0–1) with its 95 % interval; ``low <= value <= high``."""

    value: float
    low: float
    high: float


def wilson(hits: float, of: float) -> Estimate:
    """A share of independent trials: Wilson's score interval (1927); ``of`` is above 0."""
    share = hits / of
    middle = (share + Z * Z / (2 * of)) / (1 + Z * Z / of)
    half = Z / (1 + Z * Z / of) * math.sqrt(share * (1 - share) / of + Z * Z / (4 * of * of))
    return Estimate(share, max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half)))


def rate(events: float, exposure: float) -> Estimate:
    """Events per unit of exposure: Garwood's exact Poisson interval (1936). Not bounded by 1."""
    low = float(gammaincinv(events, TAIL)) if events > 0 else 0.0
    return Estimate(events / exposure, low / exposure, float(gammaincinv(events + 1, 1 - TAIL)) / exposure)


def count_accuracy(people: int, false: int, missed: int, spread: float = 1.0) -> Estimate:
    """``1 − |counted − true| / true``, not below 0, where counted = true − missed + false; ``people`` is above 0.

    What was missed is a share of the people (Wilson), what was counted falsely a rate (Garwood); the interval of their
    difference comes from both by MOVER (Zou and Donner, Statistics in Medicine 27, 2008). No errors give about
    ``1 − 3.8 / n`` as the lower end. ``spread`` is how many times the errors vary more than independent ones would
    (1 or more): they then tell as much as that many fewer crossings.
    """
    exposure = people / spread
    over, under = rate(false / spread, exposure), wilson(missed / spread, exposure)
    bias = over.value - under.value
    low = bias - math.hypot(over.value - over.low, under.high - under.value)
    high = bias + math.hypot(over.high - over.value, under.value - under.low)
    most, least = max(abs(low), abs(high)), 0.0 if low <= 0 <= high else min(abs(low), abs(high))
    return Estimate(max(0.0, 1 - abs(bias)), max(0.0, 1 - most), max(0.0, 1 - least))
