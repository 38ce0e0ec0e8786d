"""Answers: errors by kind, one object with its ETag, and the answer that a repeated request gets again."""

import json
import logging
from hashlib import sha256
from typing import Annotated, Any

from fastapi import FastAPI, Header, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from sync.accounts import answered
from sync.accounts.answered import Answer, OtherRequest
from sync.accounts.errors import AccountError, LoginError
from sync.accounts.roles import Caller
from sync.crm.errors import CrmCode, CrmError
from sync.store.database import Connection

log = logging.getLogger("yingke.api")
STATUS: dict[CrmCode, int] = {
    "unknown": 404,
    "invalid": 422,
    "file": 422,
    "erased": 410,
    "known": 409,
    "conflict": 409,
    "left": 409,
    "window": 409,
    "decided": 409,
    "same": 409,
}
LARGEST_BODY = 1024 * 1024
IdempotencyKey = Annotated[
    str | None,
    Header(alias="Idempotency-Key", pattern=r"^[!-~]{1,64}$", description="the same key and request: done once"),
]
IfNoneMatch = Annotated[str | None, Header(alias="If-None-Match", max_length=400)]


def handle_errors(app: FastAPI) -> None:
    """What is refused is an answer with a sentence and the next step."""

    @app.exception_handler(CrmError)
    async def refused(request: Request, error: CrmError) -> Response:
        return _said(STATUS[error.code], str(error), error.fix, error.code)

    @app.exception_handler(AccountError)
    async def account(request: Request, error: AccountError) -> Response:
        return _said(409 if isinstance(error, OtherRequest) else 422, str(error), error.fix, "invalid")

    @app.exception_handler(LoginError)
    async def login(request: Request, error: LoginError) -> Response:
        answer = _said(429 if error.wait else 401, str(error), error.fix, "login")
        if error.wait:
            answer.headers["Retry-After"] = str(int(error.wait) + 1)
        return answer


def _said(status: int, message: str, fix: str, code: str) -> Response:
    return JSONResponse({"detail": message, "fix": fix, "code": code}, status)


def one(document: dict[str, Any], if_none_match: str | None) -> Response:
    """One object with its ETag; 304 where the client has it already."""
    body = json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
    tag = f'"{sha256(body).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    asked = {each.strip().removeprefix("W/") for each in (if_none_match or "").split(",")}
    if tag in asked or "*" in asked:
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)


def request_bytes(request: Request, body: BaseModel | None) -> bytes:
    """What makes two requests the same."""
    said = "" if body is None else body.model_dump_json()
    return f"{request.method} {request.url.path}\n{said}".encode("utf-8", "surrogatepass")


def before(connection: Connection, caller: Caller, key: str | None, asked: bytes, now: float) -> Response | None:
    """What this request was answered, if it was made before; None without a key or the first time."""
    if key is None:
        return None
    found = answered.find(connection, caller.actor, key, asked, now)
    if found is None:
        return None
    return Response(found.body, found.status, {"Idempotency-Replayed": "true"}, "application/json")


def keep(
    connection: Connection,
    caller: Caller,
    key: str | None,
    asked: bytes,
    now: float,
    document: dict[str, Any],
    status: int = 200,
) -> Response:
    """The answer, remembered for the key. It holds references only, nothing of a person."""
    body = json.dumps(document, ensure_ascii=False)
    if key is not None:
        answered.keep(connection, caller.actor, key, asked, Answer(status, body), now)
    return Response(body, status, media_type="application/json")
