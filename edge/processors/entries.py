"""Which crossings are visits: each waits until its rules are decided, and then comes out exactly once.

Whoever goes back at once, stays too short a time, or comes back soon after leaving is excluded with the reason; staff
are told apart. Crossings that belong together (a U-turn, a stay that was too short) are paired, and each belongs to at
most one pair, so that who zigzags over a line is counted for where they ended.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from edge.processors.badges import BadgeBoard, Passing
from edge.processors.entry_rules import BadgeRule, EntryRules
from edge.processors.groups import Group, Groups
from edge.processors.people import Known
from models.lines import Crossing

Reason = Literal["staff", "re_entry", "u_turn", "minimum_stay"]

LATE = 3.0
"""Seconds after a crossing by which it is known of, and by which the clothes were looked at, as far as can be."""
_SET_BACK = 60.0
"""Seconds: a crossing so far in the future means that the clock was set back; it does not wait for that time."""
_MOST_HELD = 1_000
_MOST_REMEMBERED = 200
"""People who left and may come back; the first to have left is forgotten."""
_MOST_RECENT = 256
"""Crossings of a line among which a badge's owner is looked for."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One instant on both clocks: ``time`` in epoch seconds, ``media`` in seconds of the stream.

    Tracks live on the media's clock, events on the other (which may jump, or run faster in a time lapse).
    """

    time: float
    media: float


@dataclass(eq=False, slots=True)
class Entry:
    """One crossing at ``time`` (epoch seconds), and what was found about it. ``reasons`` say why it is no visit."""

    crossing: Crossing
    time: float
    entered: bool
    known: Known
    rules: EntryRules
    run: int
    group: Group | None
    staff: bool = False
    paired: bool = False
    reasons: list[Reason] = field(default_factory=list)

    @property
    def exclusions(self) -> tuple[Reason, ...]:
        """In the order of the contract."""
        return ("staff", *self.reasons) if self.staff else tuple(self.reasons)


class Entries:
    """The crossings of one camera's lines; ``rules`` of each line. Memory is bounded, and clothes are in RAM only."""

    def __init__(
        self,
        rules: Mapping[str, EntryRules],
        *,
        uniforms: bool = False,
        badges: BadgeRule | None = None,
        board: BadgeBoard | None = None,
    ) -> None:
        self._rules = dict(rules)
        self._uniforms = uniforms
        self._badges = badges if board is not None else None
        self._board = BadgeBoard() if board is None else board
        self._groups = Groups()
        self._held: list[Entry] = []
        self._gone: deque[Entry] = deque(maxlen=_MOST_REMEMBERED)
        """Who left, for as long as they may come back."""
        self._recent: dict[str, deque[Entry]] = {}
        self._claimed: deque[tuple[str, str, str, float]] = deque(maxlen=4 * _MOST_RECENT)
        """Comings and goings of badges that belong to a crossing already: line, badge, which, when."""
        self._run = 0

    @property
    def hold(self) -> float:
        """Seconds for which a crossing may wait, at most; 0 where no rule needs to."""
        longest = 2 * self._badges.seconds if self._badges else 0.0
        for rules in self._rules.values():
            if rules.u_turn_seconds:
                longest = max(longest, rules.u_turn_seconds + LATE)
            if rules.minimum_stay_seconds:
                longest = max(longest, rules.minimum_stay_seconds + 2 * LATE)
            if self._needs_looks(rules):
                longest = max(longest, LATE)
        return longest

    def cross(self, crossing: Crossing, time: float, entered: bool, known: Known) -> None:
        """Somebody crossed a line; what becomes of it, ``settle`` says."""
        rules = self._rules[crossing.line]
        group = self._groups.join(crossing.line, crossing.direction, crossing.time, known, rules)
        entry = Entry(crossing, time, entered, known, rules, self._run, group)
        if rules.u_turn_seconds:
            self._turn_back(entry)
        self._held.append(entry)
        if not entered and rules.re_entry_seconds:
            self._gone.append(entry)
        if self._badges:
            self._recent.setdefault(crossing.line, deque(maxlen=_MOST_RECENT)).append(entry)

    def restart(self) -> None:
        """The media began anew: nobody of before is followed any more."""
        self._run += 1
        self._groups.restart()

    def settle(self, now: Moment) -> list[Entry]:
        """The crossings that are decided by ``now``."""
        decided = []
        # Who left is looked at first: that decides on some who came.
        for entry in sorted(self._held, key=lambda entry: (entry.entered, entry.time)):
            if not self._is_open(entry, now):
                decided.append(self._decide(entry))
        while len(self._held) > _MOST_HELD:
            decided.append(self._decide(self._held[0]))
        for gone in list(self._gone):
            if not -_SET_BACK <= now.time - gone.time <= gone.rules.re_entry_seconds + 2 * LATE:
                self._gone.remove(gone)
        return decided

    def finish(self) -> list[Entry]:
        """Everything that is still held, by what is known."""
        held = sorted(self._held, key=lambda entry: (entry.entered, entry.time))
        decided = [self._decide(entry) for entry in held]
        self._gone.clear()
        return decided

    def _needs_looks(self, rules: EntryRules) -> bool:
        return self._uniforms or rules.compares_looks

    def _is_open(self, entry: Entry, now: Moment) -> bool:
        """Whether something may still come that decides on it."""
        rules, waited = entry.rules, now.time - entry.time
        if waited < -_SET_BACK:
            return False
        if not entry.paired:
            followed = entry.run == self._run and not entry.known.ended
            turn = rules.u_turn_seconds
            if turn and followed and now.media - entry.crossing.time <= turn + LATE:
                return True
            stay = rules.minimum_stay_seconds
            if stay and entry.entered and waited <= stay + 2 * LATE:
                return True
        if self._badges and waited <= 2 * self._badges.seconds:
            return True
        return self._needs_looks(rules) and not entry.known.settled and waited <= LATE

    def _decide(self, entry: Entry) -> Entry:
        self._held.remove(entry)
        entry.staff = entry.known.staff or self._has_badge(entry)
        if not entry.staff and not entry.paired:
            if not entry.entered and entry.rules.minimum_stay_seconds:
                self._stay_too_short(entry)
            elif entry.entered and entry.rules.re_entry_seconds:
                self._come_back(entry)
        return entry

    def _turn_back(self, entry: Entry) -> None:
        """Pair it with the last crossing of the same person in the other direction."""
        for before in reversed(self._held):
            if before.known is entry.known and before.crossing.line == entry.crossing.line:
                soon = entry.crossing.time - before.crossing.time <= entry.rules.u_turn_seconds
                if soon and not before.paired and before.entered != entry.entered and before.run == entry.run:
                    self._pair(before, entry, "u_turn")
                return

    def _stay_too_short(self, left: Entry) -> None:
        came = _same_person(left, [one for one in self._held if one.entered], left.rules.minimum_stay_seconds)
        if came is not None:
            self._pair(came, left, "minimum_stay")

    def _pair(self, one: Entry, other: Entry, reason: Reason) -> None:
        for entry in (one, other):
            entry.paired = True
            entry.reasons.append(reason)

    def _come_back(self, entry: Entry) -> None:
        left = _same_person(entry, self._gone, entry.rules.re_entry_seconds)
        if left is not None:
            entry.reasons.append("re_entry")
            # Who left and came back has not stayed for too short a time.
            left.paired = True
            self._gone.remove(left)

    def _has_badge(self, entry: Entry) -> bool:
        """Whether a badge came or went at the line with this crossing, and with no other that is nearer."""
        if self._badges is None:
            return False
        near, line = self._badges.seconds, entry.crossing.line
        for passing in self._board.passings(
            self._badges.readers, entry.time - 2 * near, entry.time + 2 * near, gap=near
        ):
            marks = [
                (line, passing.badge, which, when)
                for which, when in (("came", passing.first), ("went", passing.last))
                if abs(when - entry.time) <= near
            ]
            if not marks or any(mark in self._claimed for mark in marks):
                continue
            mine = _distance(passing, marks, entry.time)
            others = [one for one in self._recent[line] if one is not entry and not one.staff]
            if all(mine <= _distance(passing, marks, other.time) for other in others):
                self._claimed.extend(marks)
                return True
        return False


def _distance(passing: Passing, marks: Sequence[tuple[str, str, str, float]], time: float) -> tuple[float, float]:
    """How far a crossing is from a badge's coming or going, or from both where it passed within one crossing's reach.

    Two crossings during a short passing are told apart by its middle.
    """
    if len(marks) == 2 and passing.first <= time <= passing.last:
        return 0.0, abs(time - (passing.first + passing.last) / 2)
    return min(abs(time - when) for _, _, _, when in marks), 0.0


def _same_person(entry: Entry, others: Sequence[Entry] | deque[Entry], within: float) -> Entry | None:
    """Who of ``others`` crossed the same line up to ``within`` seconds before and is this person, by track or looks."""
    best, nearest = None, entry.rules.alike
    for other in others:
        if other.paired or other.staff or other.crossing.line != entry.crossing.line:
            continue
        if not 0 <= entry.time - other.time <= within:
            continue
        if other.known is entry.known:
            return other
        if other.known.look is not None and entry.known.look is not None:
            distance = other.known.look.distance(entry.known.look)
            if distance <= nearest:
                best, nearest = other, distance
    return best
