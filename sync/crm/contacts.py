"""Phones and mail addresses, in one spelling for looking up. Two customers with one are reported, never refused."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import phonenumbers
from sqlalchemy import Connection, delete, func, select

from sync.crm import tables
from sync.crm.ids import millis
from sync.store.database import insert

Kind = Literal["phone", "mail"]
_MAIL = re.compile(r"^[^@\s<>\"(),:;\[\]\\]{1,64}@([a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{1,62}$")
_CHINESE_MOBILE = re.compile(r"^(?:\+?86)?(1[3-9]\d{9})$")
_IN_NUMBERS = re.compile(r"[\s()./\-]+")


@dataclass(frozen=True, slots=True)
class Contact:
    """``value`` as ``phone`` and ``mail`` spell it."""

    kind: Kind
    value: str


@dataclass(frozen=True, slots=True)
class Shared:
    """One contact of several customers: one person twice, or a family's phone. For a person to look at."""

    contact: Contact
    customers: tuple[str, ...]


def phone(text: str, region: str = "CN") -> Contact:
    """A number in E.164; one without a country is of ``region`` (ISO 3166). Raises ``ValueError``."""
    plain = unicodedata.normalize("NFKC", str(text)).strip().removesuffix(".0")
    compact = _IN_NUMBERS.sub("", plain)
    # The most frequent case by far, and the library takes 30 times as long for it.
    if region == "CN" and (match := _CHINESE_MOBILE.match(compact)):
        return Contact("phone", f"+86{match[1]}")
    try:
        number = phonenumbers.parse(compact, region)
    except phonenumbers.NumberParseException as error:
        raise ValueError("this is no phone number") from error
    if not phonenumbers.is_valid_number(number):
        raise ValueError("there is no such phone number")
    return Contact("phone", phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def mail(text: str) -> Contact:
    """A mail address in lower case. Raises ``ValueError``."""
    plain = unicodedata.normalize("NFKC", str(text)).strip().lower()
    if not _MAIL.match(plain) or len(plain) > 254:
        raise ValueError("this is no mail address")
    return Contact("mail", plain)


def put(connection: Connection, customer: str, contacts: Iterable[Contact], now: float) -> None:
    """Add these to a customer's."""
    put_rows(connection, [row(customer, each, now) for each in contacts])


def row(customer: str, contact: Contact, now: float) -> dict[str, object]:
    """As ``put_rows`` takes it."""
    return {"customer": customer, "kind": contact.kind, "value": contact.value, "time": millis(now)}


def put_rows(connection: Connection, rows: Sequence[dict[str, object]]) -> None:
    """Many customers' at once."""
    if rows:
        connection.execute(insert(connection, tables.contact).on_conflict_do_nothing(), rows)


def drop(connection: Connection, customer: str, contact: Contact) -> bool:
    """Forget one; whether there was such."""
    table = tables.contact
    where = table.c.customer == customer, table.c.kind == contact.kind, table.c.value == contact.value
    return bool(connection.execute(delete(table).where(*where)).rowcount)


def of(connection: Connection, customers: Sequence[str]) -> list[Contact]:
    """The contacts of these customers, each once."""
    table = tables.contact
    query = select(table.c.kind, table.c.value).where(table.c.customer.in_(customers)).distinct()
    return [Contact(kind, value) for kind, value in connection.execute(query.order_by(table.c.kind, table.c.value))]


def find(connection: Connection, contact: Contact) -> list[str]:
    """Whose contact it is (roots): none, one, or several."""
    table, customer = tables.contact, tables.customer
    query = select(customer.c.root).join(table, table.c.customer == customer.c.customer)
    query = query.where(table.c.kind == contact.kind, table.c.value == contact.value).distinct()
    return list(connection.scalars(query.order_by(customer.c.root)))


def shared(connection: Connection, after: Contact | None = None, limit: int = 200) -> list[Shared]:
    """Contacts of more than one customer, in order from ``after`` on; those who were merged count as one."""
    table, customer = tables.contact, tables.customer
    query = select(table.c.kind, table.c.value).join(customer, table.c.customer == customer.c.customer)
    if after is not None:
        query = query.where(
            (table.c.kind > after.kind) | ((table.c.kind == after.kind) & (table.c.value > after.value))
        )
    query = query.group_by(table.c.kind, table.c.value).having(func.count(customer.c.root.distinct()) > 1)
    query = query.order_by(table.c.kind, table.c.value).limit(limit)
    found = [Contact(kind, value) for kind, value in connection.execute(query)]
    return [Shared(contact, tuple(find(connection, contact))) for contact in found]
