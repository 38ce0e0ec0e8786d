"""Products and their variants, and the codes that name a variant: SKU, GTIN, the EPC of one item.

What is sold before it is known is a placeholder that has nothing but codes; whoever knows more fills it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Connection, Row, and_, delete, func, or_, select, update

from sync.crm import stocks, tables
from sync.crm.ids import millis, new_id
from sync.crm.locks import one_at_a_time
from sync.crm.taking import Outcome, Wrong, digest
from sync.store.database import insert

CodeKind = Literal["sku", "gtin", "epc"]
Code = tuple[CodeKind, str]


@dataclass(frozen=True, slots=True)
class ProductIn:
    """One variant as a source tells it. ``codes`` name it; ``stock`` is units by store."""

    codes: tuple[Code, ...]
    style: str | None = None
    name: str | None = None
    category: str | None = None
    colour: str | None = None
    size: str | None = None
    price: int | None = None
    currency: str | None = None
    stock: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Variant:
    """One variant as it is stored, with what its product says."""

    id: UUID
    style: str | None
    placeholder: bool
    name: str | None
    category: str | None
    colour: str | None
    size: str | None
    price: int | None
    currency: str | None
    codes: tuple[Code, ...]


def gtin(text: str) -> str:
    """A GTIN-8, -12, -13 or -14 as 14 digits. Raises ``ValueError`` when its check digit does not fit.

    GS1 General Specifications, 7.9.
    """
    digits = str(text).strip().removesuffix(".0")
    if not digits.isdecimal() or not digits.isascii() or len(digits) not in (8, 12, 13, 14):
        raise ValueError(f"{digits[:20]!r} is no GTIN of 8, 12, 13 or 14 digits")
    whole = digits.zfill(14)
    if sum(int(each) * (3 if place % 2 == 0 else 1) for place, each in enumerate(whole)) % 10:
        raise ValueError(f"{digits} has a wrong check digit")
    return whole


def put(connection: Connection, given: Sequence[ProductIn], now: float, run: UUID | None = None) -> list[Outcome]:
    """Take products in; an outcome for each, in order. What is said a second time is no change."""
    one_at_a_time(connection)
    batch = _Batch(connection, given, now, run)
    outcomes = [batch.take(each) for each in given]
    batch.write()
    return outcomes


def ensure(connection: Connection, named: Sequence[tuple[Code, ...]], now: float) -> dict[Code, UUID]:
    """The variants of these codes (each tuple names one), as placeholders where nobody has said what they are.

    An EPC that is not known is the item of the GTIN or SKU beside it.
    """
    known = variants_of(connection, [code for codes in named for code in codes])
    fresh: list[UUID] = []
    names: list[dict[str, object]] = []
    for codes in named:
        # The most general code first: an item's own number says least.
        variant = next((known[code] for code in codes if code in known), None)
        if variant is None:
            variant = new_id(now)
            fresh.append(variant)
        for code in codes:
            if code not in known:
                known[code] = variant
                names.append({"kind": code[0], "code": code[1], "variant": variant})
    if fresh:
        connection.execute(insert(connection, tables.variant), [_empty(variant, now) for variant in fresh])
    if names:
        connection.execute(insert(connection, tables.variant_code), names)
    return known


def variants_of(connection: Connection, codes: Sequence[Code]) -> dict[Code, UUID]:
    """The variants of these codes, where known."""
    table, found = tables.variant_code, {}
    by_kind: dict[CodeKind, list[str]] = {}
    for kind, code in dict.fromkeys(codes):
        by_kind.setdefault(kind, []).append(code)
    for kind, texts in by_kind.items():
        query = select(table).where(table.c.kind == kind, table.c.code.in_(texts))
        found.update({(row.kind, row.code): row.variant for row in connection.execute(query)})
    return found


def get(connection: Connection, ids: Sequence[UUID]) -> dict[UUID, Variant]:
    """The variants of these ids."""
    table, product, code = tables.variant, tables.product, tables.variant_code
    codes: dict[UUID, list[Code]] = {}
    for row in connection.execute(
        select(code).where(code.c.variant.in_(ids)).order_by(code.c.kind.desc(), code.c.code)
    ):
        codes.setdefault(row.variant, []).append((row.kind, row.code))
    query = select(table, product.c.name.label("product_name"), product.c.category)
    query = query.outerjoin(product, product.c.style == table.c.style).where(table.c.id.in_(ids))
    return {row.id: _variant(row, codes.get(row.id, [])) for row in connection.execute(query)}


def of_style(connection: Connection, style: str) -> list[Variant]:
    """The variants of a product."""
    ids = list(connection.scalars(select(tables.variant.c.id).where(tables.variant.c.style == style)))
    return sorted(get(connection, ids).values(), key=lambda each: (each.colour or "", each.size or "", str(each.id)))


def styles(connection: Connection, category: str | None, after: str | None, limit: int) -> list[str]:
    """The styles of products in order, from ``after`` on; of one category where it is given."""
    table = tables.product
    query = select(table.c.style).order_by(table.c.style).limit(limit)
    if category is not None:
        query = query.where(table.c.category == category)
    if after is not None:
        query = query.where(table.c.style > after)
    return list(connection.scalars(query))


def placeholders(connection: Connection, limit: int = 200) -> list[Variant]:
    """What was sold and nobody has said what it is."""
    table = tables.variant
    ids = list(connection.scalars(select(table.c.id).where(table.c.placeholder).order_by(table.c.id).limit(limit)))
    return list(get(connection, ids).values())


class _Batch:
    """Everything that ``put`` looks up and writes, for many variants at once."""

    def __init__(self, connection: Connection, given: Sequence[ProductIn], now: float, run: UUID | None) -> None:
        self._connection, self._now, self._run = connection, now, run
        self._codes = variants_of(connection, [code for each in given for code in each.codes])
        table = tables.variant
        ids = set(self._codes.values())
        query = select(table.c.id, table.c.placeholder, table.c.digest, table.c.run).where(table.c.id.in_(ids))
        rows = connection.execute(query).all() if ids else []
        self._placeholder = {row.id: bool(row.placeholder) for row in rows}
        self._digest: dict[UUID, tuple[bytes | None, UUID | None]] = {row.id: (row.digest, row.run) for row in rows}
        self._fresh: dict[UUID, dict[str, object]] = {}
        self._names: list[dict[str, object]] = []
        self._known: list[tuple[UUID, ProductIn]] = []
        self._same: list[UUID] = []
        self._stock: list[dict[str, object]] = []
        self._products: dict[str, ProductIn] = {}

    def take(self, each: ProductIn) -> Outcome:
        ids = list(dict.fromkeys(self._codes[code] for code in each.codes if code in self._codes))
        real = [variant for variant in ids if not self._placeholder.get(variant, False)]
        if len(real) > 1:
            named = ", ".join(code[1] for code in each.codes if code in self._codes)
            return Wrong(f"the codes {named} belong to different variants")
        if real:
            variant: UUID | None = real[0]
        else:
            variant = ids[0] if ids else None
        content = digest(each)
        if variant is not None and not self._placeholder.get(variant, False):
            before = self._digest.get(variant, (None, None))
            if before[0] == content:
                self._digest[variant] = content, self._run
                self._same.append(variant)
                return "same"
            if self._run is not None and before[0] is not None and before[1] == self._run:
                return Wrong(f"{each.codes[0][1]} stands twice in this file, with other content")
        outcome: Outcome = "new" if variant is None else "changed"
        variant = self._write_one(each, variant, content)
        for other in ids:
            if other != variant:
                self._unite(other, variant)
        return outcome

    def _write_one(self, each: ProductIn, variant: UUID | None, content: bytes) -> UUID:
        values = {name: getattr(each, name) for name in ("style", "colour", "size", "price", "currency")}
        if each.style is None:
            values["name"] = each.name
        given = {name: value for name, value in values.items() if value is not None}
        given |= {"placeholder": False, "digest": content, "run": self._run, "changed": millis(self._now)}
        if variant is None:
            variant = new_id(self._now)
            self._fresh[variant] = _empty(variant, self._now) | given
        elif variant in self._fresh:
            self._fresh[variant] |= given
        else:
            table = tables.variant
            self._connection.execute(update(table).where(table.c.id == variant).values(given))
        self._placeholder[variant] = False
        self._digest[variant] = content, self._run
        for code in each.codes:
            if code not in self._codes:
                self._codes[code] = variant
                self._names.append({"kind": code[0], "code": code[1], "variant": variant})
        if each.style is not None:
            self._products[each.style] = each
        stock = [stocks.row(store, variant, units, self._now) for store, units in each.stock]
        self._stock.extend(stock)
        return variant

    def _unite(self, other: UUID, variant: UUID) -> None:
        """Two placeholders were one variant: what was sold as the one was the other."""
        line, code, table = tables.purchase_line, tables.variant_code, tables.variant
        connection = self._connection
        connection.execute(update(line).where(line.c.variant == other).values(variant=variant))
        connection.execute(update(code).where(code.c.variant == other).values(variant=variant))
        connection.execute(delete(tables.stock).where(tables.stock.c.variant == other))
        connection.execute(delete(table).where(table.c.id == other))
        for key, value in self._codes.items():
            if value == other:
                self._codes[key] = variant

    def write(self) -> None:
        connection, table = self._connection, tables.variant
        if self._fresh:
            connection.execute(insert(connection, table), list(self._fresh.values()))
        if self._names:
            connection.execute(insert(connection, tables.variant_code), self._names)
        if self._same and self._run is not None:
            connection.execute(update(table).where(table.c.id.in_(self._same)).values(run=self._run))
        stocks.put_rows(connection, self._stock)
        rows: list[dict[str, object]] = [
            {"style": style, "name": each.name, "category": each.category, "changed": millis(self._now)}
            for style, each in sorted(self._products.items())
        ]
        if rows:
            _put_products(connection, rows)


def _put_products(connection: Connection, rows: Sequence[dict[str, object]]) -> None:
    statement = insert(connection, tables.product)
    new, old = statement.excluded, tables.product.c
    values = {
        "name": func.coalesce(new["name"], old["name"]),
        "category": func.coalesce(new["category"], old["category"]),
        "changed": new["changed"],
    }
    # The same said again is no change.
    where = or_(
        and_(new["name"].is_not(None), old["name"].is_distinct_from(new["name"])),
        and_(new["category"].is_not(None), old["category"].is_distinct_from(new["category"])),
    )
    connection.execute(statement.on_conflict_do_update(index_elements=["style"], set_=values, where=where), rows)


def _empty(variant: UUID, now: float) -> dict[str, object]:
    names = ("style", "name", "colour", "size", "price", "currency", "digest", "run")
    return {"id": variant, "placeholder": True, "changed": millis(now), **dict.fromkeys(names)}


def _variant(row: Row[Any], codes: Sequence[Code]) -> Variant:
    name = row.name or row.product_name
    return Variant(
        row.id,
        row.style,
        bool(row.placeholder),
        name,
        row.category,
        row.colour,
        row.size,
        row.price,
        row.currency,
        tuple(codes),
    )
