"""The rules of the segments, as data: life cycle by category, bands, when to warn."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

State = Literal["new", "active", "at_risk", "silent", "dormant", "lost"]
Warning_ = Literal["slower", "leaving"]

Cycle = Annotated[int, Field(ge=1, le=3650)]
Cuts = Annotated[tuple[int, ...], Field(min_length=4, max_length=4)]


class Bands(BaseModel):
    """Fixed bands in place of quantiles: four limits for five scores, each the lowest value of the next band.

    ``recency`` in days since the last purchase, ``frequency`` in days with a purchase, ``money`` in minor units.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    recency: Cuts
    frequency: Cuts
    money: Cuts

    @model_validator(mode="after")
    def _rising(self) -> Self:
        for name in ("recency", "frequency", "money"):
            cuts = getattr(self, name)
            if list(cuts) != sorted(cuts):
                raise ValueError(f"{name}: the limits of bands must rise")
        return self


class SegmentRules(BaseModel):
    """How customers are sorted.

    ``cycles``: days within which a buyer of the category is expected back, by its name in any case; ``cycle`` is that
    of all others. ``learn``: take the ``learn_share`` quantile of the gaps between purchases instead, where a
    category has ``learn_gaps`` of them, and not beyond half and three times the rule. ``at_risk``, ``silent``,
    ``dormant`` and ``lost`` begin after so many cycles of silence.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    cycle: Cycle = 90
    cycles: dict[str, Cycle] = {"clothes": 90, "服装": 90, "jewellery": 365, "珠宝": 365}
    learn: bool = True
    learn_gaps: Annotated[int, Field(ge=20)] = 200
    learn_share: Annotated[float, Field(gt=0, lt=1)] = 0.8
    at_risk: Annotated[float, Field(gt=0)] = 1.0
    silent: Annotated[float, Field(gt=0)] = 1.5
    dormant: Annotated[float, Field(gt=0)] = 2.0
    lost: Annotated[float, Field(gt=0)] = 4.0
    bands: Bands | None = None
    vital_share: Annotated[float, Field(gt=0, lt=1)] = 0.8
    warn_days: Annotated[int, Field(ge=0, le=365)] = 14
    """So many days before a customer would be at risk, somebody should call."""
    slower_times: Annotated[float, Field(ge=1)] = 2.0
    """Silence of so many times the customer's own pace is a warning, however long the category's cycle."""
    slower_purchases: Annotated[int, Field(ge=3)] = 4
    """From so many days with a purchase on there is a pace of one's own."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.at_risk < self.silent < self.dormant < self.lost:
            raise ValueError("at_risk, silent, dormant and lost must rise: they are cycles of silence")
        return self

    def expected(self, category: str) -> int:
        """The cycle of a category by the rules alone, in days."""
        wanted = category.casefold()
        return next((days for name, days in self.cycles.items() if name.casefold() == wanted), self.cycle)
