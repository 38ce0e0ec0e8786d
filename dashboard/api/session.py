"""Log in, log out, and who one is."""

from typing import Any

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from dashboard.api.bodies import LoginIn
from dashboard.api.gate import Gate, Who, cookie_name
from dashboard.api.office import Office
from sync.accounts import users
from sync.accounts.login import login


def add(gate: Gate, office: Office) -> None:
    """The routes."""

    @gate.post("/api/v1/login", "public", status_code=204, responses={401: {}, 429: {}})
    def log_in(request: Request, body: LoginIn) -> Response:
        """Opens a session in a cookie that scripts cannot read; wrong tries cost time, per account and address."""
        address = request.client.host if request.client else ""
        token = login(office.engine, office.passwords, body.account, body.password, address, office.now())
        response = Response(status_code=204)
        response.set_cookie(
            cookie_name(office),
            token,
            max_age=int(users.SESSION_S),
            path="/",
            secure=office.secure,
            httponly=True,
            samesite="strict",
        )
        return response

    @gate.post("/api/v1/logout", "login", status_code=204)
    def log_out(request: Request) -> Response:
        """Ends this session; a key stays."""
        with office.writing() as connection:
            users.end_session(connection, request.cookies.get(cookie_name(office), ""))
        response = Response(status_code=204)
        response.delete_cookie(cookie_name(office), path="/", secure=office.secure, httponly=True, samesite="strict")
        return response

    @gate.get("/api/v1/me", "login")
    def me(who: Who) -> JSONResponse:
        """Who asks, and what they may."""
        stores = None if who.stores is None else sorted(who.stores)
        said: dict[str, Any] = {"actor": who.actor, "role": who.role, "may": sorted(who.may), "stores": stores}
        return JSONResponse(said)
