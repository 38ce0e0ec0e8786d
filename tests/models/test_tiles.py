from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.config import EdgeFile
from edge.processors.footfall import FootfallConfig
from models.config import DetectorConfig, GateConfig, ModelsConfig, TilesConfig
from models.detector import Detections, Floats, Image
from models.gate import open_people
from models.tiles import TiledDetector, tiles

CLIP = Path(__file__).resolve().parents[2] / "edge/demo/clip.mp4"
WIDE, HIGH = 1920, 1080


class Seer:
    """Sees coloured rectangles: what of each is in the picture, when it is at least so large a share of its height."""

    def __init__(self, least: float) -> None:
        self.least = least

    def detect(self, image: Image, /) -> Detections:
        boxes, (high, wide) = [], image.shape[:2]
        for colour in np.unique(image[..., 0])[1:]:
            rows, columns = np.nonzero(image[..., 0] == colour)
            low, size = (columns.min(), rows.min()), (np.ptp(columns) + 1, np.ptp(rows) + 1)
            if size[1] >= self.least * high:
                boxes.append([low[0] / wide, low[1] / high, (low[0] + size[0]) / wide, (low[1] + size[1]) / high])
        return Detections(np.array(boxes, np.float32).reshape(-1, 4), np.full(len(boxes), 0.9, np.float32))


def picture(people: list[tuple[int, int, int, int]], scale: int = 4) -> Image:
    """Rectangles x, y, width, height of a 1920×1080 picture, which is kept small here."""
    image = np.zeros((HIGH // scale, WIDE // scale, 3), np.uint8)
    for number, (x, y, wide, high) in enumerate(people, start=1):
        image[y // scale : (y + high) // scale, x // scale : (x + wide) // scale] = number
    return image


def drawn(image: Image) -> Floats:
    return Seer(0).detect(image).boxes


@settings(max_examples=200, deadline=None)
@given(
    st.integers(1, 4),
    st.integers(1, 3),
    st.floats(0, 0.5),
    st.integers(0, WIDE - 400),
    st.integers(0, HIGH - 900),
    st.integers(40, 400),
    st.integers(60, 900),
)
def test_somebody_of_any_size_at_any_place_is_found_once(
    columns: int, rows: int, overlap: float, x: int, y: int, wide: int, high: int
) -> None:
    if columns * rows == 1:
        rows = 2
    image = picture([(x, y, wide, high)])
    detector = TiledDetector(Seer(0.3), Seer(0.0), TilesConfig(columns=columns, rows=rows, overlap=overlap))
    found = detector.detect(image)
    assert len(found) == 1
    assert np.abs(found.boxes - drawn(image)).max() < 0.01


def test_two_people_side_by_side_at_a_seam_stay_two() -> None:
    image = picture([(900, 300, 48, 120), (964, 300, 48, 120)])
    found = TiledDetector(Seer(0.3), Seer(0.0), TilesConfig(columns=2, rows=1, overlap=0.1)).detect(image)
    assert len(found) == 2


def test_tiles_are_of_one_size_and_cover_the_picture() -> None:
    for columns, rows, overlap in ((2, 1, 0.2), (3, 2, 0.0), (6, 6, 0.5)):
        placed = tiles(TilesConfig(columns=columns, rows=rows, overlap=overlap))
        assert len(placed) == columns * rows
        assert np.allclose(placed[:, 2:] - placed[:, :2], placed[0, 2:] - placed[0, :2], atol=1e-6)
        assert placed[:, :2].min() == 0
        assert np.allclose(placed[:, 2:].max(axis=0), 1)
        lefts = sorted(set(placed[:, 0].tolist()))
        side = placed[0, 2] - placed[0, 0]
        for left, right in pairwise(lefts):
            assert right == pytest.approx(left + side * (1 - overlap), abs=1e-6)


@pytest.mark.parametrize("shape", [(1, 1), (3, 900), (40, 30)])
def test_pictures_of_any_shape_are_taken(shape: tuple[int, int]) -> None:
    config = ModelsConfig(detector=DetectorConfig(size=128, tiles=TilesConfig(columns=3, rows=2)))
    image: npt.NDArray[np.uint8] = np.zeros((*shape, 3), np.uint8)
    assert len(open_people(config).detect(image, 0.0)) == 0


def test_people_too_small_for_the_usual_input_are_found_in_a_larger_one_and_in_tiles() -> None:
    capture = cv2.VideoCapture(str(CLIP))
    people = {}
    settings = {
        "usual": DetectorConfig(),
        "larger": DetectorConfig(size=1280),
        "tiled": DetectorConfig(tiles=TilesConfig(columns=3, rows=2)),
    }
    images = []
    for frame in (80, 300, 520):
        capture.set(cv2.CAP_PROP_POS_FRAMES, frame)
        small = cv2.resize(capture.read()[1], (256, 144), interpolation=cv2.INTER_AREA)
        images.append(
            cv2.copyMakeBorder(small, 288, 288, 512, 512, cv2.BORDER_CONSTANT, value=(90, 90, 90)).astype(np.uint8)
        )
    for name, config in settings.items():
        detector = open_people(ModelsConfig(detector=config, gate=GateConfig(enabled=False)))
        people[name] = sum(int((detector.detect(image, 0.0).scores >= 0.4).sum()) for image in images)
    assert people["usual"] < people["larger"], people
    assert people["usual"] < people["tiled"] <= people["larger"] + 1, people


def test_a_camera_has_settings_of_its_own() -> None:
    line = {"name": "door", "start": (0.1, 0.5), "end": (0.9, 0.5), "entering": "positive"}
    plain = FootfallConfig.model_validate({"lines": [line]})
    assert plain.detector is None
    far = FootfallConfig.model_validate({"lines": [line], "detector": {"size": 640, "tiles": {"columns": 2}}})
    assert far.detector == DetectorConfig(size=640, tiles=TilesConfig(columns=2, rows=1))
    with pytest.raises(ValueError, match="one tile is the whole picture"):
        DetectorConfig(tiles=TilesConfig(columns=1, rows=1))


def test_the_box_opens_the_detector_of_the_camera() -> None:
    line = {"name": "door", "start": (0.1, 0.5), "end": (0.9, 0.5), "entering": "positive"}
    cameras = [{"name": name, "url": "file:a.mp4"} for name in ("near", "far")]
    counting = {"near": {"lines": [line]}, "far": {"lines": [line], "detector": {"size": 640, "tiles": {"rows": 2}}}}
    config = EdgeFile.model_validate(
        {"store": {"id": "s1"}, "sensors": {"cameras": cameras}, "edge": {"counting": counting}}
    )
    opened: dict[str, DetectorConfig] = {}
    for name in ("near", "far"):
        opened[name] = config.models_of(name).detector
    assert opened["near"] == config.models.detector == DetectorConfig()
    assert opened["far"] == DetectorConfig(size=640, tiles=TilesConfig(columns=2, rows=2))


def test_without_a_gate_and_with_one_the_tiles_are_looked_at() -> None:
    for gate in (True, False):
        config = ModelsConfig(
            detector=DetectorConfig(tiles=TilesConfig(columns=2)), gate=GateConfig(enabled=gate, parts=0.5)
        )
        detector = open_people(config)
        inner = detector if not gate else detector._detector  # type: ignore[union-attr]
        assert isinstance(inner, TiledDetector)
