"""What the API takes in. Texts are taken as they are, HTML and emoji too; characters that are no text are refused."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffd\ud800-\udfff]")


def _plain(text: str) -> str:
    if _CONTROL.search(text):
        raise ValueError("it holds characters that are no text")
    return text


Text40 = Annotated[str, Field(max_length=40), AfterValidator(_plain)]
Text64 = Annotated[str, Field(max_length=64), AfterValidator(_plain)]
Text120 = Annotated[str, Field(max_length=120), AfterValidator(_plain)]
Text200 = Annotated[str, Field(max_length=200), AfterValidator(_plain)]
Reference = Annotated[str, Field(pattern=r"^M-[0-9A-Z]{4,26}$", examples=["M-7D0QK2V9A1XM4TZC"])]
Name = Annotated[str, Field(pattern=r"^[a-z0-9-]{1,32}$", examples=["nanjing-road"])]
Amount = Annotated[str, Field(pattern=r"^-?[0-9]{1,13}(\.[0-9]{1,3})?$", examples=["1280.00"])]
Units = Annotated[int, Field(ge=0, le=1_000_000)]
Number = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(_plain)]


class _In(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class LoginIn(_In):
    """Who logs in."""

    account: Text64
    password: Annotated[str, Field(max_length=200)]


class CustomerBody(_In):
    """A customer by the number of a source; the fields are those of ``yingke import customers``."""

    source: Name | None = None
    number: Number
    member: Reference | None = None
    kind: Literal["member", "prospect"] | None = None
    name: Text120 | None = None
    salutation: Text40 | None = None
    level: Text40 | None = None
    store: Name | None = None
    note: Annotated[str, Field(max_length=4000), AfterValidator(_plain)] | None = None
    joined: Text40 | None = None
    phone: Text64 | None = None
    mail: Text200 | None = None
    calendar: Literal["gregorian", "lunar"] | None = None
    birthday: Text40 | None = None
    anniversary: Text40 | None = None
    size: Text200 | None = None
    taste: Text200 | None = None
    tags: Text200 | None = None
    guide: Name | None = None


class ProfileIn(_In):
    """Fields of the profile to write; null takes one away, what is left out stays."""

    kind: Literal["member", "prospect"] = "member"
    name: Text120 | None = None
    salutation: Text40 | None = None
    level: Text40 | None = None
    note: Annotated[str, Field(max_length=4000), AfterValidator(_plain)] | None = None


class FindIn(_In):
    """By exactly one of them. In a body, so that no number of anybody stands in an address or a log."""

    phone: Text64 | None = None
    mail: Text200 | None = None
    source: Name | None = None
    number: Number | None = None


class TalkIn(_In):
    """What was said with a customer."""

    kind: Literal["call", "message", "talk", "note"]
    text: Annotated[str, Field(min_length=1, max_length=4000), AfterValidator(_plain)]


class MergeIn(_In):
    """``gone`` counts as the customer of the address from now on."""

    gone: Reference
    reason: Text200 = ""


class ProductBody(_In):
    """One variant; the fields are those of ``yingke import products``."""

    sku: Text120 | None = None
    gtin: Annotated[str, Field(pattern=r"^[0-9]{8,14}$")] | None = None
    style: Text64 | None = None
    name: Text200 | None = None
    category: Text64 | None = None
    colour: Text40 | None = None
    size: Text40 | None = None
    price: Amount | None = None
    store: Name | None = None
    stock: Units | None = None


class LineBody(_In):
    """One line of a receipt, by any of its codes."""

    sku: Text120 | None = None
    gtin: Annotated[str, Field(pattern=r"^[0-9]{8,14}$")] | None = None
    epc: Annotated[str, Field(pattern=r"^([0-9A-Fa-f]{4}){4,31}$")] | None = None
    units: Units = 1
    amount: Amount


class PurchaseBody(_In):
    """A receipt as a till tells it: ``docs/till.md``."""

    source: Name | None = None
    receipt: Number
    day: Annotated[str, Field(min_length=1, max_length=40), AfterValidator(_plain)]
    kind: Literal["sale", "return"] = "sale"
    channel: Literal["store", "web", "phone"] = "store"
    store: Name | None = None
    guide: Name | None = None
    customer: Number | None = None
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "CNY"
    amount: Amount | None = None
    units: Units | None = None
    returned: Number | None = None
    lines: Annotated[tuple[LineBody, ...], Field(max_length=500)] = ()


class GuideIn(_In):
    """A guide, new or with another name or store."""

    name: Text120 | None = None
    store: Name


class HandoverIn(_In):
    """Everything of ``leaver`` is ``successor``'s from now on."""

    leaver: Name
    successor: Name
