"""Pictures for enrolment, taken at the tablet's request: judged one by one, and gone when the step is over."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict

from dashboard.tablet.app import Shop
from models.alignment import Floats
from models.config import ModelsConfig
from models.encoders import FaceEncoder, model_of, open_encoder
from models.enrolment import Collector, Duplicates
from models.faces import FaceDetector
from sensors.camera_config import CameraConfig
from sensors.snapshots import stills
from sync.events import Member
from sync.members.enrolment import keep, must_agree
from sync.members.errors import MemberError
from sync.signing import SigningKey


class Studio:
    """One camera and one member at a time. What it tells is numbers and reason codes, never a picture."""

    def __init__(self, camera: CameraConfig, seconds: float, models: ModelsConfig) -> None:
        self._camera = camera
        self._seconds = seconds
        self._models = models
        self._busy = threading.Lock()
        self._collector: Collector | None = None

    def progress(self) -> dict[str, Any]:
        """How far it is: pictures looked at, good ones, and what was wrong with the others."""
        collector = self._collector
        if collector is None:
            return {"running": False, "looked": 0, "good": 0, "problems": {}}
        return {
            "running": True,
            "looked": collector.looked,
            "good": collector.good,
            "problems": dict(collector.problems),
        }

    @contextmanager
    def taking(self) -> Iterator[tuple[FaceEncoder, Floats, dict[str, Any]]]:
        """Take pictures until there are enough: the encoder, the template, and the last ``progress``.

        Raises ``MemberError`` (``busy``, ``pictures``), and what the camera and the models raise.
        """
        if not self._busy.acquire(blocking=False):
            raise MemberError("busy", "somebody else is being enrolled just now", "wait a moment")
        try:
            encoder = open_encoder(self._models)
            collector = self._collector = Collector(FaceDetector(directory=self._models.directory), encoder)
            try:
                for image in stills(self._camera, self._seconds):
                    collector.look(image)
                    image[:] = 0
                    if collector.enough:
                        break
                template = collector.template()
                told = self.progress()
            finally:
                collector.forget()
            if template is None:
                raise MemberError(
                    "pictures",
                    f"{told['good']} of {told['looked']} pictures can be used, 3 are needed",
                    "one face, near, from the front, in even light, sharp; then again",
                )
            yield encoder, template, told
        finally:
            self._collector = None
            self._busy.release()


class _EnrolIn(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    member: Member
    same_person_known: bool = False


def enrolment_routes(shop: Shop, studio: Studio, stores: Mapping[str, str], key: SigningKey) -> APIRouter:
    """``stores``: sealing keys of other stores' boxes; ``key`` signs what goes there."""
    routes = APIRouter()

    @routes.get("/enrol")
    def progress() -> dict[str, Any]:
        """How far the pictures are."""
        return studio.progress()

    @routes.post("/enrol")
    def enrol(given: _EnrolIn, request: Request) -> dict[str, Any]:
        """Take pictures and enrol; refused before the camera is opened where the member has not agreed."""
        must_agree(shop.register, given.member, shop.now())
        with studio.taking() as (encoder, template, told):
            done = keep(
                shop.register,
                given.member,
                model_of(encoder),
                template,
                shop.now(),
                request.state.guide.id,
                Duplicates(encoder),
                same_person_known=given.same_person_known,
                stores=stores,
                key=key,
            )
        return {
            **told,
            "running": False,
            "enrolled": True,
            "encoder": encoder.name,
            "parcels": done.parcels,
            "storesWithoutKey": done.without_key,
            "warning": done.warning,
        }

    return routes
