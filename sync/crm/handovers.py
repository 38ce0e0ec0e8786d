"""A guide leaves: customers, open work and the end of their access to the tablets, in one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, select

from sync.crm import access, bindings, guides, tables, tasks
from sync.crm.errors import CrmError
from sync.crm.ids import millis, new_id
from sync.signing import SigningKey
from sync.store.database import insert
from sync.store.orders import guide_out


@dataclass(frozen=True, slots=True)
class Handover:
    """Who left, who took over, and how much it was."""

    id: UUID
    leaver: str
    successor: str
    by: str
    time: int
    customers: int
    tasks: int


def hand_over(
    connection: Connection,
    leaver: str,
    successor: str,
    now: float,
    by: str,
    *,
    stores: Sequence[str] = (),
    key: SigningKey | None = None,
) -> Handover:
    """Everything of ``leaver`` is ``successor``'s, and the boxes of ``stores`` are ordered to end the leaver's access.

    All of it in the caller's transaction: either all happened or nothing. ``key`` signs the orders; without one there
    are none, and ``yingke guides remove`` on the box ends the access. Raises ``CrmError``.
    """
    if leaver == successor:
        raise CrmError("same", f"{leaver} cannot take over from themselves", "choose another guide")
    guides.here(connection, leaver)
    guides.here(connection, successor)
    entry = new_id(now)
    who = bindings.customers_of(connection, leaver)
    bindings.handed(connection, who, leaver, successor, now, by, entry)
    moved = tasks.hand(connection, leaver, successor, entry)
    guides.leave(connection, leaver, now)
    done = Handover(entry, leaver, successor, by, millis(now), len(who), moved)
    row = {name: getattr(done, name) for name in Handover.__slots__}
    connection.execute(insert(connection, tables.handover), [row])
    access.note_all(connection, who, by, "handed", now, detail=f"{leaver} to {successor}")
    if key is not None:
        guide_out(connection, leaver, stores, key, now)
    return done


def get(connection: Connection, handover: UUID) -> Handover | None:
    """One handover; None when there is none such."""
    row = connection.execute(select(tables.handover).where(tables.handover.c.id == handover)).first()
    return None if row is None else Handover(*row)
