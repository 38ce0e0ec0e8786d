"""What the API shows of customers, products and receipts, as JSON."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from sync.crm import bindings, contacts, customers, money, stocks, tags
from sync.crm.customers import Customer
from sync.crm.guides import Guide
from sync.crm.merges import Merge
from sync.crm.products import Variant
from sync.crm.purchases import Line, Purchase
from sync.store.database import Connection


def moment(millis: int | None) -> str | None:
    """Milliseconds as ISO 8601, UTC."""
    return None if millis is None else datetime.fromtimestamp(millis / 1000, UTC).isoformat(timespec="milliseconds")


def short_customer(group_root: Customer) -> dict[str, Any]:
    """A line of a list."""
    profile = {name: _plain(value) for name, value in asdict(group_root.profile).items() if name != "note"}
    return {
        "customer": group_root.customer,
        "kind": group_root.kind,
        "placeholder": group_root.placeholder,
        "changed": moment(group_root.changed),
        **profile,
    }


def whole_customer(connection: Connection, group: Sequence[Customer]) -> dict[str, Any]:
    """A customer with everybody merged into them; ``group`` is root first."""
    root, names = group[0], [each.customer for each in group]
    bound = bindings.current(connection, names)
    guide = next((bound[name].guide for name in names if name in bound), None)
    return {
        "customer": root.customer,
        "kind": root.kind,
        "placeholder": all(each.placeholder for each in group),
        "merged": names[1:],
        **{name: _plain(value) for name, value in asdict(customers.whole(group)).items()},
        "contacts": [asdict(each) for each in contacts.of(connection, names)],
        "tags": sorted({each.name for each in tags.of(connection, names)}),
        "guide": guide,
        "created": moment(min(each.created for each in group)),
        "changed": moment(max(each.changed for each in group)),
    }


def merge_document(merge: Merge) -> dict[str, Any]:
    """One merge."""
    return {
        "id": str(merge.id),
        "gone": merge.gone,
        "kept": merge.kept,
        "reason": merge.reason,
        "by": merge.by,
        "time": moment(merge.time),
        "undone_by": merge.undone_by,
        "undone": moment(merge.undone),
    }


def variant_document(connection: Connection, variant: Variant, stores: frozenset[str] | None) -> dict[str, Any]:
    """One variant, with the stock of the stores that the caller may see."""
    price = None if variant.price is None or variant.currency is None else money.text(variant.price, variant.currency)
    found = {each.store: each.units for each in stocks.of(connection, [variant.id])}
    return {
        "id": str(variant.id),
        "style": variant.style,
        "placeholder": variant.placeholder,
        "name": variant.name,
        "category": variant.category,
        "colour": variant.colour,
        "size": variant.size,
        "price": price,
        "currency": variant.currency,
        "codes": [{"kind": kind, "code": code} for kind, code in variant.codes],
        "stock": {store: units for store, units in sorted(found.items()) if stores is None or store in stores},
    }


def purchase_document(purchase: Purchase, lines: Sequence[Line]) -> dict[str, Any]:
    """One receipt; amounts of a return are negative."""
    told = {name: getattr(purchase, name) for name in Purchase.__slots__ if name not in {"time", "day", "amount"}}
    return told | {
        "time": moment(purchase.time),
        "day": purchase.day.isoformat(),
        "amount": money.text(purchase.amount, purchase.currency),
        "lines": [
            {
                "number": line.number,
                "variant": _plain(line.variant),
                "epc": line.epc,
                "units": line.units,
                "amount": money.text(line.amount, purchase.currency),
            }
            for line in lines
        ],
    }


def guide_document(guide: Guide) -> dict[str, Any]:
    """One guide."""
    return {"guide": guide.guide, "name": guide.name, "store": guide.store, "left": moment(guide.left)}


def _plain(value: object) -> object:
    return str(value) if isinstance(value, UUID) else value.isoformat() if isinstance(value, date) else value
