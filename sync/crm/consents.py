"""What a customer agreed to, by purpose, at the centre: the same entries as on the boxes, append-only."""

from sqlalchemy import Connection, select

from sync.crm import tables
from sync.crm.ids import millis, new_id
from sync.members.consent import PURPOSES, Consent, Purpose
from sync.store.database import insert


def record(connection: Connection, consent: Consent) -> None:
    """Keep an answer of ``consent.member``; given or withdrawn."""
    row = {
        "customer": consent.member,
        "id": new_id(consent.time),
        "purpose": consent.purpose,
        "time": millis(consent.time),
        "body": consent.model_dump_json(),
    }
    connection.execute(insert(connection, tables.customer_consent), [row])


def of(connection: Connection, customers: list[str]) -> list[Consent]:
    """Every answer of a group of customers, oldest first."""
    table = tables.customer_consent
    query = select(table.c.body).where(table.c.customer.in_(customers)).order_by(table.c.time, table.c.id)
    return [Consent.model_validate_json(body) for body in connection.scalars(query)]


def in_force(connection: Connection, customers: list[str]) -> set[Purpose]:
    """The purposes that the group agrees to now.

    Of several customers who were merged, each must not have said no last: a withdrawal counts for all of them.
    """
    last: dict[tuple[str, Purpose], str] = {}
    for each in of(connection, customers):
        last[each.member, each.purpose] = each.act
    return {
        purpose
        for purpose in PURPOSES
        if (acts := [act for (_, about), act in last.items() if about == purpose]) and "withdrawn" not in acts
    }
