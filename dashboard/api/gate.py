"""Who calls, and whether they may: every route declares what it needs, and an application with one that does not
refuses to start.
"""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal, TypeVar

from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.routing import APIRoute
from fastapi.staticfiles import StaticFiles
from starlette.routing import Mount, Route

from dashboard.api.office import Office
from sync.accounts import keys, users
from sync.accounts.roles import Caller, Permission
from sync.errors import SyncError

Needs = Permission | Literal["public", "login", "signature"]
"""``public``: nothing of anybody; ``login``: whoever is known; ``signature``: the route itself checks one."""
DECLARED = "x-permission"
COOKIE, SECURE_COOKIE = "yingke-office", "__Host-yingke-office"
_LOCAL = Caller("local", "operator", frozenset(("figures:read",)))
"""While there is no account: the figures, on this machine, as before there were accounts."""
F = TypeVar("F", bound=Callable[..., Any])


class Gate:
    """Adds routes to one application. Without an office there are no accounts, and the figures are all there is."""

    def __init__(self, app: FastAPI, office: Office | None = None) -> None:
        self.app, self.office = app, office

    def get(self, path: str, needs: Needs, **more: Any) -> Callable[[F], F]:
        return self._route("GET", path, needs, more)

    def post(self, path: str, needs: Needs, **more: Any) -> Callable[[F], F]:
        return self._route("POST", path, needs, more)

    def put(self, path: str, needs: Needs, **more: Any) -> Callable[[F], F]:
        return self._route("PUT", path, needs, more)

    def patch(self, path: str, needs: Needs, **more: Any) -> Callable[[F], F]:
        return self._route("PATCH", path, needs, more)

    def _route(self, method: str, path: str, needs: Needs, more: dict[str, Any]) -> Callable[[F], F]:
        def add(function: F) -> F:
            self.app.add_api_route(
                path,
                function,
                methods=[method],
                dependencies=[Depends(self._check(needs))],
                openapi_extra={DECLARED: needs},
                **more,
            )
            return function

        return add

    def _check(self, needs: Needs) -> Callable[[Request], None]:
        def check(request: Request) -> None:
            if needs in ("public", "signature"):
                return
            caller = self.caller(request)
            if caller is None:
                raise HTTPException(401, "log in first", {"WWW-Authenticate": "Bearer"})
            if needs != "login" and needs not in caller.may:
                raise HTTPException(403, f"this needs {needs}")
            request.state.caller = caller

        return check

    def caller(self, request: Request) -> Caller | None:
        """By API key or session, as both are at this moment; None for nobody."""
        office = self.office
        if office is None:
            return _LOCAL
        kind, _, text = request.headers.get("authorization", "").partition(" ")
        with office.reading() as connection:
            if kind.lower() == "bearer":
                return keys.caller(connection, text.strip())
            token = request.cookies.get(cookie_name(office))
            if token is not None:
                found = users.caller(connection, token, office.now())
                if found is not None:
                    _same_site(request)
                    return found
            return None if users.any_user(connection) or office.secure else _LOCAL


def cookie_name(office: Office) -> str:
    """Of the session."""
    return SECURE_COOKIE if office.secure else COOKIE


def caller_of(request: Request) -> Caller:
    """Dependency: who calls, after the gate has let them through."""
    found: Caller = request.state.caller
    return found


Who = Annotated[Caller, Depends(caller_of)]


def undeclared(app: FastAPI) -> list[str]:
    """Every route that does not say what it needs."""
    return [f"{getattr(route, 'path', route)}" for route in _unknown(app.routes)]


def declared(app: FastAPI) -> list[tuple[str, str, str]]:
    """Method, path and what it needs, of every route of the API."""
    return [
        (method, route.path, (route.openapi_extra or {})[DECLARED])
        for route in app.routes
        if isinstance(route, APIRoute)
        for method in sorted(route.methods or ())
    ]


def refuse_undeclared(app: FastAPI) -> None:
    """Raises ``SyncError`` when a route has no declared permission: deny by default."""
    if found := undeclared(app):
        raise SyncError(f"the route {found[0]} does not say who may use it", "add it through Gate, with needs=")


def _unknown(routes: Sequence[Any]) -> list[Any]:
    found = []
    for route in routes:
        if isinstance(route, APIRoute):
            good = DECLARED in (route.openapi_extra or {})
        elif isinstance(route, Mount):
            good = isinstance(route.app, StaticFiles)
        else:
            # The description of the API is public: it says what there is, and nothing of anybody.
            good = isinstance(route, Route) and route.path == "/api/v1/openapi.json"
        if not good:
            found.append(route)
    return found


def _same_site(request: Request) -> None:
    """A page of somebody else must not write with a session of ours (beside SameSite=Strict)."""
    if request.method not in ("GET", "HEAD") and request.headers.get("sec-fetch-site", "none") not in (
        "none",
        "same-origin",
    ):
        raise HTTPException(403, "another site may not do this")
