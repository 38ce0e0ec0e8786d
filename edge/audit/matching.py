"""Which crossing that a person saw is which count of the machine: one to one, the most pairs, the least distance."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

import numpy as np
from scipy.optimize import linear_sum_assignment

Direction = Literal["in", "out"]
LONGEST_DELAY = 1.5
"""Seconds that a person may be late: seeing, deciding and tapping take 0.3 to 1 s."""
_STEP = 0.05


@dataclass(frozen=True, slots=True, order=True)
class Passing:
    """Somebody crosses a line at ``time`` (seconds of media): seen by a person, or counted by the machine."""

    time: float
    line: str
    direction: Direction

    def earlier(self, seconds: float) -> "Passing":
        """The same, ``seconds`` before."""
        return Passing(self.time - seconds, self.line, self.direction)


Pair = tuple[Passing, Passing]


def match(people: Sequence[Passing], machine: Sequence[Passing], tolerance: float, delay: float = 0.0) -> list[Pair]:
    """Pairs (person, machine) of one line and direction, at most ``tolerance`` seconds apart without ``delay``.

    As many as possible, and of those the ones with the least sum of distances. Does not depend on the order given.
    """
    pairs: list[Pair] = []
    for ours, theirs in _groups(people, machine):
        for some, others in _clusters(ours, theirs, tolerance, delay):
            distance = np.abs(np.subtract.outer([p.time - delay for p in some], [m.time for m in others]))
            # A pair that is too far apart costs more than all distances together: one near pair more always wins.
            near = distance <= tolerance + 1e-9
            cost = np.where(near, distance, (tolerance + 1) * (min(distance.shape) + 1))
            rows, columns = linear_sum_assignment(cost)
            pairs += [(some[i], others[j]) for i, j in zip(rows, columns, strict=True) if near[i, j]]
    return sorted(pairs)


def reaction_delay(people: Sequence[Passing], machine: Sequence[Passing], tolerance: float) -> float:
    """How late the person taps: one constant of 0 to 1.5 s, which gives the most pairs, then the least distance."""
    steps = [index * _STEP for index in range(round(LONGEST_DELAY / _STEP) + 1)]
    found = {delay: _most_pairs(people, machine, tolerance, delay) for delay in steps}
    most = max(found.values())
    if most == 0:
        return 0.0
    best, least = 0.0, float("inf")
    for start in (delay for delay in steps if found[delay] == most):
        for delay in (start, _settled(match(people, machine, tolerance, start))):
            pairs = match(people, machine, tolerance, delay)
            distance = sum(abs(person.time - delay - count.time) for person, count in pairs)
            if len(pairs) >= most and distance < least - 1e-9:
                best, least = delay, distance
    return best


def _settled(pairs: Sequence[Pair]) -> float:
    return min(LONGEST_DELAY, max(0.0, median(person.time - count.time for person, count in pairs)))


def _groups(
    people: Sequence[Passing], machine: Sequence[Passing]
) -> Iterator[tuple[Sequence[Passing], Sequence[Passing]]]:
    keys = sorted({(one.line, one.direction) for one in people} & {(one.line, one.direction) for one in machine})
    for key in keys:
        yield (
            sorted(one for one in people if (one.line, one.direction) == key),
            sorted(one for one in machine if (one.line, one.direction) == key),
        )


def _clusters(
    people: Sequence[Passing], machine: Sequence[Passing], tolerance: float, delay: float
) -> Iterator[tuple[list[Passing], list[Passing]]]:
    """Cut where nothing can pair across the gap, so that a long recording costs no more than its busiest moment."""
    marked = [(p.time - delay, 0, p) for p in people] + [(m.time, 1, m) for m in machine]
    some: tuple[list[Passing], list[Passing]] = [], []
    before = float("-inf")
    for time, side, one in sorted(marked):
        if time - before > tolerance + 1e-6:
            if some[0] and some[1]:
                yield some
            some = [], []
        some[side].append(one)
        before = time
    if some[0] and some[1]:
        yield some


def _most_pairs(people: Sequence[Passing], machine: Sequence[Passing], tolerance: float, delay: float) -> int:
    """How many pairs there can be: on a line, always taking the earliest that is near enough gives the most."""
    total = 0
    for ours, theirs in _groups(people, machine):
        i = j = 0
        while i < len(ours) and j < len(theirs):
            apart = ours[i].time - delay - theirs[j].time
            if abs(apart) <= tolerance + 1e-9:
                total, i, j = total + 1, i + 1, j + 1
            elif apart < 0:
                i += 1
            else:
                j += 1
    return total
