"""The page of ``yingke audit``: the recording plays, a person taps, and sees the counts only when they are done."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, Protocol

from fastapi import APIRouter, HTTPException, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from sync.events import Name

PAGE = "audit.html"


class Still(Protocol):
    """One picture of the recording: JPEG bytes, and its time in seconds of media (``sensors.stills.Still``)."""

    @property
    def jpeg(self) -> bytes: ...
    @property
    def time(self) -> float: ...


class Desk(Protocol):
    """The audit that the page shows (``edge.audit.session.Session``). Refusals are typed errors with a fix.

    ``describe`` is the recording and its lines, without any count. ``result`` is the phase (``tapping``, ``counting``,
    ``result``, ``reviewed``, ``failed``), and what belongs to it. Any thread may call.
    """

    def describe(self) -> dict[str, Any]: ...

    def picture(self, time: float, /) -> Still | None: ...

    def finish(self, by: str, taps: Sequence[tuple[float, str, str]], /) -> None: ...

    def result(self) -> dict[str, Any]: ...

    def review(self, answers: Sequence[Literal["machine", "me"] | None], /) -> None: ...


class Tap(BaseModel):
    """Somebody crossed ``line`` in the picture of ``time`` (seconds of media)."""

    model_config = ConfigDict(extra="forbid")
    time: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    line: Name
    direction: Literal["in", "out"]


class Done(BaseModel):
    """All taps, and who made them."""

    model_config = ConfigDict(extra="forbid")
    by: Name
    taps: list[Tap]


class Review(BaseModel):
    """Who was wrong, for each disagreement in the order of the result; null where the person left it open."""

    model_config = ConfigDict(extra="forbid")
    answers: list[Literal["machine", "me"] | None]


def audit_routes(desk: Desk) -> APIRouter:
    """The API of the page over one audit."""
    routes = APIRouter()

    @routes.get("/audit")
    def describe() -> dict[str, Any]:
        return desk.describe()

    @routes.get("/picture")
    def picture(at: Annotated[float, Query(ge=0, allow_inf_nan=False)]) -> Response:
        still = desk.picture(at)
        if still is None:
            raise HTTPException(404, "this moment of the recording cannot be shown")
        return Response(still.jpeg, media_type="image/jpeg", headers={"X-Media-Time": f"{still.time:.4f}"})

    @routes.get("/result")
    def result() -> dict[str, Any]:
        return desk.result()

    @routes.post("/done")
    def done(body: Done) -> dict[str, Any]:
        desk.finish(body.by, [(tap.time, tap.line, tap.direction) for tap in body.taps])
        return desk.result()

    @routes.post("/review")
    def review(body: Review) -> dict[str, Any]:
        desk.review(body.answers)
        return desk.result()

    return routes
