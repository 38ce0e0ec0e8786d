"""Forget a customer: everything about the person goes; what was sold stays as figures of nobody."""

from sqlalchemy import Connection, delete, select, update

from sync.crm import access, customers, tables
from sync.crm.errors import CrmError
from sync.crm.ids import millis
from sync.crm.locks import one_at_a_time
from sync.store import tables as central
from sync.store.database import insert

_OF_THE_PERSON = (
    tables.contact,
    tables.occasion,
    tables.relative,
    tables.trait,
    tables.tag,
    tables.interaction,
    tables.customer_moment,
    tables.binding,
    tables.binding_dispute,
    tables.task,
    tables.customer_key,
    tables.customer_consent,
    tables.customer_segment,
)


def one_person(connection: Connection, customer: str) -> list[str]:
    """The references of everybody who counts as this customer; none where the CRM does not know them."""
    try:
        return [each.customer for each in customers.group(connection, customer)]
    except CrmError:
        return []


def erase(connection: Connection, customer: str, now: float, by: str) -> list[str]:
    """Everybody who counts as this customer is gone; returns their references, for the orders to the boxes.

    Digests of their numbers stay, so that no import brings them back; the log of who looked stays for its three years.
    Raises ``CrmError`` (``unknown``).
    """
    one_at_a_time(connection)
    names = [each.customer for each in customers.group(connection, customer)]
    table = tables.customer_key
    keys = connection.execute(select(table.c.source, table.c.number).where(table.c.customer.in_(names)))
    marks = [
        {"source": source, "digest": customers.number_digest(number), "time": millis(now)} for source, number in keys
    ]
    if marks:
        connection.execute(insert(connection, tables.erased_key).on_conflict_do_nothing(), marks)
    connection.execute(
        insert(connection, central.erased_member).on_conflict_do_nothing(),
        [{"member": name, "time": millis(now)} for name in names],
    )
    for each in _OF_THE_PERSON:
        connection.execute(delete(each).where(each.c.customer.in_(names)))
    purchase, relative, merge = tables.purchase, tables.relative, tables.customer_merge
    connection.execute(update(purchase).where(purchase.c.customer.in_(names)).values(customer=None))
    connection.execute(update(relative).where(relative.c.of_customer.in_(names)).values(of_customer=None))
    connection.execute(delete(merge).where(merge.c.gone.in_(names) | merge.c.kept.in_(names)))
    connection.execute(delete(tables.customer).where(tables.customer.c.customer.in_(names)))
    access.note_all(connection, names, by, "erased", now)
    return names
