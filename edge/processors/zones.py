"""The zones of one camera: their configuration, ``zone`` events, and who is inside now."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from models.tracker import Update
from models.zones import Change, Polygon, Span, Watched, ZoneWatch, problem
from sync.events import Event, Name, Zone

Place = Annotated[float, Field(ge=0, le=1)]
Corners = tuple[tuple[Place, Place], ...]


def _polygon(corners: Corners) -> Corners:
    if (wrong := problem(corners)) is not None:
        raise ValueError(wrong)
    return corners


class ZoneConfig(BaseModel):
    """One zone: its corners in order around it, in shares of the picture from its upper left corner.

    ``queue`` is a zone where people wait: its occupancy is the length of the queue, its stays are the waiting times.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: Name
    polygon: Annotated[Corners, AfterValidator(_polygon), Field(json_schema_extra={"minItems": 3}, max_length=64)]
    kind: Literal["dwell", "queue"] = "dwell"
    anchor: Literal["centre", "foot"] = "foot"
    minimum_seconds: Annotated[float, Field(ge=0, le=3600)] = Field(
        default=3.0, description="a shorter stay is somebody who passes: it is in the occupancy, not in the stays"
    )

    def watch(self) -> ZoneWatch:
        """For ``models.zones``."""
        return ZoneWatch(Polygon(self.name, self.polygon, self.anchor), minimum=self.minimum_seconds)


@dataclass(frozen=True, slots=True)
class Presence:
    """A person was in ``zone`` during ``span`` (epoch seconds)."""

    zone: str
    span: Span


@dataclass(frozen=True, slots=True)
class Stay:
    """Somebody came into ``zone`` to stay, or left it."""

    zone: str
    entered: bool
    staff: bool
    event: Event


@dataclass(frozen=True, slots=True)
class Stayed:
    """What one picture made known: who came to stay or left, and observed time spent inside."""

    stays: Sequence[Stay]
    present: Sequence[Presence]


class Zones:
    """All zones of one camera, fed with what its tracker sees."""

    def __init__(self, sensor: str, configs: Sequence[ZoneConfig]) -> None:
        self._sensor = sensor
        self._watches = [(config, config.watch()) for config in configs]
        self._staff: set[tuple[str, int]] = set()
        """Stays that were told of as those of staff: what is learnt of somebody later changes no stay."""

    @property
    def hold(self) -> float:
        """Seconds for which a coming or leaving is not decided on; 0 without zones."""
        return max((watch.hold for _, watch in self._watches), default=0.0)

    @property
    def waiting(self) -> dict[str, tuple[float, ...]]:
        """The seconds that each person inside has spent there, the longest first, by zone."""
        return {config.name: tuple(sorted(watch.waiting.values(), reverse=True)) for config, watch in self._watches}

    def update(
        self, update: Update, time: float, clock: float, observed: Span | None, staff: Collection[int] = ()
    ) -> Stayed:
        """As ``ZoneWatch.update``, for every zone; ``staff``: the tracks of staff."""
        return self._stayed(
            (
                (config, watch.update(update.people, update.ended, time, clock, observed))
                for config, watch in self._watches
            ),
            staff,
        )

    def finish(self, ended: Sequence[int], staff: Collection[int] = ()) -> Stayed:
        """As ``ZoneWatch.finish``."""
        return self._stayed(((config, watch.finish(ended)) for config, watch in self._watches), staff)

    def _stayed(self, found: Iterable[tuple[ZoneConfig, Watched]], staff: Collection[int]) -> Stayed:
        told: list[Stay] = []
        present: list[Presence] = []
        for config, watched in found:
            told += [self._stay(config, change, staff) for change in watched.changes]
            present += [Presence(config.name, span) for span in watched.present]
        return Stayed(told, present)

    def _stay(self, config: ZoneConfig, change: Change, staff: Collection[int]) -> Stay:
        key, entered = (config.name, change.track), change.phase == "enter"
        is_staff = change.track in staff if entered else key in self._staff
        if entered and is_staff:
            self._staff.add(key)
        elif not entered:
            self._staff.discard(key)
        seconds = round(change.seconds, 3)
        data = Zone(zone=config.name, kind=config.kind, phase=change.phase, seconds=seconds, staff=is_staff)
        return Stay(config.name, entered, is_staff, Event.new(self._sensor, change.clock, data))
