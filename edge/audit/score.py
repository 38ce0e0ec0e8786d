"""What an audit says: right, false and missed counts, shares with intervals, and a verdict against a target.

Pure: what a person saw and what the machine counted go in, figures come out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from edge.audit.intervals import Errors, Estimate, count_accuracy, wilson
from edge.audit.matching import Direction, Pair, Passing, match, reaction_delay

Verdict = Literal["meets", "below", "undecided", "too_few"]
TOLERANCE = 1.0
TARGET = 0.95
BLOCK_S = 60.0
_LEAST_ERRORS = 5
"""Errors from which their spread over time can be told."""
_MOST = 100_000


@dataclass(frozen=True, slots=True)
class Figures:
    """``people`` crossed, ``counted`` were counted, ``right`` of them one to one. Shares are None where of nothing.

    ``accuracy``: 1 − abs(counted − people) / people; of both directions the errors add up, and never cancel each other.
    ``precision``: right ÷ counted. ``recall``: right ÷ people.
    """

    people: int
    counted: int
    right: int
    accuracy: Estimate | None
    precision: Estimate | None
    recall: Estimate | None

    @property
    def false(self) -> int:
        """Counts of nobody."""
        return self.counted - self.right

    @property
    def missed(self) -> int:
        """People who were not counted."""
        return self.people - self.right


@dataclass(frozen=True, slots=True)
class Score:
    """The result. ``missed`` are the person's, with their own times (``delay`` not taken off); ``false`` the machine's.

    ``net_error``: people inside who were counted too many (below 0: too few). ``spread``: see
    ``intervals.count_accuracy``. ``more``: about so many more crossings are needed for a verdict; None where there is
    one, or where no number would help.
    """

    delay: float
    pairs: tuple[Pair, ...]
    missed: tuple[Passing, ...]
    false: tuple[Passing, ...]
    all: Figures
    directions: dict[Direction, Figures]
    net_error: int
    spread: float
    target: float
    verdict: Verdict
    more: int | None


def score(
    people: Sequence[Passing],
    machine: Sequence[Passing],
    *,
    tolerance: float = TOLERANCE,
    delay: float | None = None,
    target: float = TARGET,
    either: Sequence[tuple[float, float]] = (),
) -> Score:
    """Compare one line's crossings. ``delay`` None: the person's, estimated; 0 for times that are exact.

    ``either``: spans (seconds) in which somebody hesitates on the line; counts there that are right for nobody are
    no error as long as as many go in as out.
    """
    late = reaction_delay(people, machine, tolerance) if delay is None else delay
    pairs = match(people, machine, tolerance, late)
    missed = _without(people, [person for person, _ in pairs])
    false = _without(machine, [count for _, count in pairs])
    for begin, end in either:
        here = [one for one in false if begin <= one.time <= end]
        if sum(1 if one.direction == "in" else -1 for one in here) == 0:
            false = _without(false, here)
    spread = _spread(pairs, missed, false)
    both: tuple[Direction, Direction] = ("in", "out")
    errors = {
        way: Errors(
            sum(one.direction == way for one in people),
            sum(one.direction == way for one in false),
            sum(one.direction == way for one in missed),
        )
        for way in both
    }
    directions = {way: _figures([errors[way]], spread) for way in both}
    whole = _figures(list(errors.values()), spread)
    inside = {way: figures.counted - figures.people for way, figures in directions.items()}
    verdict = _verdict(whole, target, _provable(errors["in"], errors["out"], target) if people else False)
    more = _needed(list(errors.values()), spread, target) if verdict in ("too_few", "undecided") else None
    net = inside["in"] - inside["out"]
    return Score(late, tuple(pairs), missed, false, whole, directions, net, spread, target, verdict, more)


def least_people(target: float, entering: float = 0.5) -> int:
    """How many crossings, all counted right, could just prove the target: with fewer nothing is said.

    ``entering`` is the share of those who go in: it moves the number by one or two.
    """
    number = 1
    while number < _MOST and not _provable(
        Errors(number * entering, 0, 0), Errors(number * (1 - entering), 0, 0), target
    ):
        number += 1
    return number


def _provable(entering: Errors, leaving: Errors, target: float) -> bool:
    """Whether so many people could prove the target, had there been no error."""
    people = [Errors(one.people, 0, 0) for one in (entering, leaving)]
    return count_accuracy(people).low >= target


def _figures(errors: Sequence[Errors], spread: float) -> Figures:
    people, false, missed = (
        round(sum(part)) for part in zip(*((one.people, one.false, one.missed) for one in errors), strict=True)
    )
    right = people - missed
    counted = right + false
    return Figures(
        people,
        counted,
        right,
        count_accuracy(errors, spread) if people else None,
        wilson(right / spread, counted / spread) if counted else None,
        wilson(right / spread, people / spread) if people else None,
    )


def _verdict(figures: Figures, target: float, provable: bool) -> Verdict:
    if figures.accuracy is None:
        return "too_few"
    if figures.accuracy.high < target:
        return "below"
    if not provable:
        return "too_few"
    return "meets" if figures.accuracy.low >= target else "undecided"


def _needed(errors: Sequence[Errors], spread: float, target: float) -> int | None:
    """With the same share of errors, how many more crossings until the interval is on one side of the target."""
    seen = round(sum(one.people for one in errors))
    least = least_people(target, errors[0].people / seen if seen else 0.5)
    if not seen:
        return least

    def decides(people: int) -> bool:
        wide = count_accuracy(_scaled(errors, people / seen), spread)
        return wide.low >= target or wide.high < target

    low = high = max(least, seen + 1)
    while not decides(high):
        low, high = high, 2 * high
        if high > _MOST:
            return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if decides(middle) else (middle + 1, high)
    return high - seen


def _scaled(errors: Sequence[Errors], scale: float) -> list[Errors]:
    return [Errors(one.people * scale, one.false * scale, one.missed * scale) for one in errors]


def _spread(pairs: Sequence[Pair], missed: Sequence[Passing], false: Sequence[Passing]) -> float:
    """How many times the errors per minute vary more than independent ones would: Pearson's χ² ÷ degrees, at least 1.

    Errors come together (a group, a glare of the sun), and then n crossings tell less than n.
    """
    errors = len(missed) + len(false)
    if errors < _LEAST_ERRORS:
        return 1.0
    crossings: dict[int, int] = {}
    wrong: dict[int, int] = {}
    for time in [person.time for person, _ in pairs] + [one.time for one in (*missed, *false)]:
        crossings[int(time // BLOCK_S)] = crossings.get(int(time // BLOCK_S), 0) + 1
    for one in (*missed, *false):
        wrong[int(one.time // BLOCK_S)] = wrong.get(int(one.time // BLOCK_S), 0) + 1
    if len(crossings) < 2:
        return 1.0
    share = errors / sum(crossings.values())
    if share >= 1:
        return 1.0
    expected = {block: share * count for block, count in crossings.items()}
    # Within a minute an event is wrong or not: binomial, not Poisson, where errors are many.
    chi = sum((wrong.get(block, 0) - mean) ** 2 / (mean * (1 - share)) for block, mean in expected.items())
    return max(1.0, chi / (len(crossings) - 1))


def _without(all_of_them: Sequence[Passing], some: Sequence[Passing]) -> tuple[Passing, ...]:
    left = sorted(all_of_them)
    for one in some:
        left.remove(one)
    return tuple(left)
