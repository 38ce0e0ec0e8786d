"""What the tablet's server answers when it refuses: a code that the page has words for in each of its languages."""

from typing import Literal, get_args

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from models.errors import ModelError
from sensors.errors import SensorError
from sync.errors import SyncError
from sync.members.errors import MemberError, Refusal

Served = Literal[
    "camera", "camera_login", "model", "failed", "log_in", "other_page", "not_json", "too_large", "invalid"
]
"""What is refused here, beside what is refused about members."""
CODES: frozenset[str] = frozenset((*get_args(Refusal), *get_args(Served)))
_STATUS: dict[int, Served] = {401: "log_in", 403: "other_page", 413: "too_large", 415: "not_json", 422: "invalid"}


def code_of(error: Exception) -> Refusal | Served:
    """The code of an error that was raised while a request was served."""
    if isinstance(error, MemberError):
        return error.code
    if isinstance(error, SensorError):
        return "camera_login" if error.reason == "login_refused" else "camera"
    return "model" if isinstance(error, ModelError) else "failed"


def refusal(status: int, message: str) -> JSONResponse:
    """A request that is refused for what it is, before anything was tried."""
    return JSONResponse({"code": _STATUS.get(status, "failed"), "error": message, "fix": "", "detail": message}, status)


def explain(app: FastAPI) -> None:
    """Every refusal of ``app`` carries ``code``, ``error`` and ``fix``; the last two are in English."""
    for known in (SyncError, SensorError, ModelError):
        app.add_exception_handler(known, _explained)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)


async def _explained(_: Request, error: Exception) -> Response:
    code = code_of(error)
    status = 503 if code in ("file", "failed", "camera", "camera_login", "model") else 409
    return JSONResponse({"code": code, "error": str(error), "fix": getattr(error, "fix", "")}, status)


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return refusal(error.status_code, str(error.detail))


async def _invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    # Where and what is wrong, never what was sent: a PIN may be among it.
    return refusal(422, "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()))
