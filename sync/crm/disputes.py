"""Whose customer is it? A guide who lost one may say so within two weeks, and somebody else decides, once."""

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from sqlalchemy import Connection, select, update

from sync.crm import access, bindings, tables
from sync.crm.errors import CrmError
from sync.crm.ids import millis, new_id
from sync.store.database import insert

WINDOW_S = 14 * 86400.0
Decision = Literal["upheld", "rejected"]


@dataclass(frozen=True, slots=True)
class Dispute:
    """``guide`` says that the customer of ``binding`` is theirs. ``decision`` is None while it is open."""

    id: UUID
    customer: str
    binding: UUID
    guide: str
    reason: str
    time: int
    decision: Decision | None
    decided_by: str | None
    decided: int | None


def raise_one(connection: Connection, customer: str, guide: str, reason: str, now: float) -> UUID:
    """Dispute the binding in force. Raises ``CrmError``: ``unknown``, ``same``, ``window``, ``known``."""
    binding = bindings.current(connection, [customer]).get(customer)
    if binding is None:
        raise CrmError("unknown", f"{customer} is nobody's customer", "assign the customer instead")
    if binding.guide == guide:
        raise CrmError("same", f"{customer} is {guide}'s already", "nothing to do")
    if millis(now) - binding.since > WINDOW_S * 1000:
        raise CrmError("window", "the two weeks for a dispute are over", "ask the manager to assign the customer")
    table = tables.binding_dispute
    if connection.scalar(select(table.c.id).where(table.c.binding == binding.id)) is not None:
        raise CrmError("known", "this change is disputed already", "wait for the decision")
    entry = new_id(now)
    row = {
        "id": entry,
        "customer": customer,
        "binding": binding.id,
        "guide": guide,
        "reason": reason[:400],
        "time": millis(now),
        "decision": None,
        "decided_by": None,
        "decided": None,
    }
    connection.execute(insert(connection, table), [row])
    return entry


def decide(connection: Connection, dispute: UUID, decision: Decision, now: float, by: str) -> None:
    """Upheld: the customer is the guide's who asked. Raises ``CrmError``: ``unknown``, ``decided``, ``same``."""
    table = tables.binding_dispute
    row = connection.execute(select(table).where(table.c.id == dispute)).first()
    if row is None:
        raise CrmError("unknown", f"there is no dispute {dispute}", "look at the open ones")
    found = Dispute(*row)
    current = bindings.current(connection, [found.customer]).get(found.customer)
    if by in (found.guide, current.guide if current else None):
        raise CrmError("same", "nobody decides their own dispute", "ask the manager")
    where = table.c.id == dispute, table.c.decision.is_(None)
    values = {"decision": decision, "decided_by": by, "decided": millis(now)}
    if not connection.execute(update(table).where(*where).values(values)).rowcount:
        raise CrmError("decided", "this dispute was decided already", "nothing to do")
    if decision == "upheld":
        bindings.assign(connection, found.customer, found.guide, now, by, "dispute")
    access.note(connection, found.customer, by, "changed", now, detail=f"dispute of {found.guide} {decision}")


def waiting(connection: Connection) -> list[Dispute]:
    """Those that nobody has decided, oldest first."""
    table = tables.binding_dispute
    query = select(table).where(table.c.decision.is_(None)).order_by(table.c.time, table.c.id)
    return [Dispute(*row) for row in connection.execute(query)]
