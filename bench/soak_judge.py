"""What the endurance run showed: who was counted, which minutes claim to be covered, and what health told when."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from scipy.optimize import linear_sum_assignment

from bench.soak_cameras import FILE_SECONDS, Play
from bench.soak_faults import TOLD, Fault, Plan
from bench.soak_shop import Walker

Direction = Literal["in", "out"]
Span = tuple[float, float]
Crossed = tuple[float, Direction]
TOLERANCE_S = 1.5
FOUND_WITHIN = 60.0
"""Seconds: a frozen picture takes up to 45."""


@dataclass
class Seen:
    """What one camera's events said, in elapsed seconds; minutes by their number since the start."""

    visits: list[Crossed] = field(default_factory=list)
    coverage: dict[int, float] = field(default_factory=dict)
    told: list[tuple[float, str, str | None]] = field(default_factory=list)
    """When health changed its state or reason, and to what."""

    def digest(self, until: float, minutes: set[int]) -> str:
        """Of everything up to then, to compare two runs."""
        covered = sorted((minute, seconds) for minute, seconds in self.coverage.items() if minute in minutes)
        visits = [(round(time, 2), way) for time, way in self.visits if time < until]
        return hashlib.sha256(repr((visits, covered)).encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Camera:
    """What is true of one camera."""

    name: str
    crossings: Sequence[Crossed]
    conditions: Sequence[tuple[float, float, str]]
    """Spans with the name of what was the matter; crossings and minutes outside are ``well``."""
    blind: Sequence[Span]
    doubtful: Sequence[Span]
    faults: Sequence[Fault] = ()

    def condition(self, time: float) -> str | None:
        """What was the matter at that moment; None when nothing is sure."""
        if any(first <= time <= last for first, last in self.doubtful):
            return None
        return next((name for first, last, name in self.conditions if first <= time <= last), "well")


def _way(walker: Walker) -> Direction:
    return "in" if walker.enters else "out"


def drawn(name: str, walkers: Sequence[Walker], faults: Sequence[Fault], plan: Plan, seconds: float) -> Camera:
    """The truth of a camera that is drawn."""
    crossings = [(w.crosses, _way(w)) for w in walkers if w.crosses is not None and w.crosses < seconds - 5]
    conditions = [(fault.start - 2, fault.end + 5, fault.kind) for fault in faults]
    blind = [span for fault in faults if (span := fault.blind()) is not None]
    doubtful = [span for fault in faults if (span := fault.doubtful()) is not None]
    return Camera(name, crossings, conditions, blind, [*doubtful, *plan.shaken(), (seconds - 5, seconds)], faults)


def filmed(name: str, plays: Sequence[Play], plan: Plan, seconds: float) -> Camera:
    """The truth of a camera behind which files ran."""
    crossings = [
        (play.start + w.crosses, _way(w))
        for play in plays
        for w in play.film.walkers
        if w.crosses is not None and play.start + w.crosses < min(play.end, seconds) - 4
    ]
    starts = [play.start for play in plays[1:]]
    gaps = [(play.end, start) for play, start in zip(plays, starts, strict=False)]
    # Where a file is damaged, its player skips: nothing after that is where it was.
    bad = [(play.start + 0.3 * FILE_SECONDS, play.end) for play in plays if play.film.damaged]
    doubtful = [(first - 5, last + 5) for first, last in gaps] + bad + plan.shaken() + [(seconds - 5, seconds)]
    return Camera(name, crossings, [], gaps, doubtful)


def crossings(seen: Seen, camera: Camera) -> Counter[tuple[str, str]]:
    """How many were (condition, ``correct`` | ``false`` | ``missed``), where something is sure."""
    cost = np.full((len(seen.visits), len(camera.crossings)), 1e3)
    for i, (time, way) in enumerate(seen.visits):
        for j, (true_time, true_way) in enumerate(camera.crossings):
            if way == true_way and abs(time - true_time) <= TOLERANCE_S:
                cost[i, j] = abs(time - true_time)
    rows, columns = linear_sum_assignment(cost)
    good = cost[rows, columns] < 1e3
    matched, found = set(rows[good].tolist()), set(columns[good].tolist())
    result: Counter[tuple[str, str]] = Counter()
    for j, (time, _) in enumerate(camera.crossings):
        if (condition := camera.condition(time)) is not None:
            result[condition, "correct" if j in found else "missed"] += 1
    for i, (time, _) in enumerate(seen.visits):
        if i not in matched and (condition := camera.condition(time)) is not None:
            result[condition, "false"] += 1
    return result


@dataclass(frozen=True, slots=True)
class Minutes:
    """Minutes by whether they claim what they should: ``blind`` ones nothing, ``well`` ones everything."""

    blind: int
    well: int
    claimed: Sequence[int]
    """Blind in whole or in part, and covered all the same."""
    lost: Sequence[int]
    """Well, and not covered."""


def minutes(seen: Seen, camera: Camera, usable: set[int]) -> Minutes:
    """Judge every minute that is ``usable``: the clock went through it once, and was right."""
    blind = well = 0
    claimed, lost = [], []
    for minute in sorted(usable):
        first, last = 60.0 * minute, 60.0 * minute + 60
        unseen = sum(max(0.0, min(last, end) - max(first, start)) for start, end in camera.blind)
        covered = seen.coverage.get(minute, 0.0)
        if unseen > 0:
            blind += 1
            # A gap of up to 2 s is an observation; a condition is found up to 2 s off.
            if covered > 60 - unseen + 4:
                claimed.append(minute)
        elif not any(start < last and end > first for start, end in camera.doubtful):
            well += 1
            if covered < 58:
                lost.append(minute)
    return Minutes(blind, well, claimed, lost)


def usable_minutes(plan: Plan, seconds: float) -> set[int]:
    """Minutes that were gone through once, with the right clock."""
    whole = set(range(int(seconds // 60)))
    for first, last, ahead in plan.jumps:
        for edge in ((first, last), (first + ahead, last + ahead)):
            whole -= set(range(int(edge[0] // 60) - 1, int(edge[1] // 60) + 2))
    return whole


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault and how long health took to say it, and to take it back; None where it never did."""

    fault: Fault
    found_after: float | None
    over_after: float | None
    told: int


def findings(seen: Seen, camera: Camera, shaken: Sequence[Span], until: float) -> list[Finding]:
    """Of each fault that health must tell, where the box as a whole was itself."""
    result = []
    for fault in camera.faults:
        span = fault.blind()
        if span is None or span[1] + FOUND_WITHIN > until:
            continue
        if any(first < span[1] + FOUND_WITHIN and last > span[0] for first, last in shaken):
            continue
        reason = TOLD[fault.kind]
        # Dusk may be called dark as soon as seeing is doubtful.
        first = fault.start if fault.kind == "dusk" else span[0]
        inside = [at for at, _, why in seen.told if why == reason and first <= at <= span[1] + FOUND_WITHIN]
        over = next((at for at, state, _ in seen.told if state == "ok" and inside and at > inside[-1]), None)
        found = None if not inside else max(0.0, inside[0] - span[0])
        result.append(Finding(fault, found, None if over is None else over - span[1], len(inside)))
    return result
