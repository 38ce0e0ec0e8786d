import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest

from models import openvino_session, runtime_choice
from models.config import ModelsConfig
from models.detector import Detections, Detector, Floats, any_shape, open_detector
from models.errors import ModelError
from models.openvino_session import OpenVinoSession
from models.registry import find
from models.runtime import Inference, Session
from sensors.readings import Image

CLIP = Path(__file__).resolve().parents[2] / "edge/demo/clip.mp4"
WEIGHTS = find("yolox_nano")[0].read_bytes()
needs_openvino = pytest.mark.skipif(
    not openvino_session.installed(), reason="OpenVINO is not installed: pip install 'yingke[openvino]'"
)
without_openvino = pytest.mark.skipif(openvino_session.installed(), reason="OpenVINO is installed")


def pictures(count: int = 12) -> list[Image]:
    capture = cv2.VideoCapture(str(CLIP))
    result = []
    for number in range(count):
        capture.set(cv2.CAP_PROP_POS_FRAMES, 60 * number)
        read, image = capture.read()
        assert read
        result.append(image.astype(np.uint8))
    return result


@pytest.fixture(
    params=[
        pytest.param(Session, id="onnxruntime"),
        pytest.param(OpenVinoSession, id="openvino", marks=needs_openvino),
        pytest.param(partial(OpenVinoSession, bfloat16=True), id="openvino-bfloat16", marks=needs_openvino),
    ]
)
def start(request: pytest.FixtureRequest) -> Callable[[bytes, str], Inference]:
    made: Callable[[bytes, str], Inference] = request.param
    return made


def test_every_runtime_names_what_a_model_takes_and_gives(start: Callable[[bytes, str], Inference]) -> None:
    fixed = start(WEIGHTS, "yolox_nano")
    assert fixed.inputs == {"images": (1, 3, 416, 416)}
    assert tuple(fixed.outputs) == ("output",)
    name, shape = next(iter(start(any_shape(WEIGHTS), "yolox_nano").inputs.items()))
    assert name == "images"
    assert shape[:2] == (1, 3)
    assert not any(isinstance(size, int) for size in shape[2:])


def test_every_runtime_takes_shapes_in_any_order_and_keeps_what_it_gave(
    start: Callable[[bytes, str], Inference],
) -> None:
    session = start(any_shape(WEIGHTS), "yolox_nano")
    rng = np.random.default_rng(1)
    large = rng.uniform(0, 255, (1, 3, 256, 416)).astype(np.float32)
    small = rng.uniform(0, 255, (1, 3, 128, 160)).astype(np.float32)
    (first,) = session.run({"images": large})
    kept = first.copy()
    (other,) = session.run({"images": small})
    assert first.shape == (1, 52 * 32 + 26 * 16 + 13 * 8, 85)
    assert other.shape == (1, 20 * 16 + 10 * 8 + 5 * 4, 85)
    (again,) = session.run({"images": large})
    assert np.array_equal(first, kept)
    assert np.array_equal(again, first)


def test_every_runtime_refuses_what_is_no_model_and_arrays_that_do_not_fit(
    start: Callable[[bytes, str], Inference],
) -> None:
    with pytest.raises(ModelError, match="nonsense cannot be loaded"):
        start(b"not a model", "nonsense")
    session = start(WEIGHTS, "yolox_nano")
    with pytest.raises(ModelError, match="refuses images"):
        session.run({"images": np.zeros((1, 3, 32, 32), np.float32)})
    with pytest.raises(ModelError, match="refuses other"):
        session.run({"other": np.zeros((1, 3, 416, 416), np.float32)})


@needs_openvino
def test_both_runtimes_find_the_same_people_to_a_hundred_thousandth() -> None:
    ours, theirs = Detector(), open_detector(ModelsConfig(runtime="openvino"))
    people = 0
    for image in pictures():
        one, other = ours.detect(image), theirs.detect(image)
        assert len(one) == len(other)
        people += len(one)
        np.testing.assert_allclose(one.scores, other.scores, atol=1e-5)
        np.testing.assert_allclose(one.boxes, other.boxes, atol=1e-5)
    assert people > 10


@needs_openvino
def test_with_bfloat16_sure_people_stay_where_they_are() -> None:
    """Stated tolerance: IoU 0.8 and score within 0.1; on whole clips 9 of 6,645 boxes are another (docs/figures.md)."""
    if not openvino_session.has_bfloat16():
        pytest.skip("this CPU has no bfloat16")
    ours, theirs = Detector(), open_detector(ModelsConfig(runtime="openvino", precision="bfloat16"))
    people = 0
    for image in pictures():
        one, other = ours.detect(image), theirs.detect(image)
        for box, score in zip(one.boxes[one.scores >= 0.5], one.scores[one.scores >= 0.5], strict=True):
            near = int(np.argmax(_iou(box, other)))
            assert _iou(box, other)[near] > 0.8
            assert abs(float(other.scores[near] - score)) < 0.1
            people += 1
    assert people > 5


def _iou(box: Floats, found: Detections) -> Floats:
    low, high = np.maximum(box[:2], found.boxes[:, :2]), np.minimum(box[2:], found.boxes[:, 2:])
    common = np.prod(np.clip(high - low, 0, None), axis=1)
    areas = np.prod(found.boxes[:, 2:] - found.boxes[:, :2], axis=1)
    return np.asarray(common / (np.prod(box[2:] - box[:2]) + areas - common))


@needs_openvino
def test_auto_measures_once_and_says_what_it_measured(caplog: pytest.LogCaptureFixture) -> None:
    runtime_choice._faster.cache_clear()
    with caplog.at_level("INFO", "yingke.models"):
        detectors = [open_detector(ModelsConfig()) for _ in range(3)]
    (message,) = [record.getMessage() for record in caplog.records]
    assert "onnxruntime" in message.split(";")[0]
    assert "OpenVINO (float32)" in message.split(";")[0]
    wanted = OpenVinoSession if message.endswith("; OpenVINO is used") else Session
    assert all(type(detector._session) is wanted for detector in detectors)


@pytest.mark.parametrize("runtime", ["onnxruntime", pytest.param("openvino", marks=needs_openvino)])
def test_no_runtime_sends_anything_home(runtime: str, tmp_path: Path) -> None:
    """Both report their use to their makers unless told not to, and keep a number of this device in its home."""
    program = (
        "import sys\n"
        "from models.config import ModelsConfig\n"
        "from models.detector import open_detector\n"
        f"open_detector(ModelsConfig(runtime={runtime!r}))\n"
        f"assert {runtime!r} in sys.modules\n"
        "assert sys.modules.get('openvino_telemetry') is None\n"
    )
    environment = {**os.environ, "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    environment.pop("ORT_DISABLE_TELEMETRY", None)
    subprocess.run([sys.executable, "-c", program], check=True, env=environment, cwd=CLIP.parents[2], timeout=120)
    assert list(tmp_path.iterdir()) == []


@without_openvino
def test_without_the_extra_auto_is_onnxruntime_and_anything_else_says_how_to_get_it() -> None:
    assert type(open_detector(ModelsConfig())._session) is Session
    for wrong in (ModelsConfig(runtime="openvino"), ModelsConfig(precision="bfloat16")):
        with pytest.raises(ModelError) as caught:
            open_detector(wrong)
        assert "yingke[openvino]" in caught.value.fix


def test_a_forced_onnxruntime_has_no_bfloat16() -> None:
    with pytest.raises(ModelError, match="bfloat16 needs OpenVINO"):
        open_detector(ModelsConfig(runtime="onnxruntime", precision="bfloat16"))
