"""The web application of the centre: one page, its API, and a stream that says when something changed."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol

from fastapi import FastAPI, HTTPException, Query, Request, Response
from fastapi.responses import FileResponse, JSONResponse, StreamingResponse
from fastapi.staticfiles import StaticFiles

from dashboard.api import customers, guides, sales, session
from dashboard.api.answers import LARGEST_BODY, handle_errors
from dashboard.api.gate import Gate, Who, refuse_undeclared
from dashboard.api.office import Office
from dashboard.audits import audit_view
from dashboard.changes import Changes
from dashboard.day import Minute, bounds, day_view, local_date
from dashboard.documents import event_document, state_document, window_document
from dashboard.epcis import EpcisConfig
from dashboard.epcis_routes import ItemReader, epcis_routes
from dashboard.verdicts import DAYS, Verdicts, verdict_view
from sync.clock import Now
from sync.errors import SyncError
from sync.events import FootfallMinute, Health
from sync.settings import StoreConfig

log = logging.getLogger("yingke.centre")

STATIC = Path(__file__).parent / "static"
EVENTS_SHOWN = 50
EXPECTED_S = 7 * 86400.0
"""A line that reported within a week is expected to report: a camera that died yesterday is a gap today."""
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-cache",
}


class Reader(ItemReader, Protocol):
    """What the pages read of the central store (``sync.store.CentralStore``); times are epoch seconds."""

    def footfall_minutes(
        self, store: str, start: float, end: float, kind: Literal["line", "zone"]
    ) -> Sequence[Minute]: ...

    def places(self, store: str, start: float, end: float, kind: Literal["line", "zone"]) -> Sequence[str]: ...

    def latest_events(self, store: str, limit: int, without: Sequence[str] = ()) -> Sequence[dict[str, Any]]: ...

    def sensor_states(self, store: str) -> Sequence[dict[str, Any]]: ...

    def audits(self, store: str) -> Sequence[dict[str, Any]]: ...

    def face_verdicts(self, store: str, start: float, end: float) -> Verdicts: ...

    def tryon_count(self, store: str, start: float, end: float) -> int: ...

    def latest_devices(self, store: str, start: float, end: float) -> dict[str, Any] | None: ...


def create_app(
    reader: Reader,
    stores: Sequence[StoreConfig],
    now: Now,
    notes: Mapping[Any, str],
    simulated: bool,
    audit_max_age_days: float = 90.0,
    epcis: EpcisConfig | None = None,
    office: Office | None = None,
) -> FastAPI:
    """The application over one reader; ``stores`` are the stores it may show, the first is the default.

    With an ``office`` the CRM's API is there, and everything asks for a login once there is an account.
    """
    app = FastAPI(title="Yingke", docs_url=None, redoc_url=None, openapi_url="/api/v1/openapi.json")
    gate = Gate(app, office)
    known = {store.id: store for store in stores}
    changes = app.state.changes = Changes(reader.last_cursor)

    @app.exception_handler(SyncError)
    async def unavailable(request: Request, error: Exception) -> Response:
        # The database is locked, full or away. What exactly is for the log, not for the page.
        log.warning("%s: %s", request.url.path, error)
        return JSONResponse({"detail": "the database does not answer now"}, 503, {"Retry-After": "2"})

    def chosen(who: Who, store: str) -> StoreConfig:
        if store not in known or not who.of_store(store):
            raise HTTPException(404, "no such store")
        return known[store]

    @app.middleware("http")
    async def secure(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        length = request.headers.get("content-length", "0")
        if "transfer-encoding" in request.headers or not length.isdecimal() or int(length) > LARGEST_BODY:
            return JSONResponse({"detail": "a request has a length, and a megabyte at most"}, 413)
        response = await call_next(request)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    @gate.get("/api/v1/stores", "figures:read")
    def list_stores(who: Who) -> dict[str, Any]:
        return {
            "stores": [
                {"id": s.id, "name": s.name or s.id, "timezone": s.timezone} for s in stores if who.of_store(s.id)
            ],
            "notes": dict(notes),
            "simulated": simulated,
        }

    @gate.get("/api/v1/stores/{store}/day", "figures:read")
    def day(who: Who, store: str, day: Annotated[date | None, Query(alias="date")] = None) -> dict[str, Any]:
        """Visits by hour with coverage, and the day's other figures."""
        place, moment = chosen(who, store), now()
        if day is not None and not 1970 <= day.year <= 2200:
            raise HTTPException(422, "date is outside 1970 to 2200")
        wanted = day or local_date(place, moment)
        start, end = bounds(place, wanted)
        # Somebody who walks into a zone has crossed a line before: zones count neither visits nor the lines' coverage.
        expected = reader.places(store, start - EXPECTED_S, end, "line")
        states = reader.sensor_states(store)
        view = day_view(reader.footfall_minutes(store, start, end, "line"), expected, place, wanted, moment)
        return view | {
            "tryons": reader.tryon_count(store, start, end),
            "devices": window_document(reader.latest_devices(store, start, min(end, moment + 1))),
            "sensors": [state_document(row) for row in states],
            "audits": audit_view(store, reader.audits(store), states, moment, audit_max_age_days),
        }

    @gate.get("/api/v1/stores/{store}/audits", "figures:read")
    def audits(who: Who, store: str) -> dict[str, Any]:
        """The last audit of each line, and whether it still holds: good, old, changed, never or forged."""
        name = chosen(who, store).id
        rows, states = reader.audits(name), reader.sensor_states(name)
        return {"audits": audit_view(name, rows, states, now(), audit_max_age_days)}

    @gate.get("/api/v1/stores/{store}/recognition", "figures:read")
    def recognition(who: Who, store: str) -> dict[str, Any]:
        """Members suggested by their face in the last thirty days, and how often clerks said that it was another."""
        moment = now()
        return verdict_view(reader.face_verdicts(chosen(who, store).id, moment - DAYS * 86400.0, moment + 60))

    @gate.get("/api/v1/stores/{store}/events", "figures:read")
    def events(
        who: Who,
        store: str,
        limit: Annotated[int, Query(ge=1, le=500)] = EVENTS_SHOWN,
        kind: Literal["all", "happening"] = "all",
    ) -> dict[str, Any]:
        """The last events, newest first; ``happening`` leaves out the every-minute ones: totals and heartbeats."""
        without = () if kind == "all" else (FootfallMinute.TYPE, Health.TYPE)
        return {"events": [event_document(row) for row in reader.latest_events(chosen(who, store).id, limit, without)]}

    epcis_routes(gate, reader, chosen, now, epcis or EpcisConfig())

    @gate.get("/api/v1/changes", "figures:read")
    async def stream(request: Request) -> StreamingResponse:
        """Server-sent events: one ``changed`` whenever events came in; a slow client gets one for many."""

        async def lines() -> AsyncIterator[str]:
            async for cursor in changes.watch():
                if await request.is_disconnected():
                    return
                yield f"event: changed\ndata: {cursor}\n\n" if cursor is not None else ": still here\n\n"

        return StreamingResponse(lines(), media_type="text/event-stream")

    @gate.get("/healthz", "public")
    def healthz() -> dict[str, Any]:
        return {"ok": True, "cursor": reader.last_cursor()}

    @gate.get("/", "public", include_in_schema=False)
    def page() -> FileResponse:
        return FileResponse(STATIC / "index.html")

    @gate.get("/login", "public", include_in_schema=False)
    def login_page() -> FileResponse:
        return FileResponse(STATIC / "login.html")

    if office is not None:
        handle_errors(app)
        for part in (session, customers, sales, guides):
            part.add(gate, office)

    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    refuse_undeclared(app)
    return app
