"""Who comes together: people who cross a line close after one another, side by side or in file, walking as one.

Decided backward: whoever crosses first opens a group, and the next ones join it or open their own. Nothing is held.
"""

from collections import deque
from dataclasses import dataclass
from statistics import median
from uuid import UUID, uuid4

from edge.processors.entry_rules import EntryRules
from edge.processors.people import Known, apart
from models.lines import Direction

_DRIFT = 0.5
"""Body heights per second by which people who walk together come closer or fall apart: less than half of a walk."""
_TOGETHER_FOR = 0.5
"""Seconds seen at once from which their drift says something."""
_REMEMBERED = 64
"""Crossings of one line and direction; within seconds there are fewer."""


@dataclass(slots=True)
class Group:
    """A buying unit. ``counted``: somebody of it was counted as having entered."""

    id: UUID
    counted: bool = False


@dataclass(frozen=True, slots=True)
class _Member:
    group: Group
    known: Known
    time: float


class Groups:
    """The groups at the lines of one camera. Times are the media's."""

    def __init__(self) -> None:
        self._recent: dict[tuple[str, Direction], deque[_Member]] = {}

    def restart(self) -> None:
        """The media began anew: nobody of before is near."""
        self._recent.clear()

    def join(self, line: str, direction: Direction, time: float, known: Known, rules: EntryRules) -> Group | None:
        """The group of somebody who crossed at ``time``; None where groups are not looked for."""
        if not rules.group_seconds:
            return None
        recent = self._recent.setdefault((line, direction), deque(maxlen=_REMEMBERED))
        group = None
        for member in reversed(recent):
            if abs(time - member.time) <= rules.group_seconds and _walk_together(member.known, known, rules):
                group = member.group
                break
        group = group or Group(uuid4())
        recent.append(_Member(group, known, time))
        return group


def _walk_together(one: Known, other: Known, rules: EntryRules) -> bool:
    """Whether two people were near while both were seen, and stayed so."""
    distances, gaps, times = [], [], []
    for step in other.path:
        there = one.at(step.time)
        if there is None:
            continue
        gap = apart(there, step)
        gaps.append(gap)
        distances.append((gap[0] ** 2 + gap[1] ** 2) ** 0.5)
        times.append(step.time)
    if not distances or median(distances) > rules.group_heights:
        return False
    seconds = times[-1] - times[0]
    if seconds < _TOGETHER_FOR:
        return True
    drift = ((gaps[-1][0] - gaps[0][0]) ** 2 + (gaps[-1][1] - gaps[0][1]) ** 2) ** 0.5
    return bool(drift / seconds <= _DRIFT)
