"""Enrolment at the tablet, and the hook of the store's Wi-Fi login."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import cv2
import httpx
import numpy as np
import pytest
from fastapi import FastAPI

from dashboard.tablet.app import create_tablet_app
from dashboard.tablet.config import TabletFile, WifiLoginConfig
from dashboard.tablet.enrolment import Studio, enrolment_routes
from dashboard.tablet.hooks import FRESH_S, signature, wifi_login_routes
from models.config import ModelsConfig
from sensors.camera_config import CameraConfig
from sync.events import Arrival, decode
from sync.order_taker import box_key
from tests.dashboard.tablet_serving import LI, PIN, Box, a_box, agreed, serving
from tests.shared_data import shared

SECRET = "between the portal and the box"


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    with a_box(tmp_path / "box") as made:
        yield made


def film(target: Path, person: str, seconds: float = 8.0) -> Path:
    """Somebody before a camera: pictures of one person, one after the other, at 5 a second."""
    files = sorted(shared(f"data/faces/lfw_subset/enrolled/{person}").glob("*.jpg"))[:5]
    writer = cv2.VideoWriter(str(target), cv2.VideoWriter.fourcc(*"mp4v"), 5, (640, 640))
    for index in range(round(seconds * 5)):
        picture = np.asarray(cv2.imread(str(files[index // 5 % len(files)])), np.uint8)
        writer.write(cv2.resize(picture, (640, 640), interpolation=cv2.INTER_CUBIC))
    writer.release()
    return target


def enrolling(box: Box, video: Path) -> FastAPI:
    """The tablet's application with a film for a camera."""
    studio = Studio(CameraConfig(url=str(video), speed=1.5), 30, ModelsConfig())
    shop = replace(box.shop(), encoder="dlib-resnet-v1", enrolment=True)
    return create_tablet_app(shop, enrolment_routes(shop, studio, {}, box_key(box.folder)))


@contextmanager
def clerk(box: Box, video: Path) -> Iterator[httpx.Client]:
    with (
        serving(enrolling(box, video)) as address,
        httpx.Client(base_url=address, headers={"Origin": address}, timeout=60) as client,
    ):
        assert client.post("/api/login", json={"guide": LI.id, "pin": PIN}).status_code == 200
        yield client


def test_a_member_who_agreed_is_enrolled_from_the_camera_and_the_guide_is_noted(box: Box, tmp_path: Path) -> None:
    box.register.record([agreed("M-0417", "recognition", box.now() - 5)])
    with clerk(box, film(tmp_path / "film.mp4", "Al_Sharpton")) as client:
        answer = client.post("/api/enrol", json={"member": "M-0417"})
        assert answer.status_code == 200, answer.text
        told = answer.json()
        assert told["enrolled"]
        assert told["good"] >= 3
        assert client.get("/api/enrol").json() == {"running": False, "looked": 0, "good": 0, "problems": {}}
    assert box.register.enrolled() == 1
    assert box.register.looks("M-0417")[-1].body["who"] == LI.id


def test_rule_2_the_camera_is_not_opened_before_the_member_agreed(box: Box, tmp_path: Path) -> None:
    with clerk(box, tmp_path / "none.mp4") as client:
        answer = client.post("/api/enrol", json={"member": "M-0417"})
    assert (answer.status_code, answer.json()["code"]) == (409, "no_consent")


def test_a_camera_that_does_not_answer_is_said_in_a_line(box: Box, tmp_path: Path) -> None:
    box.register.record([agreed("M-0417", "recognition", box.now() - 5)])
    with clerk(box, tmp_path / "none.mp4") as client:
        answer = client.post("/api/enrol", json={"member": "M-0417"})
        assert answer.status_code == 503
        assert "no such file" in answer.json()["error"]
        assert client.get("/api/enrol").json()["running"] is False


def test_the_same_face_again_is_asked_about(box: Box, tmp_path: Path) -> None:
    box.register.record([agreed(member, "recognition", box.now() - 5) for member in ("M-0417", "M-0500")])
    with clerk(box, film(tmp_path / "film.mp4", "Al_Sharpton")) as client:
        assert client.post("/api/enrol", json={"member": "M-0417"}).status_code == 200
        answer = client.post("/api/enrol", json={"member": "M-0500"})
        assert (answer.status_code, answer.json()["code"]) == (409, "known")
        assert client.post("/api/enrol", json={"member": "M-0500", "same_person_known": True}).status_code == 200


def test_enrolment_names_a_camera_that_is_there() -> None:
    with pytest.raises(ValueError, match="there is no camera dor"):
        TabletFile.model_validate({"store": {"id": "s1"}, "tablet": {"enrolment": {"camera": "dor"}}})


@pytest.fixture
def portal(box: Box, tmp_path: Path) -> Iterator[httpx.Client]:
    file = tmp_path / "portal.secret"
    file.write_text(SECRET + "\n")
    file.chmod(0o600)
    shop = box.shop()
    hooks = [wifi_login_routes(shop, WifiLoginConfig(secret_file=file))]
    with serving(create_tablet_app(shop, hooks=hooks)) as address, httpx.Client(base_url=address) as client:
        yield client


def login(portal: httpx.Client, member: str = "M-0417", at: float | None = None, secret: str = SECRET) -> int:
    body = json.dumps({"member": member, "time": time.time() if at is None else at}).encode()
    headers = {"Content-Type": "application/json", "X-Yingke-Signature": signature(secret, body)}
    return portal.post("/hooks/wifi-login", content=body, headers=headers).status_code


def arrivals(box: Box) -> list[tuple[str, tuple[str, ...]]]:
    events = [decode(row.payload).data for row in box.outbox.alerts(0, 100)]
    return [(each.method, each.candidates) for each in events if isinstance(each, Arrival)]


def test_rule_10_a_login_of_a_member_who_said_yes_is_an_arrival(box: Box, portal: httpx.Client) -> None:
    box.register.record([agreed("M-0417", "wifi_login", box.now() - 5)])
    assert login(portal) == 200
    assert arrivals(box) == [("wifi_login", ("M-0417",))]


def test_rule_12_a_login_that_is_an_arrival_is_a_look_and_one_that_is_refused_is_none(
    box: Box, portal: httpx.Client
) -> None:
    assert login(portal) == 409
    assert box.register.looks("M-0417") == []
    box.register.record([agreed("M-0417", "wifi_login", box.now() - 5)])
    assert login(portal) == 200
    assert [entry.body for entry in box.register.looks("M-0417")] == [{"who": "box", "what": "matched"}]


def test_rule_10_without_a_yes_to_it_a_login_is_nothing(box: Box, portal: httpx.Client) -> None:
    box.register.record([agreed("M-0417", "profile", box.now() - 5)])
    assert login(portal) == 409
    assert arrivals(box) == []


def test_a_login_that_nobody_signed_or_that_comes_again_or_late_is_refused(box: Box, portal: httpx.Client) -> None:
    box.register.record([agreed("M-0417", "wifi_login", box.now() - 5)])
    now = time.time()
    assert login(portal, secret="guessed") == 401
    assert login(portal, at=now - FRESH_S - 5) == 409
    assert login(portal, at=now + FRESH_S + 5) == 409
    assert login(portal, at=now) == 200
    assert login(portal, at=now) == 409
    body = json.dumps({"member": "M-0417", "time": now, "mac": "02:00:00:00:00:01"}).encode()
    headers = {"Content-Type": "application/json", "X-Yingke-Signature": signature(SECRET, body)}
    assert portal.post("/hooks/wifi-login", content=body, headers=headers).status_code == 422
    assert len(arrivals(box)) == 1
