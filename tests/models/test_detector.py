import cv2
import numpy as np
import pytest

from models.config import DetectorConfig, ModelsConfig
from models.detector import Detections, Detector, input_size, open_detector
from models.errors import ModelError
from models.registry import find
from models.runtime import Session
from sensors.readings import Image
from tests.shared_data import shared


def street(frame: int = 50) -> Image:
    capture = cv2.VideoCapture(str(shared("data/video/vtest.avi")))
    capture.set(cv2.CAP_PROP_POS_FRAMES, frame)
    read, image = capture.read()
    assert read
    return image.astype(np.uint8)


def overlap(a: Detections, b: Detections) -> float:
    """Share of ``a``'s sure boxes that ``b`` also has (IoU over 0.5)."""
    matched = 0
    sure = a.boxes[a.scores >= 0.4]
    for box in sure:
        low, high = np.maximum(box[:2], b.boxes[:, :2]), np.minimum(box[2:], b.boxes[:, 2:])
        common = np.prod(np.clip(high - low, 0, None), axis=1)
        union = np.prod(box[2:] - box[:2]) + np.prod(b.boxes[:, 2:] - b.boxes[:, :2], axis=1) - common
        matched += bool((common / union > 0.5).any())
    return matched / len(sure)


def test_people_are_found_in_a_picture_of_a_street_and_nobody_in_a_grey_one() -> None:
    detector = Detector()
    found = detector.detect(street())
    assert (found.scores >= 0.4).sum() >= 4
    assert found.boxes.dtype == found.scores.dtype == np.float32
    assert ((found.boxes >= 0) & (found.boxes <= 1)).all()
    assert (np.diff(found.scores) <= 0).all()
    assert len(detector.detect(np.full((576, 768, 3), 128, np.uint8))) == 0


def test_another_input_shape_finds_the_same_people() -> None:
    image = street()
    square = cv2.copyMakeBorder(image, 0, 192, 0, 0, cv2.BORDER_CONSTANT, value=(114, 114, 114)).astype(np.uint8)
    wide, full = Detector().detect(image), Detector().detect(square)
    full = Detections(full.boxes * np.array([1, 768 / 576] * 2, np.float32), full.scores)
    assert overlap(wide, full) == overlap(full, wide) == 1.0
    assert overlap(wide, Detector(long_side=640).detect(image)) >= 0.75


def test_a_mirrored_picture_has_mirrored_people() -> None:
    image = street()
    mirrored = Detector().detect(np.ascontiguousarray(image[:, ::-1]))
    back = mirrored.boxes[:, [2, 1, 0, 3]] * np.array([-1, 1, -1, 1], np.float32) + np.array([1, 0, 1, 0], np.float32)
    assert overlap(Detector().detect(image), Detections(back, mirrored.scores)) >= 0.75


@pytest.mark.parametrize(
    ("picture", "expected"),
    [((768, 576), (416, 320)), ((1920, 1080), (416, 256)), ((1080, 1920), (256, 416)), ((416, 416), (416, 416))],
)
def test_the_input_has_the_picture_s_shape(picture: tuple[int, int], expected: tuple[int, int]) -> None:
    assert input_size(*picture, 416) == expected


@pytest.mark.parametrize("shape", [(1, 1), (2, 900), (900, 2), (33, 31), (1080, 1920)])
def test_pictures_of_any_shape_are_taken(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    Detector().detect(rng.integers(0, 255, (*shape, 3), dtype=np.uint8))


def test_a_camera_that_changes_its_resolution_is_followed() -> None:
    detector = Detector()
    image = street()
    small = cv2.resize(image, None, fx=0.5, fy=0.5).astype(np.uint8)
    first = detector.detect(image)
    assert len(detector.detect(small)) > 0
    assert np.array_equal(detector.detect(image).boxes, first.boxes)


def test_a_size_out_of_range_is_refused() -> None:
    with pytest.raises(ModelError, match="out of range"):
        Detector(long_side=64)
    with pytest.raises(ValueError, match="less than or equal to 1280"):
        DetectorConfig(size=5000)
    assert len(open_detector(ModelsConfig()).detect(np.zeros((64, 64, 3), np.uint8))) == 0


def test_a_model_that_is_not_one_and_arrays_that_do_not_fit_are_one_clear_error() -> None:
    with pytest.raises(ModelError, match="nonsense cannot be loaded"):
        Session(b"not a model", "nonsense")
    session = Session(find("yolox_nano")[0].read_bytes(), "yolox_nano")
    assert session.inputs == {"images": (1, 3, 416, 416)}
    with pytest.raises(ModelError, match="refuses images"):
        session.run({"images": np.zeros((1, 3, 32, 32), np.float32)})
    with pytest.raises(ModelError, match="refuses other"):
        session.run({"other": np.zeros((1, 3, 416, 416), np.float32)})


def test_pictures_of_any_number_of_pixels_and_any_shape_need_no_other_network() -> None:
    # A network for each shape would cost a camera that changes its resolution the memory of all (a soak run found it).
    detector = Detector(long_side=160)
    first = detector._session
    for shape in ((180, 320), (360, 640), (720, 1280), (320, 180)):
        detector.detect(np.zeros((*shape, 3), np.uint8))
    assert detector._session is first
