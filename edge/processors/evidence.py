"""Judging a finished stay: exactly when it was, whether it was one at all, and whether the item was handled."""

import itertools
import math
from dataclasses import dataclass
from statistics import median
from typing import Final, Literal

from edge.processors.sessions import Finished, lookback
from edge.processors.tryon_config import TryOnConfig

_CLIP: Final = 6.0
"""dB. A second counts for or against being inside by at most this much, so that one deep fade decides nothing."""
_DIP: Final = 14.0
"""dB. How far one read inside may fall below the usual level. Of 6, 10, 14 and 17, tried on seeds 1 to 3 of the noise
model, 14 puts the most starts and ends within 3 s; lower cuts a shadow at the door off, higher takes in the walk."""
_PER_NEPER: Final = 2.0
"""dB that a factor of e in likelihood counts for."""
_REACH: Final = 60
"""Epochs before the lead began, and behind the lag after it ended, in which the edges are looked for."""
_WALK: Final = 10
"""Seconds. In the noise model, people pass the other doors for 12 s before and after."""
_SETTLED: Final = 60
"""Epochs after which somebody who came in has hung up what they carry."""
_BLOCK: Final = 10
"""Epochs per block before looking for wearing. Of 5, 8, 10 and 12 with the median to the ninth decile of each, 10 with
the ninth decile told worn from unworn best on seeds 1 to 5 of ``edge.demo.fitting_rooms`` (area under the curve 0.92):
the best read of ten seconds is seldom in a shadow."""
_WORN_SLOPE: Final = 1.2
"""dB around ``worn_db`` over which the certainty of wearing goes from 27 % to 73 %, on the same seeds."""


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


def judge(one: Finished, first: int, config: TryOnConfig) -> list[Verdict]:
    """The verdicts on a stay: usually one; none where it is too short or the item was there before and after as well.

    An item that lives beside a room leads in it all day: then what counts are the times that it came much closer.
    ``first`` is the first epoch of the recording: what was before it is unknown, as is what comes after ``one.now``.
    """
    stay = one.stay
    trace = _trace(one, first, min(one.now, stay.led + lookback(config)), config)
    margin = stay.margin / max(stay.epochs, 1) * config.epoch_seconds / config.window_seconds
    span = (stay.opened, stay.led)
    whole = _verdict(trace, span, margin, first, one.now, config, config.contrast_db)
    if whole is not None:
        return [whole]
    closer = _excursions(trace, span, config)
    verdicts = (_verdict(trace, part, margin, first, one.now, config, config.closer_db) for part in closer)
    return [verdict for verdict in verdicts if verdict is not None]


def entered(one: Finished, first: int, config: TryOnConfig) -> int | None:
    """The epoch in which a stay that may still go on began; ``None`` where the item was there before just as well."""
    stay = one.stay
    until = min(one.now, stay.led, stay.opened + _SETTLED)
    trace = _trace(one, first, until, config)
    start = _edge_in(trace, stay.opened)
    before = _before(trace, start, first, config)
    if before is None:
        return start if (stay.led - start) * config.epoch_seconds <= config.unseen_end_seconds else None
    return start if trace.mean(start, until + 1) - before >= config.contrast_db else None


def _verdict(
    trace: _Trace, span: tuple[int, int], margin: float, first: int, now: int, config: TryOnConfig, least_db: float
) -> Verdict | None:
    start, end = _edge_in(trace, span[0]), _edge_out(trace, span[1])
    if (end + 1 - start) * config.epoch_seconds < config.minimum_seconds:
        return None
    contrast = _contrast(trace, start, end, first, now, config)
    if contrast is None or contrast < least_db:
        return None
    certain = _logistic((margin - 2.0) / 1.5) * _logistic((contrast - 5.0) / 2.0)
    worn = _worn(trace.room[start - trace.begin : end + 1 - trace.begin], config)
    if worn > 0.5:
        return Verdict(start, end, "tried_on", round(certain * worn, 3))
    return Verdict(start, end, "in_room", round(certain * (1 - worn / 2), 3))


def _excursions(trace: _Trace, span: tuple[int, int], config: TryOnConfig) -> list[tuple[int, int]]:
    """When, during a long stay, the level over the window was far above the usual (its lower quartile)."""
    width = round(config.window_seconds / config.epoch_seconds)
    sums = list(itertools.accumulate(trace.room, initial=0.0))
    begin, end = span[0] - trace.begin, min(span[1] - trace.begin, len(trace.room) - 1)
    means = {index: (sums[index + 1] - sums[index + 1 - width]) / width for index in range(max(begin, width), end + 1)}
    if not means:
        return []
    bar = sorted(means.values())[len(means) // 4] + config.closer_db
    found: list[tuple[int, int]] = []
    for index, mean in means.items():
        epoch = index + trace.begin
        if mean >= bar:
            if found and (epoch - found[-1][1]) * config.epoch_seconds <= config.merge_seconds:
                found[-1] = (found[-1][0], epoch)
            else:
                found.append((epoch, epoch))
    return found


def _logistic(x: float) -> float:
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, x))))


def _trace(one: Finished, first: int, end: int, config: TryOnConfig) -> _Trace:
    """What was seen around the stay, up to the epoch ``end``."""
    place = one.stay.place
    begin = max(first, one.stay.opened - lookback(config))
    room, other = [0.0] * (end - begin + 1), [0.0] * (end - begin + 1)
    for epoch, values in one.tag.trace:
        if epoch > end:
            break
        if epoch >= begin:
            room[epoch - begin] = values.get(place, 0.0)
            for elsewhere, value in values.items():
                if elsewhere != place and value > other[epoch - begin]:
                    other[epoch - begin] = value
    return _Trace(begin, room, other)


def _scores(trace: _Trace, start: int, end: int, inside: list[float]) -> list[float]:
    """For each epoch from ``start`` to ``end``: dB for (positive) or against being inside.

    The line is drawn ``_DIP`` below the usual level just inside.
    """
    seen = sorted(value for value in inside if value > 0)
    line = (seen[len(seen) * 6 // 10] if seen else 0.0) - _DIP
    absent = max(-_CLIP, _PER_NEPER * math.log(max(1 - len(seen) / max(len(inside), 1), 0.01)))
    scores = []
    for index in range(max(start - trace.begin, 0), min(end + 1 - trace.begin, len(trace.room))):
        value = trace.room[index]
        if value <= 0:
            scores.append(absent if trace.other[index] <= 0 else -_CLIP)
        elif trace.other[index] > value + _CLIP:
            scores.append(-_CLIP)
        else:
            scores.append(max(-_CLIP, min(_CLIP, value - line)))
    return scores


def _edge_in(trace: _Trace, opened: int) -> int:
    """The epoch from which on the item was inside: the change point with the highest sum of scores behind it."""
    low, at = max(opened - _REACH, trace.begin), opened - trace.begin
    scores = _scores(trace, low, opened + 15, trace.room[at : at + 30])
    best, total, edge = -math.inf, 0.0, len(scores) - 1
    for index in range(len(scores) - 1, -1, -1):
        total += scores[index]
        if total > best:
            best, edge = total, index
    return low + edge


def _edge_out(trace: _Trace, led: int) -> int:
    """The last epoch inside, likewise. The level leads on for up to a window after the item has gone."""
    low, at = max(led - _REACH - 15, trace.begin), led - trace.begin
    scores = _scores(trace, low, led, trace.room[max(at - 45, 0) : max(at - 12, 1)])
    best, total, edge = -math.inf, 0.0, 0
    for index, score in enumerate(scores):
        total += score
        if total >= best:
            best, edge = total, index
    return low + edge


def _before(trace: _Trace, start: int, first: int, config: TryOnConfig) -> float | None:
    """The level just before a stay, ``None`` where it is not known. The walk in (``_WALK`` seconds) is left out."""
    aside, length = round(_WALK / config.epoch_seconds), round(config.contrast_seconds / config.epoch_seconds)
    if start - aside - length // 2 < first:
        return None
    return trace.mean(max(start - aside - length, first), start - aside)


def _after(trace: _Trace, end: int, now: int, config: TryOnConfig) -> float | None:
    """The level just after a stay, likewise."""
    aside, length = round(_WALK / config.epoch_seconds), round(config.contrast_seconds / config.epoch_seconds)
    if end + aside + length // 2 > now:
        return None
    return trace.mean(end + 1 + aside, min(end + 1 + aside + length, now + 1))


def _contrast(trace: _Trace, start: int, end: int, first: int, now: int, config: TryOnConfig) -> float | None:
    """dB by which the stay is above what was just before and after; ``None`` where that is unknown and it is long."""
    sides = (_before(trace, start, first, config), _after(trace, end, now, config))
    known = [level for level in sides if level is not None]
    if len(known) < 2 and (end - start) * config.epoch_seconds > config.unseen_end_seconds:
        return None
    return trace.mean(start, end + 1) - max(known, default=0.0)


def _worn(values: list[float], config: TryOnConfig) -> float:
    """How sure (0 to 1) that in one part of the stay the tag was weaker than in the rest, as against a body.

    The ninth decile of each block, then the segment whose mean lies the most standard errors below that of the rest;
    the noise is that of neighbouring blocks, which a step changes only twice. What counts is how deep that segment is.
    """
    size = max(_BLOCK, len(values) // 150)
    blocks = [sorted(values[i : i + size])[size * 9 // 10 - 1] for i in range(0, len(values) - size + 1, size)]
    count, least = len(blocks), math.ceil(config.worn_seconds / config.epoch_seconds / size)
    if count < least + 2:
        return 0.0
    top = sorted(blocks)[count * 7 // 10]
    blocks = [max(value, top - 18.0) for value in blocks]
    noise = max(1.5, 1.05 * median(abs(a - b) for a, b in itertools.pairwise(blocks)))
    sums = list(itertools.accumulate(blocks, initial=0.0))
    best, deepest = 0.0, 0.0
    for low in range(count):
        for high in range(low + least, min(count, low + count - 2) + 1):
            inside, outside = high - low, count - high + low
            part = sums[high] - sums[low]
            drop = (sums[-1] - part) / outside - part / inside
            errors = drop * math.sqrt(inside * outside / count) / noise
            if errors > best:
                best, deepest = errors, drop
    return _logistic((deepest - config.worn_db) / _WORN_SLOPE)
