"""Frames to visits, stays and footfall minutes: who is seen in front, what is counted behind."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from edge.processors.badges import BadgeBoard
from edge.processors.counting import Counting, FootfallConfig, LineConfig, Moment
from edge.processors.following import Following, PersonDetector
from sensors.readings import Frame
from sync.events import Event

__all__ = ["FootfallConfig", "FootfallProcessor", "LineConfig", "PersonDetector"]


class FootfallProcessor:
    """One camera's frames to ``visit``, ``zone`` and ``footfall.minute`` events; see ``edge.processing.Processor``.

    ``board``: where the badges of staff are asked for. Raises ``ModelError`` when the file of a uniform is none.
    """

    def __init__(
        self, sensor: str, config: FootfallConfig, detector: PersonDetector, board: BadgeBoard | None = None
    ) -> None:
        self._following = Following(detector, config.tracker, clothes=config.looks_at_clothes)
        self._counting = Counting(sensor, config, board)

    @property
    def condition(self) -> str | None:
        """As ``Following.condition``."""
        return self._following.condition

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
        seen = self._following.picture(frame)
        for span in seen.withdrawn:
            self._counting.withdraw(span)
        return self._counting.update(seen.update, Moment(frame.time, frame.media_time), seen.interval, seen.looks)

    def flush(self, now: float) -> Sequence[Event]:
        return self._counting.flush(now)

    def close(self, now: float) -> Sequence[Event]:
        return self._counting.close(self._following.finish(), now)
