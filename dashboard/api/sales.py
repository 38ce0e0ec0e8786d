"""Products, and receipts: posted by a program with a key, or pushed as a signed webhook."""

import hmac
from hashlib import sha256
from typing import Annotated, Any, Literal

from fastapi import Header, HTTPException, Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from pydantic import ValidationError

from dashboard.api import answers, documents
from dashboard.api.answers import IdempotencyKey, IfNoneMatch
from dashboard.api.bodies import Name, ProductBody, PurchaseBody
from dashboard.api.gate import Gate, Who
from dashboard.api.office import Office, source_of
from sync.crm import access, directory, products, purchases, told
from sync.crm.errors import CrmError
from sync.crm.purchases import PurchaseIn
from sync.crm.taking import Wrong

WINDOW_S = 300.0
"""A signed message is taken within five minutes of its time; within them a repeated receipt changes nothing."""
Code = Annotated[str, Path(min_length=1, max_length=120, pattern=r"^[^\x00-\x1f\x7f]*$")]


def add(gate: Gate, office: Office) -> None:
    """The routes."""
    _products(gate, office)
    _purchases(gate, office)
    _hook(gate, office)


def _products(gate: Gate, office: Office) -> None:
    @gate.put("/api/v1/products", "products:write")
    def put(who: Who, request: Request, body: ProductBody, key: IdempotencyKey = None) -> Response:
        """Take one variant in by its codes."""
        if body.store is not None and not who.of_store(body.store):
            raise HTTPException(403, "name one of your stores")
        now, asked = office.now(), answers.request_bytes(request, body)
        given = told.product(body.model_dump(), office.settings("api", body.store))
        with office.writing() as connection:
            if (done := answers.before(connection, who, key, asked, now)) is not None:
                return done
            (outcome,) = products.put(connection, [given], now)
            if isinstance(outcome, Wrong):
                raise CrmError("conflict", outcome.reason, "look at its codes")
            variant = products.variants_of(connection, given.codes)[given.codes[0]]
            status = 201 if outcome == "new" else 200
            document = {"variant": str(variant), "outcome": outcome}
            return answers.keep(connection, who, key, asked, now, document, status)

    @gate.get("/api/v1/products", "products:read")
    def page(
        who: Who,
        category: Annotated[str | None, Query(max_length=64, pattern=r"^[^\x00-\x1f\x7f]*$")] = None,
        cursor: Annotated[str | None, Query(max_length=64, pattern=r"^[^\x00-\x1f\x7f]*$")] = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> dict[str, Any]:
        """Products by style, each with its variants."""
        with office.reading() as connection:
            found = products.styles(connection, category, cursor, limit + 1)
            shown = [
                {
                    "style": style,
                    "variants": [
                        documents.variant_document(connection, each, who.stores)
                        for each in products.of_style(connection, style)
                    ],
                }
                for style in found[:limit]
            ]
        return {"products": shown, "cursor": found[limit - 1] if len(found) > limit else None}

    @gate.get("/api/v1/variants/{kind}/{code}", "products:read")
    def get(who: Who, kind: Literal["sku", "gtin", "epc"], code: Code, if_none_match: IfNoneMatch = None) -> Response:
        """One variant by any of its codes; a GTIN has 14 digits."""
        with office.reading() as connection:
            found = products.variants_of(connection, [(kind, code)])
            if not found:
                raise CrmError("unknown", f"there is no variant of this {kind}", "look at the code")
            (variant,) = products.get(connection, list(found.values())).values()
            return answers.one(documents.variant_document(connection, variant, who.stores), if_none_match)


def _purchases(gate: Gate, office: Office) -> None:
    @gate.post("/api/v1/purchases", "purchases:write")
    def post(who: Who, request: Request, body: PurchaseBody, key: IdempotencyKey = None) -> Response:
        """Take a receipt in, whole or not at all; the same again is no change, another content is refused."""
        source, asked = source_of(who, body.source), answers.request_bytes(request, body)
        if source is None:
            raise HTTPException(403 if body.source else 422, "name a source that is yours")
        if not who.of_store(body.store):
            raise HTTPException(403, "name one of your stores")
        now, given = office.now(), _receipt(office, source, body)
        with office.writing() as connection:
            if (done := answers.before(connection, who, key, asked, now)) is not None:
                return done
            outcome = _taken(purchases.put(connection, [given], now)[0])
            document = {"source": source, "receipt": given.receipt, "outcome": outcome}
            return answers.keep(connection, who, key, asked, now, document, 201 if outcome == "new" else 200)

    @gate.get("/api/v1/purchases/{source}/{receipt}", "purchases:read")
    def get(who: Who, source: Name, receipt: Code, if_none_match: IfNoneMatch = None) -> Response:
        """One receipt with its lines; a look at whose it is."""
        with office.writing() as connection:
            found = purchases.get(connection, source, receipt)
            if found is None or not _theirs(connection, found[0], who.stores):
                raise CrmError("unknown", f"there is no receipt {receipt} of {source}", "look at its number")
            purchase, lines = found
            if purchase.customer is not None:
                detail = f"receipt {receipt}"
                access.note(
                    connection, purchase.customer, who.actor, "viewed", office.now(), role=who.role, detail=detail
                )
            return answers.one(documents.purchase_document(purchase, lines), if_none_match)


def _hook(gate: Gate, office: Office) -> None:
    @gate.post("/api/v1/hooks/purchases/{source}", "signature", responses={401: {}})
    async def hook(
        request: Request,
        source: Name,
        signature: Annotated[str, Header(alias="Yingke-Signature", max_length=200)] = "",
    ) -> Response:
        """A receipt as its till pushes it: ``Yingke-Signature: t=EPOCH,v1=HMAC-SHA256 of "EPOCH.BODY"`` in hex."""
        content = await request.body()
        secret = office.secrets.get(source)
        if secret is None or not signed(content, signature, secret, office.now()):
            raise HTTPException(401, "the signature does not fit, or its time is more than five minutes off")
        return await run_in_threadpool(_pushed, office, source, content)


def _pushed(office: Office, source: str, content: bytes) -> Response:
    try:
        body = PurchaseBody.model_validate_json(content)
    except ValidationError as error:
        raise HTTPException(422, error.errors(include_url=False, include_context=False, include_input=False)) from error
    if body.source not in (None, source):
        raise HTTPException(403, "the source is not the one of this address")
    given = _receipt(office, source, body)
    with office.writing() as connection:
        outcome = _taken(purchases.put(connection, [given], office.now())[0])
    return JSONResponse({"source": source, "receipt": given.receipt, "outcome": outcome})


def signed(content: bytes, signature: str, secret: str, now: float) -> bool:
    """Whether the signature is of this content, made with this secret within the window."""
    parts = dict(part.split("=", 1) for part in signature.split(",") if "=" in part)
    time, given = parts.get("t", ""), parts.get("v1", "")
    if not (time.isascii() and time.isdecimal() and len(time) <= 12 and given.isascii()):
        return False
    right = hmac.new(secret.encode(), f"{time}.".encode() + content, sha256).hexdigest()
    return hmac.compare_digest(right, given) and abs(now - int(time)) <= WINDOW_S


def _receipt(office: Office, source: str, body: PurchaseBody) -> PurchaseIn:
    head = body.model_dump(exclude={"source", "lines"})
    lines = [line.model_dump() for line in body.lines]
    if body.amount is None and not lines:
        raise CrmError("invalid", "amount: missing, and there is no line", "name the amount, or the lines")
    return told.purchase(head, lines, office.settings(source, body.store))


def _taken(outcome: object) -> str:
    if isinstance(outcome, Wrong):
        known = "is known" in outcome.reason
        raise CrmError("conflict" if known else "invalid", outcome.reason, "a correction is a return and a new sale")
    return str(outcome)


def _theirs(connection: Any, purchase: purchases.Purchase, stores: frozenset[str] | None) -> bool:
    if stores is None or purchase.store in stores:
        return True
    return purchase.customer is not None and directory.serves(connection, [purchase.customer], stores)
