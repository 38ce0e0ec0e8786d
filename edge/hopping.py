"""The hoppers of the box's radios, and their say in the sensors' health."""

from collections.abc import Sequence
from typing import Any

from edge.config import EdgeFile
from edge.processing import Losing, Observing, Processor
from sensors.wifi.hopping import Hopper
from sync.events import Event


def open_hoppers(config: EdgeFile) -> dict[str, Hopper]:
    """By sensor, for each radio whose channels the box sets."""
    settings = {wifi.name: getattr(wifi, "hopping", None) for wifi in config.sensors.wifi}
    return {name: Hopper(hopping) for name, hopping in settings.items() if hopping is not None}


class Hopping:
    """A processor whose sensor is degraded while its radio's channels cannot be set."""

    def __init__(self, processor: Processor[Any], hopper: Hopper) -> None:
        self._processor = processor
        self._hopper = hopper

    @property
    def condition(self) -> str | None:
        """Why the sensor hears less than it should; see ``edge.processing.Observing``."""
        inner = self._processor.condition if isinstance(self._processor, Observing) else None
        return self._hopper.condition or inner

    def process(self, reading: Any, /) -> Sequence[Event]:
        return self._processor.process(reading)

    def flush(self, now: float, /) -> Sequence[Event]:
        return self._processor.flush(now)

    def close(self, now: float, /) -> Sequence[Event]:
        return self._processor.close(now)

    def lost(self, now: float, /) -> None:
        if isinstance(self._processor, Losing):
            self._processor.lost(now)
