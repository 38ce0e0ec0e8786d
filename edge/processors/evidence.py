"""Judging a finished stay: exactly when it was, whether it was one at all, and whether the item was handled."""

import itertools
import math
from dataclasses import dataclass
from statistics import median
from typing import Final, Literal

from edge.processors.sessions import Finished
from edge.processors.tryon_config import TryOnConfig

_CLIP: Final = 6.0
"""dB. A second counts for or against being inside by at most this much, so that one deep fade decides nothing."""
_DIP: Final = 14.0
"""dB. How far one read inside may fall below the usual level. Of 6, 10, 14 and 17, tried on seeds 1 to 3 of the noise
model, 14 puts the most starts and ends within 3 s, lower cuts a shadow at the door off, higher takes in the walk to it."""
_WALK: Final = 10
"""Seconds. In the noise model, people pass the other doors for 12 s before and after."""
_BLOCK: Final = 5
"""Epochs per median before looking for wearing: longer than the shadows (mean 3 s) of the noise model."""
_Z: Final = 5.0
"""How many standard errors a fall in level must have. The best of some thousand segments of pure noise reaches 4."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A stay that is believed: its first and last epoch, what it was, and how sure (0 to 1)."""

    start: int
    end: int
    kind: Literal["in_room", "tried_on"]
    confidence: float


@dataclass(frozen=True, slots=True)
class _Trace:
    """dB above missing per epoch from ``begin`` on: of the room, and of the strongest other place."""

    begin: int
    room: list[float]
    other: list[float]

    def mean(self, start: int, end: int) -> float:
        """Mean level of the room over the epochs ``start`` to ``end``, the latter not included."""
        part = self.room[max(start - self.begin, 0) : max(end - self.begin, 0)]
        return sum(part) / len(part) if part else 0.0


def judge(one: Finished, first: int, config: TryOnConfig) -> Verdict | None:
    """The verdict on a stay, or ``None``: too short, or an item that was there before and after just as well.

    ``first`` is the first epoch of the recording: what was before it is unknown, as is what comes after ``one.now``.
    """
    stay = one.stay
    reach = round((config.window_seconds + config.hold_seconds + config.contrast_seconds + 20) / config.epoch_seconds)
    trace = _trace(one, max(first, stay.opened - reach), min(one.now, stay.led + reach))
    start, end = _edge_in(trace, stay.opened), _edge_out(trace, stay.led)
    if (end + 1 - start) * config.epoch_seconds < config.minimum_seconds:
        return None
    contrast = _contrast(trace, start, end, first, one.now, config)
    if contrast is None or contrast < config.contrast_db:
        return None
    margin = stay.margin / max(stay.epochs, 1) * config.epoch_seconds / config.window_seconds
    certain = _logistic((margin - 2.0) / 1.5) * _logistic((contrast - 5.0) / 2.0)
    worn = _worn(trace.room[start - trace.begin : end + 1 - trace.begin], config)
    if worn > 0.5:
        return Verdict(start, end, "tried_on", round(certain * worn, 3))
    return Verdict(start, end, "in_room", round(certain, 3))


def _logistic(x: float) -> float:
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, x))))


def _trace(one: Finished, begin: int, end: int) -> _Trace:
    place = one.stay.place
    room, other = [0.0] * (end - begin + 1), [0.0] * (end - begin + 1)
    for epoch, values in one.tag.trace:
        if begin <= epoch <= end:
            room[epoch - begin] = values.get(place, 0.0)
            other[epoch - begin] = max((v for p, v in values.items() if p != place), default=0.0)
    return _Trace(begin, room, other)


def _scores(trace: _Trace, start: int, end: int, inside: list[float]) -> list[float]:
    """For each epoch from ``start`` to ``end``: dB for (positive) or against being inside.

    The line is drawn ``_DIP`` below the usual level just inside.
    """
    seen = sorted(value for value in inside if value > 0)
    line = (seen[len(seen) * 6 // 10] if seen else 0.0) - _DIP
    scores = []
    for index in range(max(start - trace.begin, 0), min(end + 1 - trace.begin, len(trace.room))):
        value = trace.room[index]
        outside = value <= 0 or trace.other[index] > value + _CLIP
        scores.append(-_CLIP if outside else max(-_CLIP, min(_CLIP, value - line)))
    return scores


def _edge_in(trace: _Trace, opened: int) -> int:
    """The epoch from which on the item was inside: the change point with the highest sum of scores behind it."""
    low, at = max(opened - 20, trace.begin), opened - trace.begin
    scores = _scores(trace, low, opened + 15, trace.room[at : at + 30])
    best, total, edge = -math.inf, 0.0, len(scores) - 1
    for index in range(len(scores) - 1, -1, -1):
        total += scores[index]
        if total > best:
            best, edge = total, index
    return low + edge


def _edge_out(trace: _Trace, led: int) -> int:
    """The last epoch inside, likewise. The level leads on for up to a window after the item has gone."""
    low, at = max(led - 35, trace.begin), led - trace.begin
    scores = _scores(trace, low, led, trace.room[max(at - 45, 0) : max(at - 12, 1)])
    best, total, edge = -math.inf, 0.0, 0
    for index, score in enumerate(scores):
        total += score
        if total >= best:
            best, edge = total, index
    return low + edge


def _contrast(trace: _Trace, start: int, end: int, first: int, now: int, config: TryOnConfig) -> float | None:
    """dB by which the stay is above what was just before and after; ``None`` where it cannot be told and is too long.

    ``_WALK`` seconds on either side are left out: the walk in and out.
    """
    aside, length = round(_WALK / config.epoch_seconds), round(config.contrast_seconds / config.epoch_seconds)
    outside = []
    if start - aside - length // 2 >= first:
        outside.append(trace.mean(max(start - aside - length, first), start - aside))
    if end + aside + length // 2 <= now:
        outside.append(trace.mean(end + 1 + aside, min(end + 1 + aside + length, now + 1)))
    if len(outside) < 2 and (end - start) * config.epoch_seconds > config.unseen_end_seconds:
        return None
    return trace.mean(start, end + 1) - max(outside, default=0.0)


def _worn(values: list[float], config: TryOnConfig) -> float:
    """How sure (0 to 1) that in one part of the stay the tag was weaker than in the rest, as against a body.

    Medians of blocks, then the segment whose mean lies the most standard errors below that of the rest. The noise is
    taken from the differences of neighbouring blocks, which a step changes only once.
    """
    size = max(_BLOCK, len(values) // 150)
    blocks = [median(values[i : i + size]) for i in range(0, len(values) - size + 1, size)]
    count, least = len(blocks), math.ceil(config.worn_seconds / config.epoch_seconds / size)
    if count < least + 3:
        return 0.0
    top = sorted(blocks)[count * 7 // 10]
    blocks = [max(value, top - 18.0) for value in blocks]
    noise = max(1.5, 1.05 * median(abs(a - b) for a, b in itertools.pairwise(blocks)))
    sums = [0.0]
    for value in blocks:
        sums.append(sums[-1] + value)
    best = -math.inf
    for low in range(count):
        for high in range(low + least, min(count, low + count - 3) + 1):
            inside, outside = high - low, count - high + low
            if outside < 3:
                continue
            part = sums[high] - sums[low]
            drop = (sums[-1] - part) / outside - part / inside
            if drop >= config.worn_db:
                best = max(best, drop * math.sqrt(inside * outside / count) / noise)
    return _logistic((best - _Z) / 1.0) if best > -math.inf else 0.0
