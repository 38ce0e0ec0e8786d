"""Which antennas of a reader are at a till, an exit or a rack, and when a tag counts as being there."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from sync.events import Name

Role = Literal["till", "exit", "rack"]
Seconds = Annotated[float, Field(ge=0, le=86400)]
Level = Annotated[float, Field(ge=-120, le=0)]

DEFAULTS: dict[str, tuple[int, float, float]] = {
    "till": (3, 1.0, -60.0),
    "exit": (3, 0.3, -65.0),
    "rack": (5, 20.0, -80.0),
    "room": (5, 20.0, -76.0),
}
"""Reads, seconds and dBm of each role: chosen, not measured. An antenna on a counter reads what lies on it at −30 to
−55 dBm; a gate is passed at walking speed in one to three seconds; what hangs on a rack stays there."""


class ItemPlace(BaseModel):
    """One antenna. A tag is there once it led there for ``seconds``, with ``reads`` of at least ``dbm``."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    role: Role
    place: Annotated[Name, Field(description="as events name it, such as till-1; several antennas may have one place")]
    reads: Annotated[int | None, Field(ge=1, le=1000, description="till 3, exit 3, rack 5; a scanner: 1")] = None
    seconds: Annotated[Seconds | None, Field(description="till 1, exit 0.3, rack 20; a scanner: 0")] = None
    dbm: Annotated[Level | None, Field(description="till -60, exit -65, rack -80; calibrate per store")] = None


class ItemsConfig(BaseModel):
    """The antennas of one reader that tell what became of an item; its fitting rooms come from ``edge.tryons``."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    antennas: Annotated[dict[Annotated[int, Field(ge=0, le=65535)], ItemPlace], Field(min_length=1)]
    margin_db: Annotated[float, Field(ge=0, le=40, description="lead over the next best place")] = 3.0
    window_seconds: Annotated[
        float, Field(gt=0, le=60, description="over which the strongest read of a place counts")
    ] = 2.0
    gone_seconds: Annotated[Seconds, Field(description="not read anywhere for so long after an exit: it left")] = 10.0
    resident_seconds: Annotated[
        Seconds, Field(description="longer at an exit is no way out: it lies or hangs there")
    ] = 120.0
    repeat_seconds: Annotated[
        Seconds, Field(description="the same step at the same place counts once in this time")
    ] = 600.0
    settle_seconds: Annotated[
        Seconds,
        Field(description="what is first read so soon after the reader's start was there before; a scanner: 0"),
    ] = 10.0
    forget_seconds: Annotated[Seconds, Field(description="a tag that nobody reads for so long is forgotten")] = 14400.0
    most_tags: Annotated[int, Field(ge=100, le=1_000_000, description="followed at once; the longest unseen go")] = (
        50_000
    )
