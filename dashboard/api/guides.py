"""Guides, and the handover when one leaves."""

from typing import Any

from fastapi import HTTPException, Request, Response

from dashboard.api import answers, documents
from dashboard.api.answers import IdempotencyKey, IfNoneMatch
from dashboard.api.bodies import GuideIn, HandoverIn, Name
from dashboard.api.gate import Gate, Who
from dashboard.api.office import Office
from sync.accounts.roles import Caller
from sync.crm import guides, handovers
from sync.crm.errors import CrmError
from sync.crm.guides import Guide
from sync.store.database import Connection


def add(gate: Gate, office: Office) -> None:
    """The routes."""

    @gate.get("/api/v1/guides", "guides:read")
    def page(who: Who) -> dict[str, Any]:
        """Who works in the caller's stores."""
        with office.reading() as connection:
            found = [each for each in guides.all_here(connection) if who.of_store(each.store)]
        return {"guides": [documents.guide_document(each) for each in found]}

    @gate.get("/api/v1/guides/{guide}", "guides:read")
    def get(who: Who, guide: Name, if_none_match: IfNoneMatch = None) -> Response:
        """One guide, who may have left."""
        with office.reading() as connection:
            return answers.one(documents.guide_document(_theirs(connection, guide, who)), if_none_match)

    @gate.put("/api/v1/guides/{guide}", "guides:write")
    def put(who: Who, guide: Name, body: GuideIn) -> dict[str, Any]:
        """A guide, new or with another name or store."""
        if not who.of_store(body.store):
            raise HTTPException(403, "name one of your stores")
        with office.writing() as connection:
            if _known(connection, guide):
                _theirs(connection, guide, who)
            guides.put(connection, guide, body.name, body.store, office.now())
        return {"guide": guide}

    @gate.post("/api/v1/handovers", "guides:write", status_code=201)
    def hand(who: Who, request: Request, body: HandoverIn, key: IdempotencyKey = None) -> Response:
        """Customers, open work and tablet access of who leaves, in one transaction."""
        now, asked = office.now(), answers.request_bytes(request, body)
        stores = [store.id for store in office.stores]
        with office.writing() as connection:
            if (done := answers.before(connection, who, key, asked, now)) is not None:
                return done
            for each in (body.leaver, body.successor):
                _theirs(connection, each, who)
            done_now = handovers.hand_over(
                connection, body.leaver, body.successor, now, who.actor[:32], stores=stores, key=office.key
            )
            told = stores if office.key is not None else []
            document = {
                "id": str(done_now.id),
                "customers": done_now.customers,
                "tasks": done_now.tasks,
                "stores": told,
            }
            return answers.keep(connection, who, key, asked, now, document, 201)


def _known(connection: Connection, guide: str) -> bool:
    try:
        guides.get(connection, guide)
    except CrmError:
        return False
    return True


def _theirs(connection: Connection, guide: str, who: Caller) -> Guide:
    found = guides.get(connection, guide)
    if not who.of_store(found.store):
        raise CrmError("unknown", f"there is no guide {guide}", "add the guide first")
    return found
