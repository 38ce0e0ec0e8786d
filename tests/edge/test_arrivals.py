"""Arrivals without a face: codes before a camera, cards at a reader."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import cv2
import numpy as np
import pytest
import segno

from edge.config import EdgeFile
from edge.members import needed, open_members
from edge.processors.arrivals import CodeReader, CodesConfig, Greeter, MemberCardProcessor, MemberCardsConfig
from edge.processors.footfall import FootfallConfig, FootfallProcessor
from edge.processors.recognition_config import RecognitionConfig
from edge.processors.tryon_config import TryOnConfig
from edge.processors.tryons import TryOnProcessor
from models.detector import Detections
from models.tracker import Update
from sensors.readings import Frame, Image, TagRead
from sync.events import Arrival, Event
from sync.members.codes import make
from sync.members.register import Register
from sync.signing import SigningKey
from tests.sync.members.test_register import NOW, agreed

CARD, GOODS = "3034257BF7194E4000001A85", "3034257BF7194E4000001A86"
SPOT = CodesConfig(polygon=((0.5, 0), (1, 0), (1, 1), (0.5, 1)))
NOBODY = Update([], [])


def today(moment: float) -> date:
    return datetime.fromtimestamp(moment, UTC).date()


@pytest.fixture
def register(tmp_path: Path) -> Iterator[Register]:
    with Register(tmp_path, "s1") as opened:
        opened.record([agreed("M-0417", "profile")])
        opened.bind_card(CARD, "M-0417", NOW, "guide-7")
        yield opened


@pytest.fixture
def key(tmp_path: Path) -> SigningKey:
    return SigningKey.open_or_make(tmp_path / "box.key")


def showing(text: str, left: int = 760) -> Image:
    """Somebody holds this code before a camera, in its right half unless told."""
    image = np.full((720, 1280, 3), 120, np.uint8)
    matrix = np.array([list(row) for row in segno.make(text, error="m", micro=False).matrix_iter(scale=6, border=4)])
    side = len(matrix)
    image[100 : 100 + side, left : left + side] = np.where(matrix[..., None], 0, 255)
    return cv2.GaussianBlur(image, (3, 3), 0).astype(np.uint8)


def read(reader: CodeReader, image: Image, seconds: float = 5.0) -> list[Event]:
    events: list[Event] = []
    for index in range(round(seconds * 10)):
        events += reader.picture(Frame(image, NOW + index / 10, index / 10, index), NOBODY)
    return events


def told(events: Sequence[Event]) -> list[tuple[str, tuple[str, ...]]]:
    return [(event.data.method, event.data.candidates) for event in events if isinstance(event.data, Arrival)]


def test_rule_3_a_code_held_before_the_camera_is_one_arrival(register: Register, key: SigningKey) -> None:
    reader = CodeReader("door", SPOT, [key.public], Greeter(register, 900), today)
    text = make("M-0417", today(NOW), key)
    assert told(read(reader, showing(text))) == [("qr", ("M-0417",))]
    assert register.looks("M-0417")[-1].body == {"who": "box", "what": "matched"}


def test_a_code_beside_the_spot_or_of_somebody_else_or_out_of_date_is_no_arrival(
    register: Register, key: SigningKey, tmp_path: Path
) -> None:
    reader = CodeReader("door", SPOT, [key.public], Greeter(register, 900), today)
    stranger = SigningKey.open_or_make(tmp_path / "other.key")
    assert read(reader, showing(make("M-0417", today(NOW), key), left=40)) == []
    assert read(reader, showing(make("M-0417", today(NOW), stranger))) == []
    assert read(reader, showing(make("M-0417", today(NOW - 86_400), key))) == []
    assert read(reader, showing("https://example.org/")) == []
    assert read(reader, np.full((720, 1280, 3), 120, np.uint8)) == []


def test_rule_7_the_code_of_an_erased_member_is_no_arrival(register: Register, key: SigningKey) -> None:
    reader = CodeReader("door", SPOT, [key.public], Greeter(register, 900), today)
    register.erase("M-0417", NOW + 1, "head-office", "c-1")
    assert read(reader, showing(make("M-0417", today(NOW), key))) == []


def test_a_camera_is_asked_for_codes_twice_a_second_at_most(register: Register, key: SigningKey) -> None:
    reader = CodeReader("door", SPOT, [key.public], Greeter(register, 900), today)
    looks = []

    class Counting:
        def detectAndDecode(self, image: Image) -> tuple[str, None, None]:  # OpenCV's name
            looks.append(image.shape)
            return "", None, None

    reader._detector = Counting()  # type: ignore[assignment]
    read(reader, np.zeros((720, 1280, 3), np.uint8), 5)
    assert len(looks) == 10
    assert looks[0] == (720, 640, 3)


def cards(register: Register, config: MemberCardsConfig | None) -> MemberCardProcessor:
    rooms = TryOnProcessor("fitting", TryOnConfig.model_validate({"rooms": {1: "room-1"}}))
    return MemberCardProcessor("fitting", config, register, Greeter(register, 900), rooms)


def visit(processor: MemberCardProcessor, *epcs: str) -> list[Event]:
    events: list[Event] = []
    for second in range(120):
        for epc in epcs:
            events += processor.process(TagRead(NOW + second, epc, 1, -50.0))
        events += processor.flush(NOW + second)
    return [*events, *processor.flush(NOW + 900), *processor.close(NOW + 900)]


def test_rule_3_a_members_card_at_the_reader_is_one_arrival_a_visit(register: Register) -> None:
    assert told(visit(cards(register, MemberCardsConfig()), CARD)) == [("rfid_card", ("M-0417",))]


def test_rule_12_a_members_card_at_the_reader_is_a_look_once_for_each_arrival(register: Register) -> None:
    events = visit(cards(register, MemberCardsConfig()), CARD)
    looks = [entry.body for entry in register.looks("M-0417") if entry.body["what"] != "card_bound"]
    assert looks == [{"who": "box", "what": "matched"}] * len(told(events)) != []


@pytest.mark.parametrize("config", [None, MemberCardsConfig(antennas=(4,)), MemberCardsConfig()])
def test_a_members_card_is_never_a_tried_on_item(register: Register, config: MemberCardsConfig | None) -> None:
    events = visit(cards(register, config), CARD, GOODS)
    assert CARD not in "".join(event.data.model_dump_json() for event in events)
    assert any(GOODS in event.data.model_dump_json() for event in events)
    assert len(told(events)) == (1 if config is not None and not config.antennas else 0)


def test_rule_2_a_card_is_no_arrival_once_the_profile_is_taken_back(register: Register) -> None:
    register.record([agreed("M-0417", "profile", act="withdrawn", time=NOW)])
    assert told(visit(cards(register, MemberCardsConfig()), CARD)) == []


def box(tmp_path: Path, **edge: object) -> EdgeFile:
    return EdgeFile.model_validate(
        {
            "store": {"id": "s1"},
            "sensors": {
                "cameras": [{"name": "door", "url": "none.mp4"}],
                "rfid": [{"name": "gate", "type": "llrp", "host": "127.0.0.1"}],
            },
            "edge": {
                "data": tmp_path / "edge",
                "counting": {
                    "door": {"lines": [{"name": "in", "start": [0, 0.5], "end": [1, 0.5], "entering": "positive"}]}
                },
                "member_cards": {"gate": {}},
                **edge,
            },
        }
    )


def test_rule_1_a_box_without_any_of_it_opens_no_file_of_members(tmp_path: Path) -> None:
    config = box(tmp_path)
    without = config.model_copy(update={"edge": config.edge.model_copy(update={"member_cards": {}})})
    assert not needed(without)
    with open_members(without, lambda: NOW) as members:
        assert members is None
    assert not (tmp_path / "edge").exists()


def test_a_camera_that_nobody_has_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"edge.codes: there is no camera dor"):
        box(tmp_path, codes={"dor": {}})
    spot = {"camera": "dor", "polygon": [[0, 0], [1, 0], [1, 1]]}
    with pytest.raises(ValueError, match=r"edge.recognition: there is no camera dor"):
        box(tmp_path, recognition={"mode": "check_in", "profile": "eu", "spots": [spot]})


def test_codes_and_faces_are_looked_for_where_the_configuration_says(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spot = {"camera": "door", "polygon": [[0, 0], [1, 0], [1, 1]]}
    config = box(tmp_path, codes={"door": {}}, recognition={"mode": "check_in", "profile": "eu", "spots": [spot]})
    assert isinstance(config.edge.recognition, RecognitionConfig)
    with caplog.at_level("INFO"), open_members(config, lambda: NOW) as members:
        assert members is not None
        kinds = [type(each).__name__ for each in members.finders("door")]
        assert kinds == ["Recogniser", "CodeReader"]
        assert members.finders("till") == []
    assert set(members.encoders) == {"door"}
    assert "encoder" in caplog.text


def test_who_looks_for_members_sees_the_pictures_that_are_counted(register: Register, key: SigningKey) -> None:
    config = FootfallConfig.model_validate(
        {"lines": [{"name": "in", "start": [0, 0.5], "end": [1, 0.5], "entering": "positive"}]}
    )
    reader = CodeReader("door", SPOT, [key.public], Greeter(register, 900), today)
    processor = FootfallProcessor("door", config, NoBody(), None, [reader])
    image = showing(make("M-0417", today(NOW), key))
    events = [
        event
        for index in range(20)
        for event in processor.process(Frame(image + np.uint8(index % 2), NOW + index / 10, index / 10, index))
    ]
    assert told(events) == [("qr", ("M-0417",))]
    processor.lost(NOW + 3)
    processor.close(NOW + 4)


class NoBody:
    def detect(self, image: Image, time: float, /) -> Detections:
        return Detections(np.empty((0, 4), np.float32), np.empty(0, np.float32))
