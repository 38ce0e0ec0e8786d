"""Where a customer stands between new and lost, when that changes next, and why somebody should act now."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from statistics import median

from sync.crm.segments.rules import SegmentRules, State, Warning_


@dataclass(frozen=True, slots=True)
class Standing:
    """``since``: the first day of the state; ``due``: the day on which state, warning or a band changes by itself."""

    state: State
    since: date
    warning: Warning_ | None
    due: date | None


def pace(days: Sequence[date], rules: SegmentRules) -> int | None:
    """The customer's own median of days between purchases; None while there are too few. ``days`` rise."""
    if len(days) < rules.slower_purchases:
        return None
    return max(1, round(median((later - sooner).days for sooner, later in pairwise(days))))


def standing(
    bought: int,
    last: date,
    cycle: int,
    own_pace: int | None,
    today: date,
    rules: SegmentRules,
    bands: Sequence[int] = (),
) -> Standing:
    """Of a customer with ``bought`` purchase days, the last on ``last``; ``bands`` are limits in days of silence."""
    silence = max(0, (today - last).days)
    early: State = "new" if bought == 1 else "active"
    # A state begins on the first whole day after so many cycles.
    later: tuple[tuple[float, State], ...] = (
        (rules.at_risk, "at_risk"),
        (rules.silent, "silent"),
        (rules.dormant, "dormant"),
        (rules.lost, "lost"),
    )
    steps: list[tuple[int, State]] = [(0, early)]
    steps += [(math.floor(times * cycle) + 1, state) for times, state in later]
    began, state = next(step for step in reversed(steps) if step[0] <= silence)
    leaving = max(0, steps[1][0] - rules.warn_days)
    slower = None if own_pace is None else math.floor(own_pace * rules.slower_times) + 1
    warning: Warning_ | None = None
    if began == 0 and slower is not None and silence >= slower:
        warning = "slower"
    elif began == 0 and silence >= leaving:
        warning = "leaving"
    turns = [start for start, _ in steps] + [leaving, *([] if slower is None else [slower]), *bands]
    ahead = [turn for turn in turns if turn > silence]
    return Standing(state, last + timedelta(began), warning, last + timedelta(min(ahead)) if ahead else None)


def reason(warning: Warning_, last: date, cycle: int, own_pace: int | None, today: date) -> str:
    """The warning as a sentence with its figures."""
    silence = (today - last).days
    if warning == "slower":
        return f"buys every {own_pace} days, and has not bought for {silence}"
    return f"no purchase for {silence} days; customers of this category come back within {cycle}"
