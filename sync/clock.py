"""Time as an injected function. The only clocks are the system's and, for demonstrations, a simulated store day."""

import time
from collections.abc import Callable
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

Now = Callable[[], float]
"""Seconds since the epoch, UTC."""


class SimulatedClock(BaseModel):
    """A store day in fast motion: ``start`` at wall time ``began``, then ``speed`` times as fast, up to ``end``.

    Everything shown while it runs is marked as simulated time.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    began: float
    start: float
    end: float
    speed: Annotated[float, Field(gt=0)]

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> "SimulatedClock":
        if self.end <= self.start:
            raise ValueError("end must be later than start")
        return self

    def at(self, wall: float) -> float:
        """Store time at that wall time."""
        return min(self.end, self.start + max(0.0, wall - self.began) * self.speed)


Sleep = Callable[[float], None]


def sleeper(simulated: SimulatedClock | None = None) -> Sleep:
    """Waits for so many seconds of the process's clock."""
    if simulated is None:
        return time.sleep
    return lambda seconds: time.sleep(seconds / simulated.speed)


def clock(simulated: SimulatedClock | None = None) -> Now:
    """The clock of a process."""
    if simulated is None:
        return time.time
    return lambda: simulated.at(time.time())
