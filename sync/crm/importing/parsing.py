"""One row as a customer, a variant or a line of a receipt, or the sentence that says what is wrong with it."""

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import TypeVar, get_args
from zoneinfo import ZoneInfo

from sync.crm import contacts, days, money, occasions, products
from sync.crm.customers import CustomerIn, Kind, Profile
from sync.crm.importing.reading import Cells
from sync.crm.occasions import Calendar, Occasion
from sync.crm.products import Code, ProductIn
from sync.crm.purchases import Channel
from sync.crm.purchases import Kind as PurchaseKind
from sync.crm.traits import Trait

T = TypeVar("T")
_NAME = re.compile(r"^[a-z0-9-]{1,32}$")
_REFERENCE = re.compile(r"^M-[0-9A-Z]{4,26}$")
_EPC = re.compile(r"^([0-9A-F]{4}){4,31}$")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffd\ud800-\udfff]")
_MANY = re.compile(r"[,;，；、|]+")
_LARGEST_UNITS = 1_000_000
KINDS: dict[str, Kind] = {
    "member": "member",
    "会员": "member",
    "prospect": "prospect",
    "潜在客户": "prospect",
    "潜客": "prospect",
}
SALES: dict[str, PurchaseKind] = {
    **dict.fromkeys(("sale", "purchase", "销售", "购买"), "sale"),
    **dict.fromkeys(("return", "refund", "退货", "退款"), "return"),
}
CHANNELS: dict[str, Channel] = {
    **dict.fromkeys(("store", "shop", "门店", "线下"), "store"),
    **dict.fromkeys(("web", "online", "网店", "线上", "商城"), "web"),
    **dict.fromkeys(("phone", "telephone", "电话"), "phone"),
}


@dataclass(frozen=True, slots=True)
class Settings:
    """What a file does not say of itself. ``date_format`` is for ``strptime``; ``region`` is of phone numbers."""

    source: str
    zone: ZoneInfo
    currency: str = "CNY"
    region: str = "CN"
    date_format: str | None = None
    channel: Channel = "store"
    store: str | None = None
    calendar: Calendar = "gregorian"
    customer_source: str | None = None


@dataclass(frozen=True, slots=True)
class ReceiptRow:
    """One row of a receipt, before its rows are gathered. ``amount`` and ``units`` are not negative."""

    receipt: str
    moment: datetime
    kind: PurchaseKind
    amount: int
    currency: str
    units: int
    channel: Channel
    customer: str | None
    store: str | None
    guide: str | None
    returned: str | None
    codes: tuple[Code, ...]


class Fields:
    """The cells of one row by field. Every reader names its field in what it raises (``ValueError``)."""

    def __init__(self, mapping: Mapping[str, int], cells: Cells) -> None:
        self._mapping, self._cells = mapping, cells

    def raw(self, field: str) -> object | None:
        """The cell; None where it is empty or there is no such column."""
        index = self._mapping.get(field)
        if index is None or index >= len(self._cells):
            return None
        value = self._cells[index]
        if isinstance(value, str):
            value = value.strip()
        return None if value == "" else value

    def read(self, field: str, reader: Callable[[object], T]) -> T | None:
        """The cell through ``reader``; None where it is empty."""
        value = self.raw(field)
        if value is None:
            return None
        try:
            return reader(value)
        except ValueError as error:
            raise ValueError(f"{field}: {error}") from error

    def text(self, field: str, longest: int) -> str | None:
        """A text, as it was written; a number of a spreadsheet without its .0."""
        return self.read(field, lambda value: _text(value, longest))

    def name(self, field: str) -> str | None:
        """A name that fits a topic: in small letters."""
        return self.read(field, _name)

    def many(self, field: str, longest: int) -> tuple[str, ...]:
        """Several texts in one cell, between commas or semicolons."""
        found = self.text(field, 2000)
        parts = [part.strip() for part in _MANY.split(found or "")]
        for part in parts:
            if len(part) > longest:
                raise ValueError(f"{field}: {part[:20]!r}… is longer than {longest} characters")
        return tuple(dict.fromkeys(part for part in parts if part))

    def needed(self, value: T | None, field: str) -> T:
        """The value, which may not be missing."""
        if value is None:
            raise ValueError(f"{field}: missing")
        return value


def customer(fields: Fields, settings: Settings) -> CustomerIn:
    """Raises ``ValueError`` with the field and what is wrong."""
    phone = fields.read("phone", lambda value: contacts.phone(_text(value, 64), settings.region))
    mail = fields.read("mail", lambda value: contacts.mail(_text(value, 400)))
    given = tuple(each for each in (phone, mail) if each is not None)
    number = fields.text("number", 64) or (given[0].value[:64] if given else None)
    calendar = fields.read("calendar", _calendar) or settings.calendar
    birthday = fields.read("birthday", lambda value: _occasion("birthday", value, calendar))
    anniversary = fields.read("anniversary", lambda value: _occasion("anniversary", value, "gregorian"))
    profile = Profile(
        name=fields.text("name", 120),
        salutation=fields.text("salutation", 40),
        level=fields.text("level", 40),
        store=fields.name("store") or settings.store,
        note=fields.text("note", 4000),
        joined=fields.read("joined", lambda value: days.moment(value, settings.zone, settings.date_format).date()),
    )
    traits = [
        *(_size(each) for each in fields.many("size", 81)),
        *(Trait("taste", t) for t in fields.many("taste", 40)),
    ]
    return CustomerIn(
        source=settings.source,
        number=fields.needed(number, "number"),
        reference=fields.read("member", _reference),
        kind=fields.read("kind", lambda value: _one_of(value, KINDS)) or "member",
        profile=profile,
        contacts=given,
        occasions=tuple(each for each in (birthday, anniversary) if each is not None),
        traits=tuple(traits),
        tags=fields.many("tags", 40),
        guide=fields.name("guide"),
    )


def product(fields: Fields, settings: Settings) -> ProductIn:
    """Raises ``ValueError`` with the field and what is wrong."""
    codes = _codes(fields)
    if not codes:
        raise ValueError("sku: missing, and no gtin")
    price = fields.read("price", lambda value: money.minor(_number(value), settings.currency))
    if price is not None and price < 0:
        raise ValueError("price: it is negative")
    store = fields.name("store") or settings.store
    units = fields.read("stock", _whole)
    if units is not None and store is None:
        raise ValueError("stock: of which store? Name a store column, or --store")
    return ProductIn(
        codes=codes,
        style=fields.text("style", 64),
        name=fields.text("name", 200),
        category=fields.text("category", 64),
        colour=fields.text("colour", 40),
        size=fields.text("size", 40),
        price=price,
        currency=None if price is None else settings.currency,
        stock=() if units is None or store is None else ((store, units),),
    )


def receipt_row(fields: Fields, settings: Settings) -> ReceiptRow:
    """Raises ``ValueError`` with the field and what is wrong."""
    currency = fields.read("currency", _currency) or settings.currency
    kind = fields.read("kind", lambda value: _one_of(value, SALES))
    returned = fields.text("returned", 64)
    if kind is None:
        kind = "return" if returned is not None else "sale"
    moment = fields.read("day", lambda value: days.moment(value, settings.zone, settings.date_format))
    amount = fields.needed(fields.read("amount", lambda value: money.minor(_number(value), currency)), "amount")
    units = fields.read("units", _whole)
    if kind == "return":
        # Tills write a return with or without its sign.
        amount, units = abs(amount), None if units is None else abs(units)
    if amount < 0:
        raise ValueError("amount: it is negative, and the row is no return")
    if units is not None and units < 0:
        raise ValueError("units: they are negative, and the row is no return")
    return ReceiptRow(
        receipt=fields.needed(fields.text("receipt", 64), "receipt"),
        moment=fields.needed(moment, "day"),
        kind=kind,
        amount=amount,
        currency=currency,
        units=1 if units is None else units,
        channel=fields.read("channel", lambda value: _one_of(value, CHANNELS)) or settings.channel,
        customer=fields.text("customer", 64),
        store=fields.name("store") or settings.store,
        guide=fields.name("guide"),
        returned=returned,
        codes=_codes(fields),
    )


def _codes(fields: Fields) -> tuple[Code, ...]:
    sku = fields.text("sku", 120)
    gtin = fields.read("gtin", lambda value: products.gtin(_text(value, 40)))
    epc = fields.read("epc", _epc)
    codes: list[Code] = []
    if sku is not None:
        codes.append(("sku", sku))
    if gtin is not None:
        codes.append(("gtin", gtin))
    if epc is not None:
        codes.append(("epc", epc))
    return tuple(codes)


def _text(value: object, longest: int) -> str:
    if isinstance(value, str):
        text = value
    elif isinstance(value, float) and value.is_integer():
        text = str(int(value))
    else:
        text = str(value)
    if _CONTROL.search(text):
        raise ValueError("it holds characters that are no text; is the encoding right? (--encoding)")
    if len(text) > longest:
        raise ValueError(f"it is longer than {longest} characters")
    return text


def _name(value: object) -> str:
    return _plain_name(_text(value, 200))


@lru_cache(4096)
def _plain_name(given: str) -> str:
    text = unicodedata.normalize("NFKC", given).strip().lower().replace("_", "-").replace(" ", "-")
    if not _NAME.match(text):
        raise ValueError(f"{text[:40]!r} is no id of small letters, digits and hyphens")
    return text


def _number(value: object) -> str | int | float:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else _text(value, 60)


def _whole(value: object) -> int:
    text = _text(value, 60).replace(",", "")
    if not re.fullmatch(r"[+-]?\d{1,9}(\.0+)?", text):
        raise ValueError(f"{text[:40]!r} is no whole number")
    units = int(text.split(".")[0])
    if abs(units) > _LARGEST_UNITS:
        raise ValueError(f"{units} is more than anybody bought")
    return units


def _currency(value: object) -> str:
    code = _text(value, 40).upper()
    code = {"人民币": "CNY", "RMB": "CNY", "元": "CNY"}.get(code, code)
    if not money.is_currency(code):
        raise ValueError(f"{code[:20]!r} is no currency such as CNY")
    return code


def _reference(value: object) -> str:
    text = _text(value, 40).upper()
    if not _REFERENCE.match(text):
        raise ValueError(f"{text[:40]!r} is no reference such as M-0417")
    return text


def _epc(value: object) -> str:
    text = _text(value, 200).upper()
    if not _EPC.match(text):
        raise ValueError(f"{text[:40]!r} is no EPC in hexadecimal digits")
    return text


def _one_of(value: object, names: Mapping[str, T]) -> T:
    text = _text(value, 60).casefold()
    if text not in names:
        raise ValueError(f"{text[:40]!r} is none of {', '.join(names)}")
    return names[text]


def _calendar(value: object) -> Calendar:
    text = _text(value, 40).casefold()
    names: dict[str, Calendar] = {each: each for each in get_args(Calendar)}
    names |= {"农历": "lunar", "阴历": "lunar", "公历": "gregorian", "阳历": "gregorian"}
    return _one_of(text, names)


def _occasion(kind: occasions.Kind, value: object, calendar: Calendar) -> Occasion:
    return occasions.parse(kind, value if isinstance(value, date) else _text(value, 60), calendar)


def _size(text: str) -> Trait:
    """``ring 12`` or ``ring: 12`` or ``戒指=12``; a size alone is of clothes."""
    name, _, value = text.replace("=", ":").replace("：", ":").partition(":")
    if not value:
        name, _, value = text.rpartition(" ")
    if len(name) > 40 or len(value) > 40:
        raise ValueError(f"size: {text[:20]!r}… is too long")
    return Trait("size", name.strip() or "clothes", value.strip())
