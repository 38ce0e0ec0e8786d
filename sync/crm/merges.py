"""Two customers who are one person: merged by a pointer, so that nothing moves and any merge can be undone.

The merges in force form trees: each customer has at most one ``merged_into``, and counts for the end of that chain,
its ``root``. Undoing takes one pointer away, in any order.
"""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, select, update

from sync.crm import access, customers, tables
from sync.crm.errors import CrmError
from sync.crm.ids import millis, new_id
from sync.crm.locks import one_at_a_time
from sync.store.database import insert


@dataclass(frozen=True, slots=True)
class Merge:
    """``gone`` counts as ``kept`` from ``time`` (milliseconds) on, until it was ``undone``."""

    id: UUID
    gone: str
    kept: str
    reason: str
    by: str
    time: int
    undone_by: str | None
    undone: int | None


def merge(connection: Connection, gone: str, kept: str, now: float, by: str, reason: str = "") -> UUID:
    """``gone`` (and everybody merged into it) counts as ``kept`` from now on.

    Raises ``CrmError``: ``unknown``, ``same`` (they are one already), ``conflict`` (``gone`` is merged elsewhere).
    """
    one_at_a_time(connection)
    one, other = customers.get(connection, gone), customers.get(connection, kept)
    if one.root == other.root:
        raise CrmError("same", f"{gone} and {kept} are one customer already", "nothing to do")
    if one.merged_into is not None:
        raise CrmError("conflict", f"{gone} is merged into {one.root}", f"merge {one.root} instead, or undo that first")
    entry = new_id(now)
    row = {
        "id": entry,
        "gone": gone,
        "kept": kept,
        "reason": reason[:200],
        "by": by,
        "time": millis(now),
        "undone_by": None,
        "undone": None,
    }
    connection.execute(insert(connection, tables.customer_merge), [row])
    table = tables.customer
    connection.execute(update(table).where(table.c.customer == gone).values(merged_into=kept, changed=millis(now)))
    connection.execute(update(table).where(table.c.root == gone).values(root=other.root))
    for who in (gone, other.root):
        access.note(connection, who, by, "merged", now, detail=f"{gone} into {kept}")
    return entry


def undo(connection: Connection, merge: UUID, now: float, by: str) -> None:
    """They are two again, each with what was its own. Raises ``CrmError``: ``unknown``, ``decided`` (undone)."""
    one_at_a_time(connection)
    table, customer = tables.customer_merge, tables.customer
    row = connection.execute(select(table).where(table.c.id == merge)).first()
    if row is None:
        raise CrmError("unknown", f"there is no merge {merge}", "look at the customer's merges")
    if row.undone is not None:
        raise CrmError("decided", "this merge was undone already", "nothing to do")
    connection.execute(update(table).where(table.c.id == merge).values(undone=millis(now), undone_by=by))
    values = {"merged_into": None, "changed": millis(now)}
    connection.execute(update(customer).where(customer.c.customer == row.gone).values(values))
    behind = _behind(connection, row.gone)
    connection.execute(update(customer).where(customer.c.customer.in_(behind)).values(root=row.gone))
    for who in (row.gone, row.kept):
        access.note(connection, who, by, "unmerged", now, detail=f"{row.gone} from {row.kept}")


def get(connection: Connection, merge: UUID) -> Merge:
    """One merge, undone or not. Raises ``CrmError`` (``unknown``)."""
    row = connection.execute(select(tables.customer_merge).where(tables.customer_merge.c.id == merge)).first()
    if row is None:
        raise CrmError("unknown", f"there is no merge {merge}", "look at the customer's merges")
    return Merge(*row)


def of(connection: Connection, customer: str) -> list[Merge]:
    """Every merge that concerned anybody of this customer's group, undone ones too, oldest first."""
    names = [each.customer for each in customers.group(connection, customer)]
    table = tables.customer_merge
    query = select(table).where(table.c.gone.in_(names) | table.c.kept.in_(names)).order_by(table.c.time, table.c.id)
    return [Merge(*row) for row in connection.execute(query)]


def _behind(connection: Connection, customer: str) -> list[str]:
    """The customer and everybody merged into it, directly or not."""
    table = tables.customer
    found, edge = [customer], [customer]
    while edge:
        edge = list(connection.scalars(select(table.c.customer).where(table.c.merged_into.in_(edge))))
        found += edge
    return found
