"""Customers as a store may see them: those whom it serves. A list with filters and a cursor, and the check of one.

A store serves a customer who is written down there, bought there, or whose guide works there.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, exists, or_, select

from sync.crm import customers, tables
from sync.crm.customers import Customer
from sync.crm.errors import CrmError


@dataclass(frozen=True, slots=True)
class Filter:
    """What to list; None for all. ``changed_since`` is in milliseconds, ``tag`` one that the root has."""

    kind: str | None = None
    level: str | None = None
    guide: str | None = None
    tag: str | None = None
    changed_since: int | None = None
    stores: Collection[str] | None = None


def page(connection: Connection, wanted: Filter, after: str | None, limit: int) -> list[Customer]:
    """Customers (roots) in order of their reference, from ``after`` on."""
    table, binding, tag = tables.customer, tables.binding, tables.tag
    query = select(table.c.customer).where(table.c.customer == table.c.root)
    if after is not None:
        query = query.where(table.c.customer > after)
    if wanted.kind is not None:
        query = query.where(table.c.kind == wanted.kind)
    if wanted.level is not None:
        query = query.where(table.c.level == wanted.level)
    if wanted.changed_since is not None:
        query = query.where(table.c.changed >= wanted.changed_since)
    if wanted.guide is not None:
        bound = (binding.c.customer == table.c.customer) & binding.c.until.is_(None) & (binding.c.guide == wanted.guide)
        query = query.where(exists().where(bound))
    if wanted.tag is not None:
        query = query.where(exists().where((tag.c.customer == table.c.customer) & (tag.c.name == wanted.tag)))
    if wanted.stores is not None:
        member = tables.customer.alias()
        served = exists().where((member.c.root == table.c.customer) & _served(member.c, wanted.stores))
        query = query.where(served)
    names = connection.scalars(query.order_by(table.c.customer).limit(limit)).all()
    return [customers.get(connection, name) for name in names]


def visible(connection: Connection, customer: str, stores: Collection[str] | None) -> list[Customer]:
    """The customer's group, root first, checked after it was loaded. Raises ``CrmError`` (``unknown``) also for whom
    these stores do not serve: that they exist is not said either.
    """
    group = customers.group(connection, customer)
    if stores is not None and not serves(connection, [each.customer for each in group], stores):
        raise CrmError("unknown", f"there is no customer {customer}", "look for them by phone, mail or number")
    return group


def serves(connection: Connection, names: Sequence[str], stores: Collection[str]) -> bool:
    """Whether one of the stores serves one of these."""
    table = tables.customer
    query = select(table.c.customer).where(table.c.customer.in_(names), _served(table.c, stores)).limit(1)
    return connection.scalar(query) is not None


def _served(customer: "object", stores: Collection[str]) -> ColumnElement[bool]:
    columns, wanted = customer, sorted(stores)
    purchase, binding, guide = tables.purchase, tables.binding, tables.guide
    name, store = columns.customer, columns.store  # type: ignore[attr-defined]
    bought = exists().where((purchase.c.customer == name) & purchase.c.store.in_(wanted))
    guided = exists().where(
        (binding.c.customer == name)
        & binding.c.until.is_(None)
        & (binding.c.guide == guide.c.guide)
        & guide.c.store.in_(wanted)
    )
    return or_(store.in_(wanted), bought, guided)
