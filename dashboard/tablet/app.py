"""The web application of the tablets: log in, arrival cards as they come, taps, consent. Served on the store's LAN."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, FastAPI, Header, HTTPException, Query, Request, Response
from fastapi.responses import FileResponse, StreamingResponse
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel, ConfigDict, Field

from dashboard.app import HEADERS
from dashboard.changes import Changes
from dashboard.tablet.documents import card_document
from dashboard.tablet.pump import Events
from dashboard.tablet.refusals import explain, refusal
from sync.clock import Now
from sync.events import Arrival, Event, Member, utc
from sync.members import codes
from sync.members.consent import PURPOSES, Consent, Language, Purpose, text
from sync.members.desk import Action, Card, Desk, Tap
from sync.members.errors import MemberError
from sync.members.guides import Guide, Guides
from sync.members.register import Register
from sync.settings import StoreConfig

STATIC = Path(__file__).parent / "static"
COOKIE, SECURE_COOKIE = "yingke", "__Host-yingke"
LOOK_EVERY_S = 0.1
LARGEST_BODY = 256 * 1024
LONGEST_QUEUE = 500
"""Taps of one request: what a tablet collected while it had no line."""
SENSOR = "tablet"
CARD_S = 900.0


@dataclass(frozen=True)
class Shop:
    """What the application works on; all of one store's box."""

    store: StoreConfig
    desk: Desk
    register: Register
    guides: Guides
    events: Events
    now: Now
    code_keys: tuple[str, ...] = ()
    secure: bool = False
    """Served over TLS: the cookie is for that only."""
    encoder: str | None = None
    """The face encoder in use, for the screens; None where nobody is recognised."""
    enrolment: bool = False
    """Whether pictures for enrolment can be taken here."""

    @property
    def today(self) -> Any:
        """The store's date."""
        return datetime.fromtimestamp(self.now(), self.store.zone).date()


class _In(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Login(_In):
    """Who is at the tablet."""

    guide: Annotated[str, Field(max_length=32)]
    pin: Annotated[str, Field(max_length=64)]


class TapIn(_In):
    """One tap; ``id`` is made by the tablet, once for each."""

    id: UUID
    card: UUID
    action: Action
    member: Member | None = None
    time: float


class Code(_In):
    """What a scanner read."""

    text: Annotated[str, Field(max_length=400)]


class ConsentIn(_In):
    """The member's answer to one purpose, with the digest of the words that were shown."""

    member: Member
    purpose: Purpose
    act: Literal["given", "withdrawn"]
    language: Language
    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    how: Literal["tablet_signature", "tablet_code"] = "tablet_code"
    stores: Annotated[tuple[str, ...], Field(max_length=50)] = ()
    adult: bool = False


def create_tablet_app(shop: Shop, *more: APIRouter, hooks: Sequence[APIRouter] = ()) -> FastAPI:
    """The application over one store's files.

    ``more`` are further routes below ``/api`` behind the same login, who finds the guide in ``request.state.guide``;
    ``hooks`` are for machines, below ``/hooks``, and check by themselves who calls.
    """
    app = FastAPI(title="Yingke tablet", docs_url=None, redoc_url=None, openapi_url=None)
    changes = app.state.changes = Changes(lambda: shop.desk.revision, LOOK_EVERY_S)
    name = SECURE_COOKIE if shop.secure else COOKIE
    explain(app)
    app.middleware("http")(_guarded)

    def guide(request: Request) -> Guide:
        who = shop.guides.who(request.cookies.get(name, ""), shop.now())
        if who is None:
            raise HTTPException(401, "log in again")
        request.state.guide = who
        return who

    app.include_router(_session(shop, guide, name), prefix="/api")
    inside = [Depends(guide)]
    app.include_router(_cards(shop, guide, changes), prefix="/api", dependencies=inside)
    app.include_router(_consent(shop, guide), prefix="/api", dependencies=inside)
    for routes in more:
        app.include_router(routes, prefix="/api", dependencies=inside)
    for routes in hooks:
        app.include_router(routes, prefix="/hooks")
    _pages(app)
    return app


def _pages(app: FastAPI) -> None:
    @app.get("/healthz")
    def healthz() -> dict[str, bool]:
        return {"ok": True}

    def file(path: str, found: str, kind: str) -> None:
        @app.get(path, include_in_schema=False)
        def _() -> FileResponse:
            return FileResponse(STATIC / found, media_type=kind)

    file("/", "index.html", "text/html")
    # A service worker serves what lies beside and below it: at the root.
    file("/sw.js", "sw.js", "text/javascript")
    file("/manifest.webmanifest", "manifest.webmanifest", "application/manifest+json")
    app.mount("/static", StaticFiles(directory=STATIC), name="static")


async def _guarded(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    refused = _refusal(request)
    response = await call_next(request) if refused is None else refusal(*refused)
    for header, value in HEADERS.items():
        response.headers.setdefault(header, value)
    response.headers["Content-Security-Policy"] = (
        f"{HEADERS['Content-Security-Policy']}; manifest-src 'self'; worker-src 'self'"
    )
    if request.url.path.startswith("/api"):
        response.headers["Cache-Control"] = "no-store"
    return response


def _refusal(request: Request) -> tuple[int, str] | None:
    if request.method in ("GET", "HEAD"):
        return None
    origin = request.headers.get("origin")
    host = request.headers.get("host", "")
    # A form of another page cannot send JSON, and cannot hide where it comes from.
    # A machine has no page that it comes from, and signs what it sends.
    machine = request.url.path.startswith("/hooks/") and origin is None
    if not machine and origin not in (f"http://{host}", f"https://{host}"):
        return 403, "another page may not use this one"
    if not request.headers.get("content-type", "").startswith("application/json"):
        return 415, "send JSON"
    length = request.headers.get("content-length", "")
    if not length.isdecimal() or int(length) > LARGEST_BODY:
        return 413, f"more than {LARGEST_BODY} bytes, or of unknown length"
    return None


Who = Callable[[Request], Guide]


def _session(shop: Shop, guide: Who, cookie: str) -> APIRouter:
    routes = APIRouter()

    @routes.get("/shop")
    def about() -> dict[str, Any]:
        """For the log-in page: the store, and who works here (names only)."""
        return {
            "store": shop.store.id,
            "name": shop.store.name or shop.store.id,
            "timezone": shop.store.timezone,
            "guides": [{"id": each.id, "name": each.name} for each in shop.guides.all()],
        }

    @routes.post("/login")
    def login(given: Login, response: Response) -> dict[str, Any]:
        token = shop.guides.login(given.guide, given.pin, shop.now())
        response.set_cookie(cookie, token, httponly=True, secure=shop.secure, samesite="strict", path="/")
        return {"guide": given.guide}

    @routes.post("/logout")
    def logout(request: Request, response: Response) -> dict[str, bool]:
        shop.guides.logout(request.cookies.get(cookie, ""))
        response.delete_cookie(cookie, path="/", secure=shop.secure, httponly=True, samesite="strict")
        return {"ok": True}

    @routes.get("/me")
    def me(who: Annotated[Guide, Depends(guide)]) -> dict[str, Any]:
        return {
            "guide": who.id,
            "name": who.name,
            "role": who.role,
            "encoder": shop.encoder,
            "enrolment": shop.enrolment,
        }

    return routes


def _cards(shop: Shop, guide: Who, changes: Changes) -> APIRouter:
    routes = APIRouter()

    def told(cards: list[Card], who: Guide) -> list[dict[str, Any]]:
        """The documents of cards; each look at a person is noted."""
        now, today = shop.now(), shop.today
        for card in cards:
            for member in card.members if card.state != "closed" else ():
                shop.register.look(member, who.id, "viewed", now)
        return [card_document(card, lambda member: shop.register.card(member, now), today) for card in cards]

    @routes.get("/cards")
    def cards(
        who: Annotated[Guide, Depends(guide)], since: Annotated[int | None, Query(ge=0)] = None
    ) -> dict[str, Any]:
        """The open cards; with ``since`` what changed after that revision, closed cards too."""
        if since is None:
            revision = shop.desk.revision
            return {"cards": told(shop.desk.cards(shop.now()), who), "revision": revision}
        changed, revision = shop.desk.since(since)
        return {"cards": told(changed, who), "revision": revision}

    @routes.get("/stream")
    async def stream(
        request: Request,
        who: Annotated[Guide, Depends(guide)],
        last_event_id: Annotated[str | None, Header()] = None,
    ) -> StreamingResponse:
        """Server-sent events: the desk's revision, whenever it has changed. The tablet asks for what it lacks."""

        async def lines() -> AsyncIterator[str]:
            async for cursor in changes.watch():
                # A guide who has left sees nothing more, also on a stream that was open.
                if await request.is_disconnected() or shop.guides.who(_token(request), shop.now()) is None:
                    return
                yield f"id: {cursor}\nevent: changed\ndata: {cursor}\n\n" if cursor is not None else ": still here\n\n"

        return StreamingResponse(lines(), media_type="text/event-stream")

    @routes.post("/taps")
    def taps(
        given: Annotated[list[TapIn], Field(max_length=LONGEST_QUEUE)], who: Annotated[Guide, Depends(guide)]
    ) -> dict[str, Any]:
        """Taps in the order they were made; one that was sent before is answered as before."""
        answers = []
        for tap in given:
            # A tablet's clock may be anything: no later than now, no earlier than a working day ago.
            moment = min(max(tap.time, shop.now() - 86400), shop.now())
            answer = shop.desk.tap(Tap(tap.id, tap.card, tap.action, who.id, moment, tap.member), SENSOR)
            answers.append(
                {"id": str(tap.id), "reply": answer.reply, "guide": answer.card.guide if answer.card else None}
            )
        return {"answers": answers, "revision": shop.desk.revision}

    @routes.post("/codes")
    def code(given: Code, who: Annotated[Guide, Depends(guide)]) -> dict[str, str]:
        """A member's code that was scanned: the same event and the same card as a face."""
        member = codes.read(given.text, shop.code_keys, shop.today)
        now = shop.now()
        if (erased := shop.register.tombstone(member)) is not None and erased <= now:
            raise MemberError(
                "erased", "this member asked to be forgotten", "ask whether they would like to join again"
            )
        arrival = Arrival(candidates=(member,), method="qr", confidence=1.0, expires=utc(now + CARD_S))
        shop.events.put([Event.new(SENSOR, now, arrival)])
        return {"member": member}

    return routes


def _token(request: Request) -> str:
    return request.cookies.get(SECURE_COOKIE) or request.cookies.get(COOKIE, "")


def _consent(shop: Shop, guide: Who) -> APIRouter:
    routes = APIRouter()

    @routes.get("/consent/texts")
    def texts(language: Language = "zh") -> dict[str, Any]:
        """The words of every purpose, to be shown before anything is asked."""
        shown = [text(purpose, language) for purpose in PURPOSES]
        return {
            "texts": [
                {"purpose": each.purpose, "version": each.version, "digest": each.digest, "words": each.words}
                for each in shown
            ]
        }

    @routes.post("/consent")
    def record(
        given: Annotated[list[ConsentIn], Field(min_length=1, max_length=8)], who: Annotated[Guide, Depends(guide)]
    ) -> dict[str, Any]:
        """Record answers, one purpose at a time, before anything is captured."""
        now = shop.now()
        consents = []
        for answer in given:
            shown = text(answer.purpose, answer.language)
            if answer.digest != shown.digest:
                raise MemberError(
                    "new_text", "the text has changed since it was shown", "show the new text and ask again"
                )
            consents.append(
                Consent(
                    **answer.model_dump(exclude={"digest"}),
                    time=now,
                    version=shown.version,
                    digest=shown.digest,
                    taken_by=who.id,
                )
            )
        shop.register.record(consents)
        return {"recorded": len(consents)}

    @routes.get("/members/{member}/data")
    def data(member: Member, who: Annotated[Guide, Depends(guide)]) -> dict[str, Any]:
        """What this store knows of a member and who looked: for showing it to the member."""
        now = shop.now()
        shop.register.look(member, who.id, "viewed", now)
        with suppress(MemberError):
            known = shop.register.card(member, now)
        return {
            "consents": [
                {
                    "purpose": each.purpose,
                    "act": each.act,
                    "time": each.moment,
                    "version": each.version,
                    "stores": each.stores,
                }
                for each in shop.register.consents(member)
            ],
            "inForce": [purpose for purpose in PURPOSES if shop.register.allows(member, purpose, now)],
            "card": None if known is None else known.model_dump(mode="json"),
            "looks": [
                {"time": utc(entry.time).isoformat(), **entry.body} for entry in shop.register.looks(member)[-200:]
            ],
        }

    return routes
