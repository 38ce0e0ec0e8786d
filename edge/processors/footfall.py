"""Frames to visits, stays and footfall minutes: who is seen in front, what is counted behind."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from edge.processors.badges import BadgeBoard
from edge.processors.counting import Counting, FootfallConfig, LineConfig, Moment
from edge.processors.following import Following, PersonDetector
from models.tracker import Update
from sensors.readings import Frame
from sync.events import Event

__all__ = ["ArrivalFinder", "FootfallConfig", "FootfallProcessor", "LineConfig", "PersonDetector"]


class ArrivalFinder(Protocol):
    """What looks for members who arrive in the pictures of one camera, beside those who are counted."""

    def picture(self, frame: Frame, update: Update, /) -> Sequence[Event]: ...

    def close(self) -> None: ...


class FootfallProcessor:
    """One camera's frames to ``visit``, ``zone`` and ``footfall.minute`` events; see ``edge.processing.Processor``.

    ``board``: where the badges of staff are asked for; ``finders``: who looks for members in the same pictures. Raises
    ``ModelError`` when the file of a uniform is none.
    """

    def __init__(
        self,
        sensor: str,
        config: FootfallConfig,
        detector: PersonDetector,
        board: BadgeBoard | None = None,
        finders: Sequence[ArrivalFinder] = (),
    ) -> None:
        self._finders = finders
        self._following = Following(detector, config.tracker, clothes=config.looks_at_clothes)
        self._counting = Counting(sensor, config, board)

    @property
    def condition(self) -> str | None:
        """As ``Following.condition``."""
        return self._following.condition

    @property
    def period(self) -> float:
        """As ``Following.period``."""
        return self._following.period

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
        moment = Moment(frame.time, frame.media_time)
        counted = self._counting.update(seen.update, moment, seen.interval, seen.looks)
        return [*counted, *(event for finder in self._finders for event in finder.picture(frame, seen.update))]

    def flush(self, now: float) -> Sequence[Event]:
        return self._counting.flush(now)

    def lost(self, now: float) -> None:
        for finder in self._finders:
            finder.close()

    def close(self, now: float) -> Sequence[Event]:
        self.lost(now)
        return self._counting.close(self._following.finish(), now)
