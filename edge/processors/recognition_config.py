"""When the box may look at faces: off, at a marked spot, or at the entrance with an attestation (PRIVACY rule 1)."""

from datetime import date
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from models.zones import problem
from sync.events import Name
from sync.orders import Public

Place = Annotated[float, Field(ge=0, le=1)]
Corners = tuple[tuple[Place, Place], ...]
Words = Annotated[str, Field(min_length=3, max_length=500)]
Mode = Literal["off", "check_in", "entrance"]
Profile = Literal["eu", "uk", "cn", "other"]
GUARDED: tuple[Profile, ...] = ("eu", "uk", "cn")
"""Where comparing every face that enters is refused unless somebody overrides it, by name and with a reason."""


class Attestation(BaseModel):
    """What the company states before every face that enters is compared. Engineering, not legal advice."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    jurisdiction: Words
    legal_basis: Words
    dpia: Words = Field(description="number or title of the data protection impact assessment")
    signage_confirmed: Literal[True] = Field(description="the sign stands at every entrance")
    signed_by: Words = Field(description="name and role")
    date: date


class Override(BaseModel):
    """Why ``entrance`` is used all the same under profile eu, uk or cn; it is logged at every start."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    reason: Annotated[str, Field(min_length=20, max_length=2000)]
    signed_by: Words
    date: date


def checked_corners(corners: Corners) -> Corners:
    """Raises ``ValueError`` for corners that enclose nothing."""
    if (wrong := problem(corners)) is not None:
        raise ValueError(wrong)
    return corners


class SpotConfig(BaseModel):
    """The marked spot of one camera where a member chooses to be seen, in shares of the picture."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    camera: Name
    polygon: Annotated[Corners, AfterValidator(checked_corners), Field(max_length=64)]
    seconds: Annotated[float, Field(ge=0, le=30)] = Field(
        default=1.5, description="standing there for so long is asking to be recognised; walking past is not"
    )


class RecognitionConfig(BaseModel):
    """Section ``edge.recognition``. Off unless somebody turns it on."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    mode: Mode = "off"
    profile: Profile | None = None
    attestation: Attestation | None = None
    override: Override | None = None
    site_check: Path | None = Field(default=None, description="written by: yingke recognition check --out FILE")
    most_false_alerts: Annotated[float, Field(gt=0, le=0.05)] = Field(
        default=0.01, description="mode entrance starts only when the site check's upper bound is no higher"
    )
    spots: tuple[SpotConfig, ...] = ()
    cameras: tuple[Name, ...] = Field(default=(), description="cameras of the entrance, for mode entrance")
    stores: dict[Name, Public] = Field(
        default={}, description="sealing keys of other stores' boxes (yingke keys), for members who named these stores"
    )
    card_seconds: Annotated[float, Field(ge=30, le=7200)] = Field(
        default=900.0, description="an arrival card goes after so long, or when the visitor leaves"
    )

    @model_validator(mode="after")
    def _stated(self) -> Self:
        if self.mode == "off":
            return self
        if self.profile is None:
            raise ValueError(f"mode {self.mode} needs profile: eu, uk, cn or other")
        if self.mode == "check_in" and not self.spots:
            raise ValueError("mode check_in needs spots: the marked places where a member chooses to be seen")
        if self.mode == "entrance":
            self._entrance()
        return self

    def _entrance(self) -> None:
        if self.attestation is None:
            raise ValueError(
                "mode entrance compares every face that enters, and starts only with an attestation: "
                "jurisdiction, legal_basis, dpia, signage_confirmed: true, signed_by, date"
            )
        if self.profile in GUARDED and self.override is None:
            raise ValueError(
                f"profile {self.profile} refuses mode entrance; use check_in, or give an override with its reason, "
                "signed_by and date"
            )
        if not self.cameras:
            raise ValueError("mode entrance needs cameras: which ones look at the entrance")
        if self.site_check is None:
            raise ValueError(
                "mode entrance needs site_check: the false-alert rate that was measured here (yingke recognition check)"
            )

    @property
    def watched(self) -> frozenset[str]:
        """The cameras in whose pictures faces are looked for."""
        if self.mode == "off":
            return frozenset()
        return frozenset(self.cameras if self.mode == "entrance" else (spot.camera for spot in self.spots))
