"""Orders from the centre to a box, and the box's receipts: signed, for one store, for a while, and never backwards.

An order is signed by the centre's key and names its store, so that neither a broker nor another box can make or move
one. Orders about a member are numbered; a box refuses a number that is not above the last one that it carried out for
that member, unless it is the very same order, whose receipt it then sends again.
"""

import json
from pathlib import Path
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from sync.errors import SyncError
from sync.events import Member, Name
from sync.signing import SigningKey, verify

Text = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$", min_length=43, max_length=120_000)]
"""base64url without padding."""
Signature = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{86}$")]
Public = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{43}$")]
Kind = Literal["erase", "template", "lease", "taken", "guide_out"]
"""What a box can be told."""
Outcome = Literal["done", "no_consent", "erased", "other_model", "unreadable", "failed"]
MAX_ORDER_BYTES = 256 * 1024


class CentreOrdersConfig(BaseModel):
    """Section ``dashboard.orders``: the centre gives orders to the boxes. Without it there is none that could."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    key: Path = Field(default=Path(".yingke/centre.key"), description="the centre's signing key; made at first use")


class OrderRefused(SyncError):
    """A message on ``commands`` that is not carried out; ``code`` says why."""

    def __init__(self, code: str, message: str, fix: str = "look at who publishes there; the box goes on") -> None:
        super().__init__(message, fix)
        self.code = code


class Order(BaseModel):
    """What a box is told to do. Times are epoch seconds.

    ``erase``: everything of ``member`` goes. ``template``: ``parcel`` is one that another box sealed to this one's key
    (``sync.members.sealed``). ``lease``: the gallery may be used until ``until``. ``taken``: the centre has the parcel
    that this box sent under this order's id. ``guide_out``: ``guide`` has left, and logs in to no tablet any more.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    id: UUID
    store: Name
    number: Annotated[int, Field(ge=1, le=2**53 - 1)]
    kind: Kind
    issued: float
    expires: float
    member: Member | None = None
    parcel: Annotated[str, Field(max_length=200_000)] | None = None
    until: float | None = None
    guide: Name | None = None

    @property
    def about(self) -> str | None:
        """Whom it is about: orders about one are numbered together. A guide's id has no capitals, a member's does."""
        return self.member or self.guide

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if not {
            "erase": self.member,
            "template": self.member and self.parcel,
            "lease": self.until,
            "taken": True,
            "guide_out": self.guide,
        }[self.kind]:
            raise ValueError(f"an order to {self.kind} lacks what it is about")
        if self.expires <= self.issued:
            raise ValueError("it expires before it is issued")
        return self

    def signed(self, key: SigningKey) -> bytes:
        """As it travels: the order as text, and the signature over exactly that text."""
        body = self.model_dump_json(exclude_none=True)
        return json.dumps({"order": body, "signature": key.sign(_ordered(body))}).encode()


class Receipt(BaseModel):
    """What a box did with an order, signed by the box's key. ``templates`` is how many were deleted.

    ``hello`` answers no order: the box is here again, and would like its lease.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    order: UUID
    store: Name
    kind: Kind | Literal["hello"]
    member: Member | None = None
    outcome: Outcome
    templates: Annotated[int, Field(ge=0)] = 0
    time: float
    box: Public
    """The box's public key."""

    def signed(self, key: SigningKey) -> bytes:
        """As it travels."""
        body = self.model_dump_json(exclude_none=True)
        return json.dumps({"receipt": body, "signature": key.sign(_received(body))}).encode()


class _Travelling(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    signature: Signature


class _Order(_Travelling):
    order: str


class _Receipt(_Travelling):
    receipt: str


def open_order(payload: bytes, store: str, centre: str, now: float) -> Order:
    """Check an order: signed by ``centre`` (public key), for this store, not expired. Raises ``OrderRefused``."""
    if len(payload) > MAX_ORDER_BYTES:
        raise OrderRefused("too_large", f"an order of {len(payload)} bytes is refused")
    try:
        message = _Order.model_validate_json(payload)
        if not verify(centre, message.signature, _ordered(message.order)):
            raise OrderRefused("signature", "an order that the centre did not sign is refused")
        order = Order.model_validate_json(message.order)
    except ValidationError as error:
        raise OrderRefused("malformed", "a message on commands that is no order is refused") from error
    if order.store != store:
        raise OrderRefused("store", f"an order for store {order.store} is refused")
    if now > order.expires:
        raise OrderRefused("expired", f"order {order.id} has expired")
    return order


def open_receipt(payload: bytes, store: str) -> Receipt:
    """Check a receipt: signed by the key that it names, of the store of its topic. Raises ``OrderRefused``.

    Whether that key is the store's box is for the caller, who knows the boxes.
    """
    try:
        message = _Receipt.model_validate_json(payload)
        receipt = Receipt.model_validate_json(message.receipt)
    except ValidationError as error:
        raise OrderRefused("malformed", "a message on receipts that is no receipt is refused") from error
    if not verify(receipt.box, message.signature, _received(message.receipt)):
        raise OrderRefused("signature", "a receipt whose signature does not fit is refused")
    if receipt.store != store:
        raise OrderRefused("store", f"a receipt of store {receipt.store} on the topic of {store} is refused")
    return receipt


def _ordered(body: str) -> bytes:
    return b"yingke order 1\0" + body.encode()


def _received(body: str) -> bytes:
    return b"yingke receipt 1\0" + body.encode()
