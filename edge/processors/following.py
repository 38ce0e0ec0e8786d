"""Pictures to people: who is in one camera's view, what of its time was observed, and what people wear."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from edge.processors.picture import PictureWatch, Span
from models.appearance import ENOUGH, Look, look_at
from models.config import TrackerConfig
from models.detector import Detections
from models.tracker import Person, Tracker, Update
from sensors.readings import Frame, Image

NOBODY = Detections(np.empty((0, 4), np.float32), np.empty(0, np.float32))

_LOOK_EVERY = 0.3
"""Seconds between two looks at somebody until there are enough: neighbouring pictures say the same."""
_LOOK_AGAIN = 2.0
"""And after that: the light of another place, and whoever it is once the tracker has mixed two people up."""
_COVERED = 0.25
"""Share of a box that another one covers from which the clothes could be the other's."""
_SURE = 0.4
"""Score of the detector from which a box fits well enough to look inside."""
_BORDER = 0.005


class PersonDetector(Protocol):
    """What finds people in a picture: ``models.detector.Detector``, the same behind a gate, or a test's own.

    The media time of the picture comes with it: the gate looks again after so many seconds of media.
    """

    def detect(self, image: Image, time: float, /) -> Detections: ...


@dataclass(frozen=True, slots=True)
class Followed:
    """What one picture shows. ``interval`` and ``withdrawn`` are those of ``edge.processors.picture.Seen``."""

    update: Update
    interval: Span | None
    withdrawn: Sequence[Span]
    looks: Mapping[int, Look]


class Following:
    """One detector and one tracker. ``clothes``: whether to look at what people wear, a few times each."""

    def __init__(
        self, detector: PersonDetector, tracker: TrackerConfig | None = None, *, clothes: bool = False
    ) -> None:
        self._detector = detector
        self._tracker = Tracker(tracker)
        self._watch = PictureWatch()
        self._clothes = clothes
        self._looked: dict[int, tuple[float, int]] = {}
        """When each track was looked at last, and how often."""

    @property
    def condition(self) -> str | None:
        """Why the pictures cannot be counted on (``frozen``, ``dark``, ``uniform``, ``corrupt``), or None.

        ``reshaped``: they are counted, but have another aspect than at the start, so that lines and zones may lie
        elsewhere; until the aspect is back or the box is started again.
        """
        return self._watch.condition or ("reshaped" if self._watch.another_shape else None)

    def picture(self, frame: Frame) -> Followed:
        """One picture, in order; its image is not kept."""
        seen = self._watch.picture(frame)
        # Where the picture is another one, everybody in the old one is given up.
        gone = self._tracker.finish() if seen.reshaped else ()
        # Whoever is in a frozen picture, or seems to be in a destroyed one, is not there.
        found = NOBODY if self._watch.condition else self._detector.detect(frame.image, frame.media_time)
        update = self._tracker.update(found, frame.media_time)
        if gone:
            update = Update(update.people, [*gone, *update.ended])
        looks = self._look(update, frame) if self._clothes else {}
        return Followed(update, seen.interval, seen.withdrawn, looks)

    def finish(self) -> Sequence[int]:
        """The tracks that were followed until now."""
        self._looked.clear()
        return self._tracker.finish()

    def _look(self, update: Update, frame: Frame) -> dict[int, Look]:
        looks = {}
        for person in update.people:
            when, times = self._looked.get(person.track, (-np.inf, 0))
            due = frame.media_time - when >= (_LOOK_EVERY if times < 2 * ENOUGH else _LOOK_AGAIN) - 1e-6
            if due and _is_clear(person, update.people):
                look = look_at(frame.image, person.box)
                if look is not None:
                    looks[person.track] = look
                    self._looked[person.track] = frame.media_time, times + 1
        for track in update.ended:
            self._looked.pop(track, None)
        return looks


def _is_clear(person: Person, people: Sequence[Person]) -> bool:
    """Whether the whole person is seen, and nobody before them."""
    x1, y1, x2, y2 = person.box
    if person.score < _SURE or min(x1, y1) <= _BORDER or max(x2, y2) >= 1 - _BORDER:
        return False
    area = max((x2 - x1) * (y2 - y1), 1e-9)
    for other in people:
        a1, b1, a2, b2 = other.box
        wide, high = min(x2, a2) - max(x1, a1), min(y2, b2) - max(y1, b1)
        if other is not person and wide > 0 and high > 0 and wide * high > _COVERED * area:
            return False
    return True
