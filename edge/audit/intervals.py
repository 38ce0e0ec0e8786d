"""Intervals of the audit's figures, at 95 %: sound at 0 errors of n, also where n is small."""

import math
from collections.abc import Sequence
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


@dataclass(frozen=True, slots=True)
class Errors:
    """Of one direction: ``people`` crossed, ``missed`` of them were not counted, ``false`` counts were of nobody."""

    people: float
    false: float
    missed: float


def count_accuracy(directions: Sequence[Errors], spread: float = 1.0) -> Estimate:
    """``1 − (sum over directions of |counted − people|) / people``, not below 0; somebody must have crossed.

    What was missed is a share of a direction's people (Wilson), what was counted falsely a rate (Garwood); the interval
    of their difference, and of the sum over directions, comes from those by MOVER (Zou and Donner, Statistics in
    Medicine 27, 2008). ``spread`` is how many times the errors vary more than independent ones would (1 or more): they
    then tell as much as that many fewer crossings.
    """
    people = sum(one.people for one in directions)
    off = [_off(one, people, spread) for one in directions]
    value = sum(one.value for one in off)
    # An absolute error is never below 0, so the directions' lower ends do not make up for each other: they add up.
    low = sum(one.low for one in off)
    high = value + math.hypot(*(one.high - one.value for one in off))
    return Estimate(max(0.0, 1 - value), max(0.0, 1 - high), max(0.0, min(1.0, 1 - low)))


def _off(errors: Errors, people: float, spread: float) -> Estimate:
    """How far the count of one direction is off, as a share of the ``people`` of all directions."""
    over, weight = rate(errors.false / spread, people / spread), errors.people / people
    share = wilson(errors.missed / spread, errors.people / spread) if errors.people else Estimate(0.0, 0.0, 0.0)
    under = Estimate(weight * share.value, weight * share.low, weight * share.high)
    bias = over.value - under.value
    low = bias - math.hypot(over.value - over.low, under.high - under.value)
    high = bias + math.hypot(over.high - over.value, under.value - under.low)
    return Estimate(abs(bias), 0.0 if low <= 0 <= high else min(abs(low), abs(high)), max(abs(low), abs(high)))
