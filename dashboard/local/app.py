"""What every page of the box has: loopback only, a token in its address, strict headers, its own files.

A page is an HTML file of ``static/`` and a router of its own::

    token = new_token()
    app = create_local_app("calibration.html", routes, token)
    serve_local(app, token, port=8081, tell=print)

Everything lies beneath ``/TOKEN/``, so that the page names its files and its API by relative addresses (``static/…``,
``api/…``) and every request carries the token by itself. Whoever lacks it gets 403 and learns nothing.
"""

import hmac
import secrets
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import urlsplit

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, PlainTextResponse
from fastapi.staticfiles import StaticFiles

from dashboard.app import HEADERS
from models.errors import ModelError
from sensors.errors import SensorError
from sync.errors import SyncError

STATIC = Path(__file__).parent / "static"
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
LARGEST_BODY = 1 << 20
"""Bytes of a request; what a page of the box sends is drawings and taps."""
_HEADERS = HEADERS | {"Cache-Control": "no-store", "Cross-Origin-Resource-Policy": "same-origin"}


def new_token() -> str:
    """192 random bits for one run of a page, as text that an address may hold."""
    return secrets.token_urlsafe(24)


def create_local_app(index: str, routes: APIRouter, token: str) -> FastAPI:
    """The application of one page: ``index`` is its HTML file in ``static/``, ``routes`` its API (below ``/api``).

    A ``SensorError``, ``ModelError`` or ``SyncError`` of a route is answered with 409 and ``{"error", "fix", "kind"}``;
    ``kind`` is the name of its type.
    """
    app = FastAPI(title="Yingke", docs_url=None, redoc_url=None, openapi_url=None)
    page = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    async def explained(_: Request, error: Exception) -> Response:
        kind = type(error).__name__
        return JSONResponse({"error": str(error), "fix": getattr(error, "fix", ""), "kind": kind}, 409)

    @page.exception_handler(RequestValidationError)
    async def malformed(_: Request, error: RequestValidationError) -> Response:
        # What was sent is not sent back: it may hold what JSON cannot say.
        said = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        return JSONResponse({"error": said, "fix": "reload the page"}, 422)

    for kind in (SensorError, ModelError, SyncError):
        page.add_exception_handler(kind, explained)

    @app.middleware("http")
    async def secure(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        refused = _refusal(request, token)
        response = await call_next(request) if refused is None else PlainTextResponse(refused[1], refused[0])
        for name, value in _HEADERS.items():
            response.headers[name] = value
        return response

    @page.get("/", include_in_schema=False)
    def document() -> FileResponse:
        return FileResponse(STATIC / index)

    page.include_router(routes, prefix="/api")
    page.mount("/static", StaticFiles(directory=STATIC), name="static")
    app.mount(f"/{token}", page)
    return app


def _refusal(request: Request, token: str) -> tuple[int, str] | None:
    """Status and reason why a request is not served.

    The name in ``Host`` is checked against DNS rebinding (another site's name that leads to this machine), ``Origin``
    against other pages in the same browser. The port is not: an SSH tunnel has another one.
    """
    host = request.headers.get("host", "")
    try:
        name = urlsplit(f"//{host}").hostname
    except ValueError:
        name = None
    if name not in LOOPBACK:
        return 403, "this page is served to this machine only: open the address that the command printed"
    origin = request.headers.get("origin")
    if origin is not None and origin != f"http://{host}":
        return 403, "another page may not use this one"
    given = request.url.path.split("/", 2)[1]
    if not hmac.compare_digest(given.encode(), token.encode()):
        return 403, "wrong or missing token: open the whole address that the command printed"
    length = request.headers.get("content-length", "0")
    if "transfer-encoding" in request.headers or not length.isdecimal() or int(length) > LARGEST_BODY:
        return 413, f"more than {LARGEST_BODY} bytes, or of unknown length"
    return None


def serve_local(app: FastAPI, token: str, port: int, tell: Callable[[str], None]) -> None:
    """Serve on 127.0.0.1 until SIGTERM or Ctrl-C; ``tell`` gets the address, once it can be opened.

    ``port`` 0 is any free one. Raises ``SyncError`` when the port cannot be had.
    """
    from dashboard.server import PageServer, listen
    from sync.stopping import stop_on_signals

    with stop_on_signals(threading.Event()), listen("127.0.0.1", port, "--port") as listener:
        # From here on a browser that is quicker than the server waits instead of being refused.
        listener.listen()
        tell(f"http://127.0.0.1:{listener.getsockname()[1]}/{token}/")
        PageServer(app).run(sockets=[listener])
