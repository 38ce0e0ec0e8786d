"""Faces of tracks to arrivals: the real register and rule, faces drawn as vectors; and one real clip."""

import gc
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edge.processors.gallery import OpenGallery, model_of
from edge.processors.recognition import FORGET_S, Recogniser
from edge.processors.recognition_config import RecognitionConfig
from models.alignment import Floats, unit
from models.config import ModelsConfig
from models.decoys import Population
from models.detector import Detector
from models.encoders import BUILT_IN, RECOMMENDED, FaceEncoder, open_encoder
from models.faces import FaceDetector, Faces
from models.openvino_ir import installed
from models.rule import MatchRule
from models.tracker import Person, Tracker, Update
from sensors.readings import Frame, Image
from sync.events import Arrival, Event
from sync.members.register import Register
from tests.shared_data import shared
from tests.sync.members.test_register import NOW, agreed

SIZE = 128
RULE = MatchRule(ratio=0.72, cap=0.28, jump=0.4, decoys=100, measured="as DlibEncoder")
ENTRANCE: dict[str, Any] = {
    "mode": "entrance",
    "profile": "other",
    "attestation": {
        "jurisdiction": "Singapore",
        "legal_basis": "consent of members",
        "dpia": "DPIA-2026-03",
        "signage_confirmed": True,
        "signed_by": "Lin Wei, DPO",
        "date": "2026-11-20",
    },
    "cameras": ["door"],
    "site_check": "check.json",
}
CHECK_IN: dict[str, Any] = {
    "mode": "check_in",
    "profile": "eu",
    "spots": [{"camera": "door", "polygon": [[0.5, 0], [1, 0], [1, 1], [0.5, 1]], "seconds": 1.5}],
}


def face(seed: int) -> Floats:
    drawn: Floats = Population.shipped(BUILT_IN).draw(1, 10_000 + seed)[0]
    return drawn


@dataclass
class DrawnFaces:
    """Finds one good face wherever a person is, as ``FaceDetector`` would, and encodes it as whom the test says."""

    who: int = 1
    noise: float = 0.05
    aside: float = 0.0
    """How much of somebody else there is in the face."""
    looks: int = 0
    given: list[Floats] = field(default_factory=list)
    crops: list[Image] = field(default_factory=list)
    """What was searched, and what was encoded."""
    encoded: list[Image] = field(default_factory=list)
    name: str = BUILT_IN
    version: str = "2"
    licence: str = "CC0-1.0"
    size: int = SIZE
    rule: MatchRule = RULE
    landmarks_px: int = 64
    sides: list[int | None] = field(default_factory=list)
    """How large the copies were in which a face was looked for."""

    def detect(self, image: Image, long_side: int | None = None) -> Faces:
        self.looks += 1
        self.sides.append(long_side)
        self.crops.append(image)
        height, width = image.shape[:2]
        middle = np.array([width / 2, height / 2])
        eyes = np.array([(-20, -20), (20, -20), (0, 0), (-15, 22), (15, 22)], np.float32) * 1.1
        box = np.array([[*(middle - 45), *(middle + 50)]], np.float32)
        return Faces(box, np.array([0.9], np.float32), (middle + eyes)[None].astype(np.float32))

    def encode(self, image: Image, landmarks: Floats) -> Floats:
        self.encoded.append(image)
        drawn = np.random.default_rng(len(self.given)).normal(size=SIZE) * self.noise / np.sqrt(SIZE)
        vector = unit((face(self.who) + self.aside * face(55) + drawn).astype(np.float32))[None]
        self.given.append(vector)
        return vector


@pytest.fixture
def register(tmp_path: Path) -> Iterator[Register]:
    with Register(tmp_path, "s1") as opened:
        for number in (1, 2, 3):
            member = f"M-000{number}"
            opened.record([agreed(member)])
            rows = np.stack([unit(face(number) + 0.01 * face(100 + k)) for k in range(3)])
            opened.enrol(member, f"{BUILT_IN}.2", rows.astype(np.float32), NOW, "guide-7")
        yield opened


def picture() -> Image:
    # Something with edges and light, so that the quality gate has something to judge.
    noise = np.random.default_rng(0).integers(0, 255, (90, 160, 3), np.uint8)
    return np.kron(noise, np.ones((8, 8, 1), np.uint8))


def run(
    recogniser: Recogniser, seconds: float, *, fps: float = 10.0, x: float = 0.7, start: float = 0.0, track: int = 1
) -> list[Event]:
    events: list[Event] = []
    image = picture()
    for number in range(round(seconds * fps)):
        media = start + number / fps
        person = Person(track, (x - 0.12, 0.1, x + 0.12, 0.95), 0.9, start, number + 3)
        events += recogniser.picture(Frame(image, NOW + 10 + media, media, number), Update([person], []))
    return events


def made(config: dict[str, Any], faces: DrawnFaces, register: Register, forget_after: float = 60.0) -> Recogniser:
    """Patient, so that a busy machine decides as a quiet one does."""
    encoder: FaceEncoder = faces
    gallery = OpenGallery(register, encoder, time.monotonic)
    checked = RecognitionConfig.model_validate(config)
    return Recogniser("door", checked, faces, encoder, gallery, register, forget_after=forget_after)


def arrivals(events: list[Event]) -> list[tuple[str, ...]]:
    return [event.data.candidates for event in events if isinstance(event.data, Arrival)]


def test_a_member_is_told_once_within_half_a_second_of_the_first_good_face(register: Register) -> None:
    events = run(made(ENTRANCE, DrawnFaces(who=2), register), 20)
    assert arrivals(events) == [("M-0002",)]
    assert events[0].time.timestamp() - (NOW + 10) <= 0.5


def test_rule_12_a_face_that_is_matched_is_a_look_at_that_member_and_at_nobody_else(register: Register) -> None:
    before = {name: len(register.looks(name)) for name in ("M-0001", "M-0002")}
    assert len(arrivals(run(made(ENTRANCE, DrawnFaces(who=2), register), 20))) == 1
    assert [entry.body for entry in register.looks("M-0002")][before["M-0002"] :] == [{"who": "box", "what": "matched"}]
    assert len(register.looks("M-0001")) == before["M-0001"]


def test_one_visit_is_one_arrival_also_when_the_track_breaks(register: Register) -> None:
    recogniser = made(ENTRANCE, DrawnFaces(who=2), register)
    assert arrivals(run(recogniser, 3) + run(recogniser, 3, start=5, track=2)) == [("M-0002",)]
    assert arrivals(run(recogniser, 3, start=2000, track=3)) == [("M-0002",)]


def test_a_stranger_is_nobody_and_is_not_looked_at_for_ever(register: Register) -> None:
    faces = DrawnFaces(who=77)
    recogniser = made(ENTRANCE, faces, register)
    assert run(recogniser, 60) == []
    assert faces.looks <= 20
    # For a site check they are one visitor, however often they were compared.
    assert recogniser.outcomes["nothing"] == 4
    assert (recogniser.visits["nothing"], recogniser.visits.total()) == (1, 1)
    # Far from every member: one vector for each of four tries, where a member needs two.
    assert len(faces.given) == 4


def test_a_member_is_encoded_from_two_crops_of_three_and_then_no_more(register: Register) -> None:
    faces = DrawnFaces(who=2)
    run(made(ENTRANCE, faces, register), 20)
    assert len(faces.given) == 2
    # One search of head and shoulders, then three around the face.
    assert faces.looks == 4


def test_a_stranger_near_a_member_costs_two_vectors_once_and_one_after_that(register: Register) -> None:
    # Beyond the cap, and not clearly far.
    faces = DrawnFaces(who=2, noise=0, aside=1.25)
    between = unit((face(2) + faces.aside * face(55)).astype(np.float32))
    assert RULE.cap + 0.01 < float(np.linalg.norm(between - face(2))) < RULE.far * RULE.cap - 0.01
    assert run(made(ENTRANCE, faces, register), 60) == []
    assert len(faces.given) == 2 + 3


def test_rule_1_in_check_in_who_walks_past_the_spot_is_not_looked_at(register: Register) -> None:
    faces = DrawnFaces(who=2)
    recogniser = made(CHECK_IN, faces, register)
    assert run(recogniser, 1.0, x=0.7) == []
    assert run(recogniser, 5.0, x=0.3, start=1.0) == []
    assert faces.looks == 0
    assert arrivals(run(recogniser, 5.0, x=0.7, start=6.0)) == [("M-0002",)]


def test_rule_4_crops_and_vectors_of_a_stranger_are_overwritten_when_the_burst_ends(register: Register) -> None:
    faces = DrawnFaces(who=77)
    run(made(ENTRANCE, faces, register), 10)
    assert len(faces.encoded) >= 3
    assert all(not crop.any() for crop in faces.encoded)
    # What is searched is a part of the camera's own picture: there is no copy that could stay.
    assert all(crop.base is not None for crop in faces.crops)
    assert all(not vector.any() for vector in faces.given)


def test_rule_4_a_camera_that_stops_in_the_middle_of_a_face_leaves_nothing_after_half_a_second(
    register: Register,
) -> None:
    recogniser = made(ENTRANCE, DrawnFaces(who=77), register, FORGET_S)
    run(recogniser, 0.2)
    held = [thing for thing in gc.get_objects() if type(thing).__name__ == "Burst" and len(thing)]
    crops = [face.crop for thing in held for face in thing._kept]
    assert crops
    assert all(crop.any() for crop in crops)
    # No further picture comes: the burst's own clock has to end it.
    for timer in [each for each in threading.enumerate() if isinstance(each, threading.Timer)]:
        timer.join(FORGET_S + 5)
    assert all(len(thing) == 0 for thing in held)
    assert not any(crop.any() for crop in crops), "let go of is not overwritten"


@pytest.mark.parametrize(("wanted", "closer"), [(64, 0), (128, 2)])
def test_an_encoder_that_needs_exact_landmarks_gets_them_for_the_crops_that_it_encodes_only(
    register: Register, wanted: int, closer: int
) -> None:
    faces = DrawnFaces(landmarks_px=wanted)
    recogniser = made(ENTRANCE, faces, register)
    assert [event.data.candidates for event in run(recogniser, 1.0)] == [("M-0001",)]  # type: ignore[attr-defined]
    # A face is looked for in the upper body once, and then from crop to crop in its window.
    assert faces.sides.count(128) - closer in (0, 1)
    assert len(faces.encoded) == 2


def test_an_erased_member_is_not_recognised_any_more_within_seconds(register: Register) -> None:
    ticks = iter(np.arange(0, 10_000, 2.0))
    faces = DrawnFaces(who=2)
    gallery = OpenGallery(register, faces, lambda: float(next(ticks)))
    recogniser = Recogniser("door", RecognitionConfig.model_validate(ENTRANCE), faces, faces, gallery, register)
    register.erase("M-0002", NOW + 5, "head-office", "c-1")
    assert run(recogniser, 10) == []


def test_two_members_alike_are_both_named_and_neither_is_granted_anything(register: Register) -> None:
    rows = np.stack([unit(face(2) + 0.01 * face(200 + k)) for k in range(3)]).astype(np.float32)
    register.record([agreed("M-0009")])
    register.enrol("M-0009", f"{BUILT_IN}.2", rows, NOW + 1, "guide-7")
    told = arrivals(run(made(ENTRANCE, DrawnFaces(who=2), register), 5))
    assert [set(names) for names in told] == [{"M-0002", "M-0009"}]


def test_a_clock_set_back_stops_recognition_and_says_why(register: Register) -> None:
    faces = DrawnFaces(who=2)
    gallery = OpenGallery(register, faces, time.monotonic)
    register.expire(NOW + 86_400)
    assert gallery.now(NOW + 10) is None
    assert gallery.problem == "gallery_clock"


def test_templates_of_another_encoder_are_left_out(register: Register) -> None:
    faces = DrawnFaces(who=2, version="3")
    assert OpenGallery(register, faces, time.monotonic).now(NOW + 10) is None


def test_the_singer_is_found_and_nobody_else_in_a_real_clip(tmp_path: Path) -> None:
    folder = shared("data/faces/named_samples/examples")
    if not installed():
        pytest.skip("needs OpenVINO for the recommended encoder (pip install 'yingke[openvino]')")
    models = ModelsConfig(directory=shared("models/recommended"))
    finder, encoder = FaceDetector(), open_encoder(models, only=RECOMMENDED)
    with Register(tmp_path, "s1") as register:
        for member, name in (("M-0001", "lin-manuel-miranda"), ("M-0002", "alex-lacamoire")):
            image = np.asarray(cv2.imread(str(folder / f"{name}.png")), np.uint8)
            faces = finder.detect(image)
            register.record([agreed(member)])
            register.enrol(member, model_of(encoder), encoder.encode(image, faces.landmarks[:1]), NOW, "guide-7")
        gallery = OpenGallery(register, encoder, time.monotonic)
        config = RecognitionConfig.model_validate(ENTRANCE | {"card_seconds": 30})
        recogniser = Recogniser("door", config, finder, encoder, gallery, register, forget_after=60)
        capture, detector, tracker = cv2.VideoCapture(str(folder / "short_hamilton_clip.mp4")), Detector(), Tracker()
        events: list[Event] = []
        number = 0
        while (read := capture.read())[0]:
            media = number / 29.97
            if number % 3 == 0:
                frame = Frame(np.asarray(read[1], np.uint8), NOW + 10 + media, media, number)
                update = tracker.update(detector.detect(frame.image), media)
                events += recogniser.picture(frame, update)
            number += 1
        recogniser.close()
    assert arrivals(events) == [("M-0001",)]
