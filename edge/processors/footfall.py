"""Frames to visits, stays and footfall minutes: one detector and one tracker in front of what is counted."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from edge.processors.counting import Counting, FootfallConfig, LineConfig, Moment
from edge.processors.picture import PictureWatch
from models.detector import Detections
from models.tracker import Tracker, Update
from sensors.readings import Frame, Image
from sync.events import Event

__all__ = ["FootfallConfig", "FootfallProcessor", "LineConfig", "PersonDetector"]

NOBODY = Detections(np.empty((0, 4), np.float32), np.empty(0, np.float32))


class PersonDetector(Protocol):
    """What finds people in a picture: ``models.detector.Detector``, the same behind a gate, or a test's own.

    The media time of the picture comes with it: the gate looks again after so many seconds of media.
    """

    def detect(self, image: Image, time: float, /) -> Detections: ...


class FootfallProcessor:
    """One camera's frames to ``visit``, ``zone`` and ``footfall.minute`` events; see ``edge.processing.Processor``."""

    def __init__(self, sensor: str, config: FootfallConfig, detector: PersonDetector) -> None:
        self._detector = detector
        self._tracker = Tracker(config.tracker)
        self._watch = PictureWatch()
        self._counting = Counting(sensor, config)

    @property
    def condition(self) -> str | None:
        """Why the pictures cannot be counted on (``frozen``, ``dark``, ``uniform``, ``corrupt``), or None.

        ``reshaped``: they are counted, but have another aspect than at the start, so that lines and zones may lie
        elsewhere; until the aspect is back or the box is started again.
        """
        return self._watch.condition or ("reshaped" if self._watch.another_shape else None)

    @property
    def waiting(self) -> dict[str, tuple[float, ...]]:
        """As ``Counting.waiting``."""
        return self._counting.waiting

    @property
    def heat(self) -> npt.NDArray[np.float64]:
        """As ``Counting.heat``."""
        return self._counting.heat

    def process(self, frame: Frame) -> Sequence[Event]:
        self._counting.know(frame.time)
        seen = self._watch.picture(frame)
        for span in seen.withdrawn:
            self._counting.withdraw(span)
        update = self._follow(frame, seen.reshaped)
        return self._counting.update(update, Moment(frame.time, frame.media_time), seen.interval)

    def flush(self, now: float) -> Sequence[Event]:
        return self._counting.flush(now)

    def close(self, now: float) -> Sequence[Event]:
        return self._counting.close(self._tracker.finish(), now)

    def _follow(self, frame: Frame, reshaped: bool) -> Update:
        """Who is in the picture. Where it is another one, everybody in the old one is given up."""
        gone = self._tracker.finish() if reshaped else ()
        # Whoever is in a frozen picture, or seems to be in a destroyed one, is not there.
        found = NOBODY if self._watch.condition else self._detector.detect(frame.image, frame.media_time)
        update = self._tracker.update(found, frame.media_time)
        return Update(update.people, [*gone, *update.ended]) if gone else update
