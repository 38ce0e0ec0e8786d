"""Customers: list, find, read, write, what happened with them, duplicates, erasure. Every look is noted."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import HTTPException, Query, Request, Response

from dashboard.api import answers, documents
from dashboard.api.answers import IdempotencyKey, IfNoneMatch
from dashboard.api.bodies import CustomerBody, FindIn, MergeIn, Name, ProfileIn, Reference, TalkIn
from dashboard.api.gate import Gate, Who
from dashboard.api.office import Office, source_of
from sync.accounts.roles import Caller
from sync.crm import access, contacts, customers, directory, erasing, interactions, merges, timeline, told
from sync.crm.access import Act
from sync.crm.customers import Customer
from sync.crm.directory import Filter
from sync.crm.errors import CrmError
from sync.crm.taking import Wrong
from sync.store.database import Connection
from sync.store.orders import OrderBook

PATH = "/api/v1/customers"
Limit = Annotated[int, Query(ge=1, le=200)]
Text = Annotated[str | None, Query(min_length=1, max_length=40, pattern=r"^[^\x00-\x1f\x7f]*$")]


def add(gate: Gate, office: Office) -> None:
    """The routes."""
    _reads(gate, office)
    _writes(gate, office)
    _duplicates(gate, office)
    _erasure(gate, office)


def _reads(gate: Gate, office: Office) -> None:
    @gate.get(PATH, "customers:read")
    def page(
        who: Who,
        kind: Literal["member", "prospect"] | None = None,
        level: Text = None,
        tag: Text = None,
        guide: Name | None = None,
        changed_since: Annotated[int | None, Query(ge=0, le=2**53, description="milliseconds")] = None,
        cursor: Reference | None = None,
        limit: Limit = 50,
    ) -> dict[str, Any]:
        """Customers whom the caller's stores serve, in order of their reference."""
        wanted = Filter(kind, level, guide, tag, changed_since, who.stores)
        with office.writing() as connection:
            found = directory.page(connection, wanted, cursor, limit + 1)
            shown = found[:limit]
            names = [each.customer for each in shown]
            access.note_all(connection, names, who.actor, "found", office.now(), role=who.role, detail="list")
        following = names[-1] if len(found) > limit else None
        return {"customers": [documents.short_customer(each) for each in shown], "cursor": following}

    @gate.post(f"{PATH}/find", "customers:read")
    def find(who: Who, body: FindIn) -> dict[str, Any]:
        """By phone, mail, or the number of a source: none, one, or several who share it."""
        with office.writing() as connection:
            roots = _found(connection, body)
            group = [g[0] for root in roots if (g := _if_visible(connection, root, who)) is not None]
            names = [each.customer for each in group]
            access.note_all(connection, names, who.actor, "found", office.now(), role=who.role, detail="find")
        return {"customers": [documents.short_customer(each) for each in group]}

    @gate.get(f"{PATH}/{{customer}}", "customers:read")
    def get(who: Who, customer: Reference, if_none_match: IfNoneMatch = None) -> Response:
        """One customer, with everybody merged into them."""
        with office.writing() as connection:
            group = seen(connection, customer, who, "viewed", office.now())
            return answers.one(documents.whole_customer(connection, group), if_none_match)

    @gate.get(f"{PATH}/{{customer}}/timeline", "customers:read")
    def line(
        who: Who, customer: Reference, cursor: Annotated[str | None, Query(max_length=300)] = None, limit: Limit = 50
    ) -> dict[str, Any]:
        """Purchases, returns, visits, try-ons, conversations; newest first."""
        with office.writing() as connection:
            seen(connection, customer, who, "viewed", office.now(), "timeline")
            found = timeline.of(connection, customer, cursor, limit)
        entries = [
            {"time": documents.moment(each.time), "kind": each.kind, "customer": each.customer, **each.data}
            for each in found.entries
        ]
        return {"entries": entries, "cursor": found.cursor}

    @gate.get(f"{PATH}/{{customer}}/looks", "looks:read")
    def looks(
        who: Who, customer: Reference, before: Annotated[int | None, Query(ge=0, le=2**53)] = None, limit: Limit = 50
    ) -> dict[str, Any]:
        """Who looked at this customer; newest first, ``before`` (milliseconds) goes on."""
        with office.writing() as connection:
            seen(connection, customer, who, "viewed", office.now(), "looks")
            found = access.of(connection, customer, before, limit)
        shown = [
            {"time": documents.moment(e.time), "actor": e.actor, "role": e.role, "act": e.act, "detail": e.detail}
            for e in found
        ]
        return {"looks": shown}


def _writes(gate: Gate, office: Office) -> None:
    @gate.put(PATH, "customers:write")
    def put(who: Who, request: Request, body: CustomerBody, key: IdempotencyKey = None) -> Response:
        """Take a customer in by a source's number; what is left out stays, the same again is no change."""
        source, now, asked = source_of(who, body.source), office.now(), answers.request_bytes(request, body)
        if source is None:
            raise HTTPException(403 if body.source else 422, "name a source that is yours")
        if not who.of_store(body.store):
            raise HTTPException(403, "name one of your stores")
        given = told.customer(body.model_dump(exclude={"source"}), office.settings(source, body.store))
        with office.writing() as connection:
            if (done := answers.before(connection, who, key, asked, now)) is not None:
                return done
            known = customers.keys_of(connection, [(source, given.number)])
            for name in {*(row.customer for row in known.values()), *([given.reference] if given.reference else [])}:
                _not_of_others(connection, name, who)
            (outcome,) = customers.put(connection, [given], now, who.actor[:32])
            if isinstance(outcome, Wrong):
                raise CrmError("conflict", outcome.reason, "look at the number and the reference")
            name = customers.keys_of(connection, [(source, given.number)])[source, given.number].customer
            seen(connection, name, who, "changed", now)
            status = 201 if outcome == "new" else 200
            return answers.keep(connection, who, key, asked, now, {"customer": name, "outcome": outcome}, status)

    @gate.patch(f"{PATH}/{{customer}}", "customers:write")
    def change(who: Who, customer: Reference, body: ProfileIn) -> dict[str, Any]:
        """Write fields of the profile; null takes one away."""
        now = office.now()
        with office.writing() as connection:
            seen(connection, customer, who, "changed", now)
            customers.change(connection, customer, now, body.model_dump(exclude_unset=True))
        return {"customer": customer}

    @gate.post(f"{PATH}/{{customer}}/interactions", "customers:write", status_code=201)
    def talk(who: Who, request: Request, customer: Reference, body: TalkIn, key: IdempotencyKey = None) -> Response:
        """Keep what was said."""
        now, asked = office.now(), answers.request_bytes(request, body)
        with office.writing() as connection:
            seen(connection, customer, who, "changed", now, "interaction")
            if (done := answers.before(connection, who, key, asked, now)) is not None:
                return done
            store = next(iter(who.stores)) if who.stores is not None and len(who.stores) == 1 else None
            entry = interactions.add(connection, customer, body.kind, body.text, now, store=store)
            return answers.keep(connection, who, key, asked, now, {"id": str(entry)}, 201)


def _duplicates(gate: Gate, office: Office) -> None:
    @gate.post(f"{PATH}/{{customer}}/merges", "customers:merge", status_code=201)
    def merge(who: Who, request: Request, customer: Reference, body: MergeIn, key: IdempotencyKey = None) -> Response:
        """``gone`` counts as this customer from now on; nothing moves, and it can be undone."""
        now, asked = office.now(), answers.request_bytes(request, body)
        with office.writing() as connection:
            for each in (customer, body.gone):
                directory.visible(connection, each, who.stores)
            if (done := answers.before(connection, who, key, asked, now)) is not None:
                return done
            entry = merges.merge(connection, body.gone, customer, now, who.actor[:32], body.reason)
            return answers.keep(connection, who, key, asked, now, {"id": str(entry)}, 201)

    @gate.get(f"{PATH}/{{customer}}/merges", "customers:read")
    def listed(who: Who, customer: Reference) -> dict[str, Any]:
        """Every merge of this customer, undone ones too."""
        with office.writing() as connection:
            seen(connection, customer, who, "viewed", office.now(), "merges")
            return {"merges": [documents.merge_document(each) for each in merges.of(connection, customer)]}

    @gate.post("/api/v1/merges/{merge}/undo", "customers:merge")
    def undo(who: Who, merge: UUID) -> dict[str, Any]:
        """They are two again, each with what was its own."""
        with office.writing() as connection:
            row = merges.get(connection, merge)
            directory.visible(connection, row.kept, who.stores)
            merges.undo(connection, merge, office.now(), who.actor[:32])
        return {"customers": [row.kept, row.gone]}


def _erasure(gate: Gate, office: Office) -> None:
    @gate.post(f"{PATH}/{{customer}}/erase", "customers:erase")
    def erase(who: Who, customer: Reference) -> dict[str, Any]:
        """Forget a customer here, and order every box to. What was sold stays as figures of nobody."""
        if office.key is None:
            raise CrmError(
                "conflict", "this centre gives no orders to the boxes", "set dashboard.orders, or use yingke erase"
            )
        now, stores = office.now(), {store.id for store in office.stores}
        with office.writing() as connection:
            group = directory.visible(connection, customer, who.stores)
            names = sorted(each.customer for each in group)
        book = OrderBook(office.engine)
        # The orders first: whoever is interrupted here and asks again still finds whom they were for.
        for name in names:
            book.erase(name, sorted(stores | set(book.stores())), office.key, now)
        with office.writing() as connection:
            erasing.erase(connection, customer, now, who.actor[:32])
        return {"erased": names, "stores": sorted(stores)}


def seen(connection: Connection, customer: str, who: Caller, act: Act, now: float, detail: str = "") -> list[Customer]:
    """The customer's group, checked against the caller's stores after it was loaded; the look is noted."""
    group = directory.visible(connection, customer, who.stores)
    access.note(connection, customer, who.actor, act, now, role=who.role, detail=detail)
    return group


def _if_visible(connection: Connection, customer: str, who: Caller) -> list[Customer] | None:
    try:
        return directory.visible(connection, customer, who.stores)
    except CrmError:
        return None


def _not_of_others(connection: Connection, customer: str, who: Caller) -> None:
    """Nobody takes a customer over by writing their own store into the profile."""
    try:
        customers.get(connection, customer)
    except CrmError:
        return
    directory.visible(connection, customer, who.stores)


def _found(connection: Connection, body: FindIn) -> list[str]:
    given = [body.phone, body.mail, body.number]
    if sum(each is not None for each in given) != 1 or (body.number is None) != (body.source is None):
        raise CrmError("invalid", "name a phone, or a mail, or a source and a number", "one of them")
    try:
        if body.phone is not None:
            return contacts.find(connection, contacts.phone(body.phone))
        if body.mail is not None:
            return contacts.find(connection, contacts.mail(body.mail))
    except ValueError as error:
        raise CrmError("invalid", str(error), "correct it and ask again") from error
    found = customers.by_number(connection, body.source or "", body.number or "")
    return [] if found is None else [found]
