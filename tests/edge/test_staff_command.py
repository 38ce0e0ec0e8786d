"""``yingke staff learn``, and a camera that knows the uniform it learnt: pictures in, counts out."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.processors.entry_rules import EntryRules, StaffRules
from edge.processors.footfall import FootfallConfig, FootfallProcessor
from models.detector import Detections
from models.errors import ModelError
from sensors.readings import Frame, Image
from sync.events import Event, FootfallMinute, Visit
from tests.edge.test_entry_rules import DOOR, T0
from tests.models.test_appearance import GREEN, NAVY, RED, WHITE, Colour, person
from yingke import main

Capture = pytest.CaptureFixture[str]


def crops(folder: Path, name: str, shirt: Colour, count: int) -> list[str]:
    paths = [folder / f"{name}{number}.png" for number in range(count)]
    for number, path in enumerate(paths):
        assert cv2.imwrite(str(path), person(shirt, NAVY, seed=number))
    return [str(path) for path in paths]


@pytest.fixture
def uniform(tmp_path: Path, capsys: Capture) -> Path:
    out = tmp_path / "staff.json"
    others = [item for path in crops(tmp_path, "green", GREEN, 4) for item in ("--other", path)]
    assert (
        main(["staff", "learn", *crops(tmp_path, "red", RED, 5), *others, "--out", str(out), "--note", "summer"]) == 0
    )
    said = capsys.readouterr().out
    assert "learnt from 5 pictures" in said
    assert "the nearest of 4 people without it" in said
    return out


def test_the_file_says_what_it_was_learnt_from_and_when(uniform: Path) -> None:
    document = json.loads(uniform.read_text())
    assert (document["learnt_from"], document["crops"], document["others"]) == ("summer", 5, 4)
    assert document["learnt_on"].startswith("20")


def test_what_cannot_be_learnt_from_is_said_with_what_to_do(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "notes.png").write_text("hello")
    two = crops(tmp_path, "red", RED, 2)
    for arguments, message in (
        ([*two, str(tmp_path / "notes.png")], "is not a picture"),
        ([*two, str(tmp_path / "absent.png")], "No such file"),
        (two, "2 pictures are too few"),
    ):
        assert main(["staff", "learn", *arguments, "--out", str(tmp_path / "x.json")]) == 1
        said = capsys.readouterr().err
        assert message in said
        assert "fix: " in said
    assert not (tmp_path / "x.json").exists()
    good = crops(tmp_path, "red", RED, 3)
    assert main(["staff", "learn", *good, "--out", str(tmp_path / "no" / "x.json")]) == 1
    assert main(["staff", "learn", *good]) == 2


class Placed:
    """A detector that knows where the people of ``scene`` are."""

    def __init__(self) -> None:
        self.boxes: list[tuple[float, float, float, float]] = []

    def detect(self, image: Image, time: float, /) -> Detections:
        return Detections(np.array(self.boxes, np.float32).reshape(-1, 4), np.full(len(self.boxes), 0.9, np.float32))


def walked(config: FootfallConfig, shirts: list[tuple[Colour, int]]) -> list[Event]:
    """People in these shirts, one after another; to the right (1) or to the left (-1), over a line in the middle."""
    detector = Placed()
    processor = FootfallProcessor("cam", config, detector)
    tiles = np.random.default_rng(1).integers(80, 170, (12, 16, 3)).astype(np.uint8)
    wall = np.asarray(cv2.resize(tiles, (640, 480)), np.uint8)
    events: list[Event] = []
    tick = 0
    for shirt, way in shirts:
        for step in range(60):
            image, detector.boxes = wall.copy(), []
            if step < 40:
                left = 120 + 9 * step if way > 0 else 480 - 9 * step
                image[150:350, left : left + 80] = person(shirt, NAVY, seed=tick)
                detector.boxes = [(left / 640, 150 / 480, (left + 80) / 640, 350 / 480)]
            events += processor.process(Frame(image, T0 + tick / 10, tick / 10, tick))
            tick += 1
        events += processor.flush(T0 + tick / 10)
    return [*events, *processor.close(T0 + tick / 10)]


def said(events: list[Event]) -> list[tuple[str, tuple[str, ...]]]:
    visits = sorted((event for event in events if isinstance(event.data, Visit)), key=lambda event: event.time)
    return [(event.data.direction, event.data.evidence.exclusions) for event in visits if isinstance(event.data, Visit)]


def test_a_camera_counts_who_wears_the_uniform_apart(uniform: Path) -> None:
    config = FootfallConfig(lines=(DOOR,), staff=StaffRules(uniforms=(uniform,)))
    events = walked(config, [(RED, 1), (GREEN, 1), (WHITE, 1), (RED, -1)])
    assert said(events) == [("in", ("staff",)), ("in", ()), ("in", ()), ("out", ("staff",))]
    newest = {event.data.minute: event.data for event in events if isinstance(event.data, FootfallMinute)}
    (minute,) = newest.values()
    assert (minute.entered, minute.left, minute.staff_entered, minute.staff_left) == (2, 0, 1, 1)


def test_a_camera_knows_again_who_went_out_a_moment_ago() -> None:
    config = FootfallConfig(lines=(DOOR,), rules=EntryRules(re_entry_seconds=60))
    events = walked(config, [(RED, -1), (GREEN, 1), (RED, 1), (RED, 1)])
    assert said(events) == [("out", ()), ("in", ()), ("in", ("re_entry",)), ("in", ())]


def test_a_camera_whose_uniform_is_missing_does_not_start(tmp_path: Path) -> None:
    config = FootfallConfig(lines=(DOOR,), staff=StaffRules(uniforms=(tmp_path / "absent.json",)))
    with pytest.raises(ModelError, match="absent") as caught:
        FootfallProcessor("cam", config, Placed())
    assert "yingke staff learn" in caught.value.fix
