"""Members and prospects: taking them in by the numbers that others call them by, changing them, reading them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import date
from hashlib import sha256
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Connection, Row, select, tuple_, update

from sync.crm import bindings, contacts, occasions, tables, tags, traits
from sync.crm.contacts import Contact
from sync.crm.errors import CrmError
from sync.crm.ids import millis, new_customer
from sync.crm.locks import one_at_a_time
from sync.crm.occasions import Occasion
from sync.crm.taking import Outcome, Wrong, digest
from sync.crm.traits import Trait
from sync.store import tables as central
from sync.store.database import insert

Kind = Literal["member", "prospect"]
Key = tuple[str, str]
"""Source and number."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What is written of a customer; None where it is not known."""

    name: str | None = None
    salutation: str | None = None
    level: str | None = None
    store: str | None = None
    note: str | None = None
    joined: date | None = None

    def given(self) -> dict[str, Any]:
        """What is known of it."""
        return {field.name: value for field in fields(self) if (value := getattr(self, field.name)) is not None}


@dataclass(frozen=True, slots=True)
class CustomerIn:
    """A customer as a source tells it. ``number`` is the source's own; ``reference`` the boxes', where there is one."""

    source: str
    number: str
    reference: str | None = None
    kind: Kind = "member"
    profile: Profile = Profile()
    contacts: tuple[Contact, ...] = ()
    occasions: tuple[Occasion, ...] = ()
    traits: tuple[Trait, ...] = ()
    tags: tuple[str, ...] = ()
    guide: str | None = None


@dataclass(frozen=True, slots=True)
class Customer:
    """One customer as it is stored; ``root`` is the one that it counts for."""

    customer: str
    kind: Kind
    placeholder: bool
    root: str
    merged_into: str | None
    profile: Profile
    created: int
    changed: int


def put(
    connection: Connection, given: Sequence[CustomerIn], now: float, by: str, run: UUID | None = None
) -> list[Outcome]:
    """Take customers in, each by its number; an outcome for each, in order.

    What a source says a second time is no change, whatever was changed by hand in between. What it leaves out stays.
    Within one import (``run``) a number stands for one content.
    """
    one_at_a_time(connection)
    batch = _Batch(connection, given, now, by, run)
    outcomes = [batch.take(each) for each in given]
    batch.write()
    return outcomes


def ensure(connection: Connection, keys: Sequence[Key], now: float) -> dict[Key, str]:
    """The customers of these numbers, as placeholders where nobody has said yet who they are.

    A number that was erased has none: what it bought stays, and is nobody's.
    """
    known = {key: row.customer for key, row in keys_of(connection, keys).items()}
    missing = [key for key in dict.fromkeys(keys) if key not in known]
    gone = _erased_keys(connection, missing)
    fresh = {key: new_customer() for key in missing if key not in gone}
    if fresh:
        rows = [_customer_row(reference, "member", Profile(), now, placeholder=True) for reference in fresh.values()]
        connection.execute(insert(connection, tables.customer), rows)
        names = [
            {"source": source, "number": number, "customer": reference, "digest": None, "run": None}
            for (source, number), reference in fresh.items()
        ]
        connection.execute(insert(connection, tables.customer_key), names)
    return known | fresh


def ensure_references(connection: Connection, references: Sequence[str], now: float) -> set[str]:
    """Members whom a box knows are customers, too, as placeholders; returns those who are, without who was erased."""
    wanted = set(references) - _erased_members(connection, sorted(set(references)))
    if wanted:
        rows = [_customer_row(each, "member", Profile(), now, placeholder=True) for each in sorted(wanted)]
        connection.execute(insert(connection, tables.customer).on_conflict_do_nothing(), rows)
    return wanted


def keys_of(connection: Connection, keys: Sequence[Key]) -> dict[Key, Row[Any]]:
    """The rows of ``customer_key`` of these numbers, where known."""
    table, found = tables.customer_key, {}
    by_source: dict[str, list[str]] = {}
    for source, number in dict.fromkeys(keys):
        by_source.setdefault(source, []).append(number)
    for source, numbers in by_source.items():
        query = select(table).where(table.c.source == source, table.c.number.in_(numbers))
        found.update({(row.source, row.number): row for row in connection.execute(query)})
    return found


def add(
    connection: Connection,
    profile: Profile,
    now: float,
    kind: Kind = "prospect",
    given: Sequence[Contact] = (),
    *,
    guide: str | None = None,
    by: str = "command",
) -> str:
    """A new customer, added by hand; returns the reference."""
    reference = new_customer()
    connection.execute(insert(connection, tables.customer), [_customer_row(reference, kind, profile, now)])
    contacts.put(connection, reference, given, now)
    if guide is not None:
        bindings.open_for(connection, {reference: guide}, now, by)
    return reference


def change(connection: Connection, customer: str, now: float, changes: Mapping[str, Any]) -> None:
    """Write fields of the profile, or ``kind``. None takes one away. Raises ``CrmError`` (``unknown``, ``invalid``)."""
    allowed = {field.name for field in fields(Profile)} | {"kind"}
    if strange := set(changes) - allowed:
        raise CrmError(
            "invalid", f"a customer has no field {sorted(strange)[0]}", f"one of {', '.join(sorted(allowed))}"
        )
    table = tables.customer
    values = dict(changes) | {"changed": millis(now), "placeholder": False}
    if not connection.execute(update(table).where(table.c.customer == customer).values(values)).rowcount:
        raise _unknown(customer)


def get(connection: Connection, customer: str) -> Customer:
    """One customer, as stored. Raises ``CrmError`` (``unknown``)."""
    table = tables.customer
    row = connection.execute(select(table).where(table.c.customer == customer)).first()
    if row is None:
        raise _unknown(customer)
    return _customer(row)


def group(connection: Connection, customer: str) -> list[Customer]:
    """Everybody who counts as this customer, the root first. Raises ``CrmError`` (``unknown``)."""
    root = get(connection, customer).root
    table = tables.customer
    rows = connection.execute(select(table).where(table.c.root == root).order_by(table.c.created, table.c.customer))
    return sorted((_customer(row) for row in rows), key=lambda each: each.customer != root)


def whole(members: Sequence[Customer]) -> Profile:
    """The profile of a group: the root's, and what it lacks from the others, oldest first."""
    profile = Profile()
    for each in reversed(members):
        profile = replace(profile, **each.profile.given())
    return profile


def by_number(connection: Connection, source: str, number: str) -> str | None:
    """The customer (root) of a source's number."""
    table, customer = tables.customer_key, tables.customer
    query = select(customer.c.root).join(table, table.c.customer == customer.c.customer)
    found: str | None = connection.scalar(query.where(table.c.source == source, table.c.number == number))
    return found


class _Batch:
    """Everything that ``put`` looks up and writes, for many customers at once."""

    def __init__(
        self, connection: Connection, given: Sequence[CustomerIn], now: float, by: str, run: UUID | None
    ) -> None:
        self._connection, self._now, self._by, self._run = connection, now, by, run
        keys = [(each.source, each.number) for each in given]
        references = [each.reference for each in given if each.reference is not None]
        self._keys = keys_of(connection, keys)
        self._gone = _erased_keys(connection, [key for key in keys if key not in self._keys])
        self._erased = _erased_members(connection, references)
        known = {row.customer for row in self._keys.values()} | set(references)
        table = tables.customer
        rows = connection.execute(select(table.c.customer).where(table.c.customer.in_(known))) if known else ()
        self._known = {row.customer for row in rows}
        self._digests: dict[Key, tuple[bytes, UUID | None]] = {
            key: (row.digest, row.run) for key, row in self._keys.items() if row.digest is not None
        }
        self._reference: dict[Key, str] = {key: row.customer for key, row in self._keys.items()}
        self._fresh: dict[str, dict[str, object]] = {}
        self._changes: list[tuple[str, CustomerIn]] = []
        self._seen: list[dict[str, object]] = []

    def take(self, each: CustomerIn) -> Outcome:
        key = each.source, each.number
        if key in self._gone or (each.reference or self._reference.get(key)) in self._erased:
            return Wrong("this customer was erased and is not taken in again")
        reference = self._reference.get(key) or each.reference or new_customer()
        if each.reference is not None and reference != each.reference:
            return Wrong(f"number {each.number} is {reference}, not {each.reference}")
        content = digest(each)
        before = self._digests.get(key)
        if before is not None and before[0] == content:
            self._mark(key, reference, content)
            return "same"
        if before is not None and self._run is not None and before[1] == self._run:
            return Wrong(f"number {each.number} stands twice in this file, with other content")
        new = reference not in self._known
        if new:
            self._fresh[reference] = _customer_row(reference, each.kind, each.profile, self._now)
            self._known.add(reference)
        self._changes.append((reference, each))
        self._reference[key] = reference
        self._mark(key, reference, content)
        return "new" if new else "changed"

    def _mark(self, key: Key, reference: str, content: bytes) -> None:
        self._digests[key] = content, self._run
        self._seen.append(
            {"source": key[0], "number": key[1], "customer": reference, "digest": content, "run": self._run}
        )

    def write(self) -> None:
        connection, now = self._connection, self._now
        if self._fresh:
            connection.execute(insert(connection, tables.customer), list(self._fresh.values()))
        table = tables.customer
        for reference, each in self._changes:
            if reference not in self._fresh:
                values = each.profile.given() | {"kind": each.kind, "placeholder": False, "changed": millis(now)}
                connection.execute(update(table).where(table.c.customer == reference).values(values))
        if self._seen:
            statement = insert(connection, tables.customer_key)
            values = {name: statement.excluded[name] for name in ("digest", "run")}
            upsert = statement.on_conflict_do_update(index_elements=["source", "number"], set_=values)
            rows = {(row["source"], row["number"]): row for row in self._seen}
            connection.execute(upsert, [rows[key] for key in sorted(rows, key=str)])
        self._write_parts()

    def _write_parts(self) -> None:
        connection, now = self._connection, self._now
        pairs = self._changes
        contacts.put_rows(connection, [contacts.row(who, one, now) for who, each in pairs for one in each.contacts])
        occasions.put_rows(connection, [occasions.row(who, one) for who, each in pairs for one in each.occasions])
        traits.put_rows(connection, [traits.row(who, one, now) for who, each in pairs for one in each.traits])
        tags.put_rows(connection, [tags.row(who, one, self._by, now) for who, each in pairs for one in each.tags])
        bound = {who: each.guide for who, each in pairs if each.guide is not None}
        bindings.open_for(connection, bound, now, self._by)


def _customer_row(
    reference: str, kind: Kind, profile: Profile, now: float, *, placeholder: bool = False
) -> dict[str, object]:
    moment = millis(now)
    return {
        "customer": reference,
        "kind": kind,
        "placeholder": placeholder,
        "root": reference,
        "merged_into": None,
        "created": moment,
        "changed": moment,
        **asdict(profile),
    }


def number_digest(number: str) -> bytes:
    """What is kept of an erased number."""
    return sha256(number.encode("utf-8", "surrogatepass")).digest()


def _erased_keys(connection: Connection, keys: Sequence[Key]) -> set[Key]:
    table = tables.erased_key
    if not keys or connection.scalar(select(table.c.time).limit(1)) is None:
        return set()
    marks = {(source, number_digest(number)): (source, number) for source, number in keys}
    query = select(table.c.source, table.c.digest).where(tuple_(table.c.source, table.c.digest).in_(list(marks)))
    return {marks[source, bytes(mark)] for source, mark in connection.execute(query)}


def _erased_members(connection: Connection, references: Sequence[str]) -> set[str]:
    table = central.erased_member
    if not references:
        return set()
    return set(connection.scalars(select(table.c.member).where(table.c.member.in_(references))))


def _unknown(customer: str) -> CrmError:
    return CrmError("unknown", f"there is no customer {customer}", "look for them by phone, mail or number")


def _customer(row: Row[Any]) -> Customer:
    profile = Profile(**{field.name: getattr(row, field.name) for field in fields(Profile)})
    return Customer(
        row.customer, row.kind, bool(row.placeholder), row.root, row.merged_into, profile, row.created, row.changed
    )
