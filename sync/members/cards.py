"""What a clerk sees of a member on the tablet: kept on the box encrypted, for a while, for members of this store only.

There is no field for a phone number, an address or a picture: a clerk serves with knowledge, and carries nobody away.
"""

from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from sync.events import Gtin, Member, Name

Line = Annotated[str, Field(min_length=1, max_length=120)]
Short = Annotated[str, Field(min_length=1, max_length=40)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Bought(_Part):
    """One thing that was bought."""

    what: Line
    day: date
    gtin: Gtin | None = None


class Tried(_Part):
    """One thing that was tried on; ``here`` is how many of it are in stock in this store, None where not known."""

    what: Line
    day: date
    bought: bool = False
    gtin: Gtin | None = None
    here: Annotated[int, Field(ge=0)] | None = None
    elsewhere: Annotated[int, Field(ge=0)] | None = None


class Occasion(_Part):
    """A day of the member's that comes back every year."""

    kind: Literal["birthday", "anniversary"]
    month: Annotated[int, Field(ge=1, le=12)]
    day: Annotated[int, Field(ge=1, le=31)]


class Due(_Part):
    """A step of care that is due."""

    what: Line
    day: date


class Coupon(_Part):
    """A coupon that the member holds."""

    what: Line
    until: date


class CustomerCard(_Part):
    """Everything on one arrival card. ``salutation``: how the member wants to be greeted; ``guide``: the bound one."""

    member: Member
    salutation: Short | None = None
    level: Short | None = None
    guide: Name | None = None
    bought: Annotated[tuple[Bought, ...], Field(max_length=20)] = ()
    tried: Annotated[tuple[Tried, ...], Field(max_length=20)] = ()
    likes: Annotated[tuple[Short, ...], Field(max_length=20)] = ()
    sizes: dict[Short, Short] = {}
    occasions: Annotated[tuple[Occasion, ...], Field(max_length=6)] = ()
    due: Annotated[tuple[Due, ...], Field(max_length=10)] = ()
    coupons: Annotated[tuple[Coupon, ...], Field(max_length=10)] = ()


def next_occasion(card: CustomerCard, today: date) -> tuple[Occasion, int] | None:
    """The occasion that comes next, and in how many days (0 is today). 29 February is 1 March in other years."""
    best: tuple[Occasion, int] | None = None
    for occasion in card.occasions:
        for year in (today.year, today.year + 1):
            days = (_on(occasion, year) - today).days
            if days >= 0 and (best is None or days < best[1]):
                best = occasion, days
    return best


def _on(occasion: Occasion, year: int) -> date:
    try:
        return date(year, occasion.month, occasion.day)
    except ValueError:
        return date(year, 3, 1) if occasion.month == 2 else date(year, occasion.month + 1, 1)
