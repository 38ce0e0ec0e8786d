"""The numbers behind try-on sessions, each with its source."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(pattern=r"^[a-z0-9-]{1,32}$")]
Seconds = Annotated[float, Field(gt=0, le=86400)]


class TryOnConfig(BaseModel):
    """Rooms and thresholds of one reader. "Start" = the starting value measured in the noise model of fitting rooms.

    An antenna that is not in ``rooms`` (floor, rack, till) competes for a tag like any other but is no room.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    rooms: Annotated[
        dict[Annotated[int, Field(ge=1, le=65535)], Name],
        Field(min_length=1, description="antenna to room; several antennas may serve one room"),
    ]
    epoch_seconds: Annotated[Seconds, Field(description="start")] = 1.0
    window_seconds: Annotated[Seconds, Field(description="start: mean over 15 s")] = 15.0
    missing_dbm: Annotated[float, Field(ge=-120, le=-40, description="start: level of an epoch without a read")] = -82.0
    enter_dbm: Annotated[float, Field(ge=-120, le=0, description="chosen on noise model seeds 1 to 3")] = -77.5
    margin_db: Annotated[
        float, Field(ge=0, le=40, description="lead over the next best place to enter; chosen likewise")
    ] = 1.5
    hold_seconds: Annotated[Seconds, Field(description="start: how long the lead must last to enter")] = 8.0
    leave_seconds: Annotated[
        Seconds, Field(description="how long another place must lead to leave; chosen likewise")
    ] = 30.0
    merge_seconds: Annotated[Seconds, Field(description="a shorter absence is no absence; chosen likewise")] = 60.0
    minimum_seconds: Annotated[Seconds, Field(description="start: a shorter stay is a walk past the door")] = 20.0
    contrast_db: Annotated[
        float, Field(ge=0, le=60, description="rise at the start and fall at the end; chosen likewise")
    ] = 3.5
    closer_db: Annotated[
        float, Field(ge=0, le=60, description="rise that shows an item kept beside a room to be taken into it")
    ] = 12.0
    contrast_seconds: Annotated[Seconds, Field(description="over how long the level outside is taken")] = 40.0
    longest_seconds: Annotated[
        Seconds, Field(description="a stay is cut and judged after this, which bounds memory")
    ] = 3600.0
    unseen_end_seconds: Annotated[
        Seconds, Field(description="a longer stay counts only if its start and its end were both seen")
    ] = 600.0
    worn_db: Annotated[
        float, Field(ge=0, le=60, description="fall in level that counts as wearing; best on simulated seeds 1 to 5")
    ] = 7.3
    worn_seconds: Annotated[Seconds, Field(description="and for how long at least")] = 20.0
    companion_seconds: Annotated[Seconds, Field(description="overlap in one room that makes two items companions")] = (
        10.0
    )
    lateness_seconds: Annotated[float, Field(ge=0, le=60, description="reads may come so much out of order")] = 2.0
    silence_seconds: Annotated[
        Seconds,
        Field(description="without any read, time goes on only this far behind the clock: reads may be under way"),
    ] = 120.0
    clock_step_seconds: Annotated[Seconds, Field(description="a larger step back is a clock that was set")] = 60.0
