"""When a crossing is no visit: the entry rules of a camera or a line. Each is off (0) unless it is asked for.

All times are seconds. What a rule excludes stays an event of its own, with the reason in its evidence.
"""

from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from models.appearance import ALIKE
from sync.events import Name

LONGEST_HOLD = 300.0
"""No visit waits longer than this for its rule."""


class EntryRules(BaseModel):
    """Rules of a line, or of all lines of a camera that have none of their own."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    u_turn_seconds: Annotated[float, Field(ge=0, le=60)] = Field(
        default=0.0,
        description="who goes back over the line within this time has not come: both crossings are excluded",
    )
    minimum_stay_seconds: Annotated[float, Field(ge=0, le=LONGEST_HOLD)] = Field(
        default=0.0,
        description="who leaves again within this time, by track or by clothes, was no visitor: both are excluded",
    )
    re_entry_seconds: Annotated[float, Field(ge=0, le=3600)] = Field(
        default=0.0, description="who left and comes back within this time, by track or by clothes, is the same visit"
    )
    alike: Annotated[float, Field(gt=0, le=1)] = Field(
        default=ALIKE, description="distance of two people's clothes up to which they are taken for one person"
    )
    group_seconds: Annotated[float, Field(ge=0, le=10)] = Field(
        default=2.0, description="who crosses so close after another, walking together, is of one group; 0: no groups"
    )
    group_heights: Annotated[float, Field(gt=0, le=10)] = Field(default=1.5, description="and so near, in body heights")

    @property
    def excludes(self) -> bool:
        """Whether any crossing could be excluded."""
        return bool(self.u_turn_seconds or self.minimum_stay_seconds or self.re_entry_seconds)

    @property
    def compares_looks(self) -> bool:
        """Whether people's clothes are compared."""
        return bool(self.minimum_stay_seconds or self.re_entry_seconds)


class BadgeRule(BaseModel):
    """Staff by the RFID badge that comes or goes at a reader beside the line, when somebody crosses it."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    readers: Annotated[tuple[Name, ...], Field(min_length=1, description="each with a section in edge.badges")]
    seconds: Annotated[float, Field(gt=0, le=30)] = Field(
        default=3.0, description="between the crossing and the badge's coming or going"
    )


class StaffRules(BaseModel):
    """How staff are known in one camera's view. They are counted apart, never dropped."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    uniforms: tuple[Path, ...] = Field(default=(), description="files written by: yingke staff learn")
    badges: BadgeRule | None = None
    zones: tuple[Name, ...] = Field(
        default=(), description="zones of this camera where only staff are: who comes from there, or stays there"
    )
    zone_seconds: Annotated[float, Field(gt=0, le=3600)] = Field(default=60.0, description="stays there for so long")

    @model_validator(mode="after")
    def _knows_somebody(self) -> Self:
        if not (self.uniforms or self.badges or self.zones):
            raise ValueError("staff could not be known by anything: give uniforms, badges or zones, or leave staff out")
        return self
