"""Customers, products and receipts as JSON tells them: the fields of the imports, in objects instead of columns."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sync.crm.customers import CustomerIn
from sync.crm.errors import CrmError
from sync.crm.importing import parsing
from sync.crm.importing.parsing import Fields, Settings
from sync.crm.products import ProductIn
from sync.crm.purchases import LineIn, PurchaseIn


def customer(told: Mapping[str, Any], settings: Settings) -> CustomerIn:
    """Raises ``CrmError`` (``invalid``) with the field and what is wrong."""
    try:
        return parsing.customer(_fields(told), settings)
    except ValueError as error:
        raise _invalid(error) from error


def product(told: Mapping[str, Any], settings: Settings) -> ProductIn:
    """Raises ``CrmError`` (``invalid``) with the field and what is wrong."""
    try:
        return parsing.product(_fields(told), settings)
    except ValueError as error:
        raise _invalid(error) from error


def purchase(told: Mapping[str, Any], lines: Sequence[Mapping[str, Any]], settings: Settings) -> PurchaseIn:
    """A receipt; its amount and units are the lines' sum where it names none. Raises ``CrmError`` (``invalid``)."""
    try:
        head = {name: value for name, value in told.items() if name not in {"amount", "units"}}
        rows = [parsing.receipt_row(_fields({**head, **line}), settings) for line in lines]
        amount = told.get("amount")
        first = parsing.receipt_row(_fields({**told, "amount": 0 if amount is None and rows else amount}), settings)
    except ValueError as error:
        raise _invalid(error) from error
    whole = PurchaseIn(
        source=settings.source,
        receipt=first.receipt,
        moment=first.moment,
        amount=sum(row.amount for row in rows) if amount is None else first.amount,
        currency=first.currency,
        units=sum(row.units for row in rows) if rows and told.get("units") is None else first.units,
        kind=first.kind,
        channel=first.channel,
        customer=first.customer,
        customer_source=settings.customer_source,
        store=first.store,
        guide=first.guide,
        returned=first.returned,
    )
    return replace(whole, lines=tuple(LineIn(row.codes, row.units, row.amount) for row in rows if row.codes))


def _fields(told: Mapping[str, Any]) -> Fields:
    given = {name: value for name, value in told.items() if value is not None}
    return Fields({name: place for place, name in enumerate(given)}, tuple(given.values()))


def _invalid(error: ValueError) -> CrmError:
    return CrmError("invalid", str(error), "correct that field and send it again")
