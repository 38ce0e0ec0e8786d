"""What of a camera's time was really observed: pictures that came, and that showed something."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from edge.processors.coverage import Observed
from models.quality import LEAST_SIDE, PictureQuality
from sensors.readings import Frame, Image

Span = tuple[float, float]

_REMEMBERED_S = 90.0
"""Media seconds for which observed time can be withdrawn: more than a frozen picture needs to be found."""
_SAME_ASPECT = 0.02
"""Relative change of width to height that is still the same view: encoders round sizes to multiples of 16."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What one picture says of the time.

    ``interval`` is what it adds to the observed time, ``withdrawn`` what is found not to have been observed after all
    (both in the frames' clock); ``reshaped`` that the picture has another aspect, so that places in it changed.
    """

    interval: Span | None
    withdrawn: Sequence[Span]
    reshaped: bool


class PictureWatch:
    """Watches the pictures of one camera, in order."""

    def __init__(self) -> None:
        self._observed = Observed()
        self._quality = PictureQuality()
        self._recent: deque[tuple[float, Span]] = deque()
        """Observed intervals by the media time of the picture that completed them."""
        self._aspect: float | None = None
        self._first_aspect: float | None = None
        self._media = 0.0

    @property
    def condition(self) -> str | None:
        """Why the pictures cannot be counted on, as a reason code of ``health``; None when they can."""
        return None if self._quality.condition is None else self._quality.condition.reason

    @property
    def another_shape(self) -> bool:
        """Whether the pictures have another aspect than the first one had, for which lines and zones were drawn."""
        if self._aspect is None or self._first_aspect is None:
            return False
        return abs(self._aspect / self._first_aspect - 1) > _SAME_ASPECT

    def picture(self, frame: Frame) -> Seen:
        """Take note of one picture; its image is not kept."""
        if frame.media_time < self._media:
            self._recent.clear()
        self._media = frame.media_time
        before = self._quality.condition
        condition = self._quality.update(frame.image, frame.media_time)
        interval = self._observed.picture(frame.time)
        if before is not None or condition is not None:
            interval = None
        withdrawn = []
        if condition is not None:
            while self._recent and self._recent[-1][0] > condition.since:
                withdrawn.append(self._recent.pop()[1])
        if interval is not None:
            self._recent.append((frame.media_time, interval))
            while self._recent[0][0] < frame.media_time - _REMEMBERED_S:
                self._recent.popleft()
        return Seen(interval, withdrawn, self._is_reshaped(frame.image))

    def _is_reshaped(self, image: Image) -> bool:
        height, width = image.shape[:2]
        if min(height, width) < LEAST_SIDE:
            return False
        before, self._aspect = self._aspect, width / height
        self._first_aspect = self._first_aspect or self._aspect
        return before is not None and abs(self._aspect / before - 1) > _SAME_ASPECT
