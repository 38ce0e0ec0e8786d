"""Device-seconds of a slice: bursts linked into chains, and each kind of phone's own burst interval out of the links.

B bursts in W seconds are B x T / W phones, where T is how long a phone waits between bursts. T lies between 15 s and
five minutes, by model and by what the phone is doing; one T for all of them is off by a factor. So T is measured for
each kind (masked fingerprint) where two of its bursts can be told to be of one phone, without knowing which phone:

- by sequence number: 14 of 22 labelled phones go on counting under the next random address;
- by the timer: a pause that recurs to a fraction of a second, more often than pauses a little longer or shorter, is
  the scan interval of that kind (A, L, O, T, U, V of the labelled phones number every burst anew, but keep time);
- by the address, where it is a fixed one.

Links are believed for a kind when there are more than chance makes. What its links measure is shrunk towards the site's
T. Bursts of kinds without links count by the site's T alone, damped: how often a phone sends differs more between kinds
than how many of a kind are there. Nothing is linked across a change of the salt.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge.processors.bursts import Burst

Numbers = npt.NDArray[np.float64]

STEPS = 80
"""A sequence number goes on by less than this from one burst of a phone to the next: 95 % of the steps of each labelled
phone that goes on at all (B 69, X 83, the others under 46). By chance a burst links to one given chain in 2 %."""
_MAX_CHAINS = 64
"""Open chains of a kind that a burst is compared with; with so many a link is mostly chance, and counts as that."""
_BELIEVED_SHARE = 0.27
"""Share of a kind's bursts that must be linked beyond chance, for its links to speak for all of it."""
_TIMED_SHARE = 0.4
_TOLERANCE = 0.4
"""Seconds. Timers of labelled phones keep their interval within 0.3."""
_SHORTEST, _LONGEST = 8.0, 330.0
"""Seconds of a timer: the labelled phones' are 15 to 300."""
_MAX_TIMED = 300
"""Bursts of a kind whose timers are looked for: the cost grows with the square."""
_PEAK_SHARE = 0.51
"""Two phones with one interval keep their distance too, but that recurs half as often as the interval itself."""
_ROUNDS = 3
"""Timers of one kind: in use, at rest, and one more."""
SINGLE = 0.3
"""Share of the slice for which a kind heard once counts at least."""
_FIXED_ONCE = 0.5
"""The same for a fixed address."""
_DAMPING = 0.15
"""Power of bursts x T over the usual number of phones of a kind, for a kind without links, where it is above that.
0.15 was better than 0.3 on mixtures of the labelled phones, most where some number every
frame anew."""
_LINKS_PRIOR = 1.0
"""The site's T weighs as much as so many links."""


@dataclass(frozen=True, slots=True)
class _Linked:
    """A kind's bursts: how many, in how many chains, how many links are believed and how many seconds they span."""

    bursts: int
    chains: int
    links: float
    seconds: float


def device_seconds(bursts: Iterable[Burst], intervals_s: Numbers, seconds: float) -> Numbers:
    """Device-seconds in ``seconds`` of one slice, for each of the site's T in ``intervals_s``; the same shape."""
    groups: dict[tuple[bool, bytes], list[Burst]] = {}
    for burst in bursts:
        groups.setdefault((burst.randomised, burst.kind if burst.randomised else burst.device), []).append(burst)
    total, kinds, unlinked = np.zeros_like(intervals_s), 0, []
    of_kinds = np.zeros_like(intervals_s)
    for (randomised, _), group in groups.items():
        group.sort(key=_start)
        if not randomised:
            total += _of_address(group, intervals_s, seconds)
        elif (linked := _by_number(group) or _by_timer(group, seconds)) is not None:
            of_kinds += _of_linked(linked, intervals_s, seconds)
            kinds += 1
        else:
            unlinked.append(group)
    # As many of a kind as of the kinds that can be told apart; one where there is none, or less.
    usual = np.maximum(1.0, of_kinds / (max(kinds, 1) * seconds))
    return total + of_kinds + sum((_of_unlinked(each, intervals_s, usual, seconds) for each in unlinked), 0.0)


def _start(burst: Burst) -> float:
    return burst.start


def _of_address(group: Sequence[Burst], intervals_s: Numbers, seconds: float) -> Numbers:
    """One phone, present for its bursts times their interval, but never less than from the first to the last."""
    number = len(group)
    if number == 1:
        least = max(_FIXED_ONCE * seconds, group[0].end - group[0].start)
        return np.minimum(seconds, np.maximum(intervals_s, least))
    between = group[-1].start - group[0].start
    interval = (between + _LINKS_PRIOR * intervals_s) / (number - 1 + _LINKS_PRIOR)
    return np.minimum(seconds, np.maximum(number * interval, max(b.end for b in group) - group[0].start))


def _of_linked(linked: _Linked, intervals_s: Numbers, seconds: float) -> Numbers:
    interval = (linked.seconds + _LINKS_PRIOR * intervals_s) / (linked.links + _LINKS_PRIOR)
    return np.minimum(linked.chains * seconds, linked.bursts * interval)


def _of_unlinked(group: Sequence[Burst], intervals_s: Numbers, usual: Numbers, seconds: float) -> Numbers:
    """Bursts times T, what is above the usual number of a kind damped; at least one phone while the kind was heard.

    Half a pause before the first burst and after the last is included in that.
    """
    number = len(group)
    by_rate = number * intervals_s / seconds
    damped = np.where(by_rate < usual, by_rate, usual * (by_rate / usual) ** _DAMPING)
    least = SINGLE
    if number > 1:
        least = min(1.0, (group[-1].start - group[0].start) * (number + 1) / (number - 1) / seconds)
    return np.maximum(damped, least) * seconds


def _by_number(group: Sequence[Burst]) -> _Linked | None:
    """Chains by sequence number: each burst goes on with the chain whose last number is closest below its first."""
    chains: list[tuple[Burst, Burst]] = []
    links, by_chance, between = 0, 0.0, 0.0
    for burst in group:
        best, least = -1, STEPS
        compared = range(max(0, len(chains) - _MAX_CHAINS), len(chains))
        for index in compared:
            last = chains[index][1]
            steps = (burst.first - last.last) % 4096
            if steps < least and last.end < burst.start:
                best, least = index, steps
        by_chance += 1 - (1 - STEPS / 4096) ** len(compared)
        if best < 0:
            chains.append((burst, burst))
            continue
        links += 1
        between += burst.start - chains[best][1].start
        chains[best] = chains[best][0], burst
    believed = links - by_chance
    if links <= by_chance + 1.5 * by_chance**0.5 or believed <= _BELIEVED_SHARE * (len(group) - 1):
        return None
    return _Linked(len(group), len(chains), believed, between * believed / links)


def _by_timer(group: Sequence[Burst], seconds: float) -> _Linked | None:
    """Chains by pauses that recur. The shortest that does is taken first; what it leaves unlinked may have another."""
    number = len(group)
    if not 4 <= number <= _MAX_TIMED:
        return None
    starts = np.array([burst.start for burst in group])
    first, last = np.ones(number, dtype=bool), np.ones(number, dtype=bool)
    links, between = 0, 0.0
    for _ in range(_ROUNDS):
        pause = _recurring(starts[last], starts[first], seconds)
        if pause is None:
            break
        for later in np.flatnonzero(first):
            off = np.where(last, np.abs(starts[later] - starts - pause), np.inf)
            earlier = int(off.argmin())
            if off[earlier] <= _TOLERANCE:
                last[earlier] = first[later] = False
                links += 1
                between += float(starts[later] - starts[earlier])
    if links < max(2.0, _TIMED_SHARE * (number - 1)):
        return None
    return _Linked(number, number - links, float(links), between)


def _recurring(lasts: Numbers, firsts: Numbers, seconds: float) -> float | None:
    """The shortest pause, in seconds, that recurs beyond what the rate and its neighbours explain (4 sigma, and 1)."""
    pauses = np.subtract.outer(firsts, lasts).ravel()
    pauses = np.sort(pauses[(pauses > _SHORTEST) & (pauses < min(0.6 * seconds, _LONGEST))])
    if len(pauses) < 3:
        return None

    def around(wide: float) -> Numbers:
        within = np.searchsorted(pauses, pauses + wide, "right") - np.searchsorted(pauses, pauses - wide)
        return within.astype(np.float64)

    near, neighbours = around(_TOLERANCE), 4.0
    by_rate = len(firsts) * len(lasts) / seconds**2 * (seconds - pauses) * 2 * _TOLERANCE
    by_neighbours = (around(neighbours) - near) / (neighbours - _TOLERANCE) * _TOLERANCE
    expected = np.maximum(by_rate, by_neighbours)
    real = (near >= 3) & (near > expected + 4 * np.sqrt(expected) + 1)
    if not real.any():
        return None
    found = np.flatnonzero(real & (near >= _PEAK_SHARE * near[real].max()))
    # The first is at the foot of the peak: the pause with the most around it is within twice the tolerance.
    foot = pauses[found[0]]
    peak = found[pauses[found] <= foot + 2 * _TOLERANCE]
    middle = pauses[peak[near[peak].argmax()]]
    return float(np.median(pauses[np.abs(pauses - middle) <= _TOLERANCE]))
