from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.commands.count import parse_line
from models.config import GateConfig
from models.detector import Detections, Detector, Image, Part
from models.gate import GatedDetector
from models.lines import Crossing, LineCounter
from models.parts import covered, merged, parts
from models.tracker import Tracker
from sensors.camera import CameraSource
from sensors.camera_config import CameraConfig
from sensors.readings import Frame

CLIP = Path(__file__).resolve().parents[2] / "edge/demo/clip.mp4"
CELLS = (13.0, 7.3125)
"""A 16:9 picture in an input of 416."""
SHAPE = (29, 52)
share = st.floats(0, 1, width=32)


@st.composite
def boxes(draw: st.DrawFn) -> npt.NDArray[np.float32]:
    corners = draw(st.lists(st.tuples(share, share, st.floats(0.01, 0.3), st.floats(0.02, 0.6)), max_size=8))
    return np.array([(x, y, min(1, x + w), min(1, y + h)) for x, y, w, h in corners], np.float32).reshape(-1, 4)


@st.composite
def motion(draw: st.DrawFn) -> npt.NDArray[np.bool_]:
    moved = np.zeros(SHAPE, bool)
    for row, column in draw(st.lists(st.tuples(st.integers(0, 28), st.integers(0, 51)), max_size=12)):
        moved[row, column] = True
    return moved


def meets(part: Part, box: npt.NDArray[np.float64]) -> bool:
    return bool(box[0] < part.right and box[2] > part.left and box[1] < part.bottom and box[3] > part.top)


@settings(max_examples=300, deadline=None)
@given(motion(), boxes())
def test_parts_hold_what_moved_and_cut_nobody_and_do_not_overlap(
    moved: npt.NDArray[np.bool_], people: npt.NDArray[np.float32]
) -> None:
    where = parts(moved, people, CELLS)
    assert not (moved & ~covered(where, CELLS, SHAPE)).any()
    for part in where:
        assert 0 <= part.left < part.right <= 13
        assert 0 <= part.top < part.bottom <= 8
        for box in people * np.array([*CELLS, *CELLS]):
            if meets(part, box):
                assert part.left <= box[0]
                assert part.top <= box[1]
                assert part.right >= box[2]
                assert part.bottom >= box[3]
    for index, one in enumerate(where):
        for other in where[:index]:
            corners = np.array([other.left, other.top, other.right, other.bottom], np.float64)
            assert not meets(one, corners)


@settings(max_examples=200, deadline=None)
@given(motion(), boxes())
def test_who_stands_away_from_what_moved_is_there_unchanged(
    moved: npt.NDArray[np.bool_], people: npt.NDArray[np.float32]
) -> None:
    before = Detections(people, np.linspace(0.9, 0.3, len(people)).astype(np.float32))
    where = parts(moved, people, CELLS)
    after = merged(before, where, [Detections.none() for _ in where], CELLS)
    outside = [
        box for box in people if not any(meets(part, box * np.array([*CELLS, *CELLS])) for part in where) and box.size
    ]
    kept = {tuple(box) for box in after.boxes.tolist()}
    # Of two boxes that overlap so much that they are one person's, one is enough.
    assert kept <= {tuple(box) for box in np.array(outside).reshape(-1, 4).tolist()}
    assert len(kept) > 0 or not outside


def test_nothing_that_moved_is_no_part() -> None:
    assert parts(np.zeros(SHAPE, bool), np.array([[0.1, 0.1, 0.2, 0.4]], np.float32), CELLS) == []


class InParts:
    """Counts how it is asked; finds nobody."""

    def __init__(self) -> None:
        self.whole = self.partly = 0

    def detect(self, image: Image, /) -> Detections:
        self.whole += 1
        return Detections.none()

    def cells(self, width: int, height: int, /) -> tuple[float, float]:
        return width / 32, height / 32

    def detect_in(self, image: Image, where: Sequence[Part], /) -> list[Detections]:
        self.partly += 1
        return [Detections.none() for _ in where]


def test_the_whole_picture_is_looked_at_as_often_as_configured_and_when_much_of_it_moves() -> None:
    inner = InParts()
    gate = GatedDetector(inner, GateConfig(parts=0.5, every=1.0), inner)
    for index in range(41):
        image = np.full((256, 416, 3), 90, np.uint8)
        image[40:80, 10 * (index % 20) : 10 * (index % 20) + 20] = 200
        gate.detect(image, index / 10)
    assert inner.whole == 5
    assert inner.partly == 36
    assert gate.seen < 41 * 0.5
    for index in range(41, 46):
        gate.detect(np.random.default_rng(index).integers(0, 255, (256, 416, 3), dtype=np.uint8), index / 10)
    assert inner.whole == 10


def crossings(detector: Detector | GatedDetector, every: int) -> list[Crossing]:
    tracker, counter = Tracker(), LineCounter(parse_line("entrance:0.46,0.15,0.46,0.95"))
    result, media = [], 0.0
    with CameraSource(CameraConfig(url=f"file:{CLIP}", every=every)) as source:
        for frame in source:
            if isinstance(frame, Frame):
                media = frame.media_time
                update = tracker.update(detector.detect(frame.image, media), media)
                result += counter.update(update.people, update.ended, media)
    return result + counter.update((), tracker.finish(), media)


def test_a_part_at_the_scale_of_the_whole_shows_the_same_people_and_counts_the_same() -> None:
    inner = Detector()
    gate = GatedDetector(inner, GateConfig(parts=0.5), inner)
    whole, partly = crossings(Detector(), 3), crossings(gate, 3)
    assert gate.seen < 0.97 * gate.pictures
    assert [crossing.direction for crossing in partly] == [crossing.direction for crossing in whole]
    assert all(abs(one.time - other.time) <= 0.2 for one, other in zip(partly, whole, strict=True))


def test_the_whole_picture_as_one_part_is_the_same_bit_by_bit() -> None:
    detector = Detector()
    with CameraSource(CameraConfig(url=f"file:{CLIP}", every=40)) as source:
        for frame in source:
            if isinstance(frame, Frame):
                whole = detector.detect(frame.image)
                (part,) = detector.detect_in(frame.image, [Part(0, 0, 13, 8)])
                assert np.array_equal(whole.boxes, part.boxes)
                assert np.array_equal(whole.scores, part.scores)
