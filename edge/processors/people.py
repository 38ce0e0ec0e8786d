"""What is known of each person who is being followed: the way they walked, their clothes, whether they are staff.

All of it is in RAM only, and goes with the track unless a rule still needs it for its own bounded time.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from edge.processors.entry_rules import StaffRules
from models.appearance import ENOUGH, Look
from models.tracker import Person, Update
from models.uniform import Uniform
from models.zones import Polygon

_PATH_SECONDS = 4.0
"""Of media: more than the time in which two crossings may be of one group by default."""
_LEAST_STEP = 0.09
"""Seconds between two points of a path; ten a second are enough."""
_WIDTH_OF_HEIGHT = 0.4
"""Shares of the picture's width and height differ in length; a box is taken as 0.4 times as wide as high."""


@dataclass(frozen=True, slots=True)
class Step:
    """Where somebody's feet were at ``time`` of the media, and the size of their box; shares of the picture."""

    time: float
    x: float
    y: float
    width: float
    height: float


@dataclass(slots=True)
class Known:
    """One person. ``staff`` never goes back to False."""

    staff: bool = False
    look: Look | None = None
    path: deque[Step] = field(default_factory=deque)
    inside: float = 0.0
    """Media seconds in the staff zones."""
    last: float | None = None
    ended: bool = False

    @property
    def settled(self) -> bool:
        """Nothing more will be known of the clothes, or enough is."""
        return self.ended or (self.look is not None and self.look.pictures >= ENOUGH)

    def walk(self, person: Person, time: float) -> None:
        """One more point of the path."""
        if self.path and time - self.path[-1].time < _LEAST_STEP:
            return
        x1, y1, x2, y2 = person.box
        self.path.append(Step(time, (x1 + x2) / 2, y2, x2 - x1, y2 - y1))
        while self.path[0].time < time - _PATH_SECONDS:
            self.path.popleft()

    def at(self, time: float) -> Step | None:
        """Where the person was at ``time`` between two sightings; None before the first and after the last."""
        for before, after in zip(self.path, list(self.path)[1:], strict=False):
            if before.time <= time <= after.time:
                share = (time - before.time) / max(after.time - before.time, 1e-9)
                x, y = before.x + share * (after.x - before.x), before.y + share * (after.y - before.y)
                return Step(time, x, y, after.width, after.height)
        return None


def apart(one: Step, other: Step) -> tuple[float, float]:
    """From one to the other, in body heights across and along the picture."""
    width, height = (one.width + other.width) / 2, (one.height + other.height) / 2
    return (other.x - one.x) / max(width, 1e-6) * _WIDTH_OF_HEIGHT, (other.y - one.y) / max(height, 1e-6)


class People:
    """Everybody who is being followed by one camera. Raises ``ModelError`` when a uniform's file is none."""

    def __init__(self, staff: StaffRules | None, zones: Mapping[str, Polygon]) -> None:
        self._uniforms = [Uniform.load(path) for path in staff.uniforms] if staff else []
        self._zones = [zones[name] for name in staff.zones] if staff else []
        self._zone_seconds = staff.zone_seconds if staff else 0.0
        self._known: dict[int, Known] = {}

    @property
    def looks_at_uniforms(self) -> bool:
        """Whether clothes make staff."""
        return bool(self._uniforms)

    def see(self, update: Update, looks: Mapping[int, Look], time: float) -> None:
        """Who is there at media ``time``, and what they look like where that was looked at; before what ended goes."""
        for person in update.people:
            known = self._known.get(person.track)
            if known is None:
                known = self._known[person.track] = Known()
            known.walk(person, time)
            if self._zones and not known.staff:
                self._origin(known, person, time)
            known.last = time
            look = looks.get(person.track)
            if look is not None:
                known.look = look if known.look is None else known.look + look
                if not known.staff and known.look.pictures >= ENOUGH:
                    known.staff = any(uniform.worn(known.look) for uniform in self._uniforms)

    def _origin(self, known: Known, person: Person, time: float) -> None:
        if not any(zone.contains(zone.place(person)) for zone in self._zones):
            return
        if known.last is None:
            known.staff = True
            return
        known.inside += max(0.0, time - known.last)
        known.staff = known.inside >= self._zone_seconds

    def get(self, track: int) -> Known:
        """Of a track that is followed, or ends with this update; nobody in particular otherwise."""
        return self._known.get(track) or Known(ended=True)

    def staff(self) -> set[int]:
        """The tracks of staff."""
        return {track for track, known in self._known.items() if known.staff}

    def forget(self, ended: Sequence[int]) -> None:
        """The tracks that are given up: a last look at their clothes, with what pictures there are."""
        for track in ended:
            known = self._known.pop(track, None)
            if known is not None:
                known.ended = True
