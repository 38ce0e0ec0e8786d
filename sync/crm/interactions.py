"""Conversations with a customer: a call, a message, a talk in the store, a note."""

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from sqlalchemy import Connection

from sync.crm import access, tables
from sync.crm.ids import millis, new_id
from sync.store.database import insert

Kind = Literal["call", "message", "talk", "note"]
LONGEST = 4000


@dataclass(frozen=True, slots=True)
class Interaction:
    """``text`` is kept as it was written, any characters; whoever shows it escapes it. ``time`` in milliseconds."""

    customer: str
    id: UUID
    kind: Kind
    time: int
    guide: str | None
    store: str | None
    text: str


def add(
    connection: Connection,
    customer: str,
    kind: Kind,
    text: str,
    now: float,
    *,
    guide: str | None = None,
    store: str | None = None,
    id: UUID | None = None,
) -> UUID:
    """Keep one; the same ``id`` again is no second one. A message is noted in the access log too, without its text."""
    entry = id or new_id(now)
    row = {
        "customer": customer,
        "id": entry,
        "kind": kind,
        "time": millis(now),
        "guide": guide,
        "store": store,
        "text": text[:LONGEST],
    }
    done = connection.execute(insert(connection, tables.interaction).on_conflict_do_nothing(), [row])
    if done.rowcount and kind in ("message", "call"):
        access.note(connection, customer, guide or "service", "messaged", now, store=store, detail=kind)
    return entry
