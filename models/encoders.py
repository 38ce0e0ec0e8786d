"""Face encoders: a face becomes a vector of unit length. Three kinds behind one Protocol, and the choice between them.

``face-reidentification-retail-0095`` where its files and OpenVINO are there, else dlib's ResNet, which needs no
download; before both, where it is configured, an ONNX file of the operator with a calibration of its own. Each has its
own rule: a distance of one encoder means nothing to another. ``name`` and ``version`` belong on every screen and in
every template.

Arrays in, arrays out: no image and no vector is kept between two calls.
"""

import hashlib
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from models.alignment import Floats, Image, both_ways, check_landmarks, check_picture, chip, mean_of_both
from models.calibration import Calibration
from models.config import ModelsConfig, SuppliedEncoderConfig
from models.decoys import Population
from models.dlib_resnet import INPUT, SIDE, resnet_onnx
from models.errors import ModelError
from models.openvino_ir import IrSession, installed
from models.registry import available, find
from models.rule import MatchRule
from models.runtime import Session
from models.visit import VisitFace

RECOMMENDED = "face-reidentification-retail-0095"
BUILT_IN = "dlib-resnet-v1"
SHIPPED = (RECOMMENDED, BUILT_IN)


class FaceEncoder(Protocol):
    """One encoder; an instance belongs to one thread."""

    @property
    def name(self) -> str:
        """Which encoder, for screens and templates."""

    @property
    def version(self) -> str:
        """Changes when vectors made before can no longer be compared with those made now."""

    @property
    def licence(self) -> str:
        """SPDX identifier of the weights."""

    @property
    def size(self) -> int:
        """Length of a vector."""

    @property
    def rule(self) -> MatchRule:
        """The numbers of the decision, measured with this encoder."""

    @property
    def landmarks_px(self) -> int:
        """Side of the window around a face in which its landmarks have to be found before it is encoded."""

    def encode(self, image: Image, landmarks: Floats) -> Floats:
        """``(n, size)`` float32, one row of unit length per face: the mean of the face and its mirror image.

        ``image``: ``(height, width, 3)`` uint8 BGR; ``landmarks``: ``(n, 5, 2)`` pixels, as in ``Faces``. Raises
        ``ModelError`` for other shapes and for landmarks that are not those of a face.
        """


def _chips(image: Image, landmarks: Floats, template: npt.NDArray[np.float64], side: int) -> Image:
    """Faces and their mirror images, ``(2 n, side, side, 3)`` BGR; none gives ``(0, …)``."""
    check_picture(image)
    points = check_landmarks(landmarks)
    cut = np.empty((len(points), side, side, 3), np.uint8)
    for number, face in enumerate(points):
        one = chip(image, face, template, side)
        cut[number] = one
        one[:] = 0
    both = both_ways(cut)
    cut[:] = 0
    return both


def _wipe(*arrays: npt.NDArray[Any]) -> None:
    """Overwrite what shows a face: freed memory keeps its content until somebody needs it (PRIVACY rule 4)."""
    for array in arrays:
        array[...] = 0


def _rehearse(encoder: FaceEncoder, landmarks: npt.NDArray[np.float64], side: int) -> None:
    """Encode nobody once, and collect it as a visit.

    A function of the C library that is called for the first time is looked up by the dynamic linker, which lays the
    processor's registers on the stack: part of the last face's vector is in them, and stays there (PRIVACY rule 4).
    """
    nobody = encoder.encode(np.zeros((side, side, 3), np.uint8), landmarks[None].astype(np.float32))[0]
    visit = VisitFace(1.0)
    visit.add(nobody)
    visit.add(-nobody)
    visit.add(nobody)
    visit.forget()


class RetailEncoder:
    """face-reidentification-retail-0095 of Intel's Open Model Zoo, in OpenVINO.

    Source: https://docs.openvino.ai (Open Model Zoo, Apache-2.0); landmarks lie where its README puts them.
    """

    name = RECOMMENDED
    version = "1"
    licence = "Apache-2.0"
    size = 256
    rule = MatchRule(
        ratio=0.75,
        cap=0.94,
        jump=1.15,
        decoys=100,
        measured="ratio: 19 Asian members of CASIA-FaceV5 with 0.80 gave FPIR 0.18 %, lowered a step; cap: 0.85 of the "
        "distance below which 1 in 10,000 pairs of 191 people lie (1.105); jump: 1 in 2,000 such pairs lies below 1.13"
        "; far: 0.1 % of the members and 83 to 97 % of the strangers of LFW are farther",
        far=1.2,
    )
    landmarks_px = 64
    """As good as 128 (``python -m bench.face_search``, ``python -m bench.arrivals``)."""
    _SIDE = 128
    _TEMPLATE = 128 * np.array(
        [(0.3156, 0.4616), (0.6826, 0.4616), (0.5003, 0.6405), (0.3495, 0.8247), (0.6534, 0.8247)]
    )

    def __init__(self, directory: Path | None = None) -> None:
        """``directory`` as in ``models.registry.find``. Raises ``ModelError``."""
        xml, weights = find(self.name, directory)
        self._session = IrSession(xml, weights, self.name, (-1, 3, self._SIDE, self._SIDE))
        _rehearse(self, self._TEMPLATE, self._SIDE)

    def encode(self, image: Image, landmarks: Floats) -> Floats:
        chips = _chips(image, landmarks, self._TEMPLATE, self._SIDE)
        if not len(chips):
            return np.empty((0, self.size), np.float32)
        tensor = np.ascontiguousarray(chips.transpose(0, 3, 1, 2), np.float32)
        rows = mean_of_both(self._session.run(tensor).reshape(len(chips), self.size))
        _wipe(chips, tensor)
        return rows


class DlibEncoder:
    """dlib's ResNet-128, run by onnxruntime from the installed weights; dlib itself is not used.

    Source: http://dlib.net/dnn_face_recognition_ex.cpp.html. Compared by the direction of its vectors.
    """

    name = BUILT_IN
    version = "2"
    """1 was the chip from dlib's 5-point predictor, without the mirror image, not of unit length."""
    licence = "CC0-1.0"
    size = 128
    rule = MatchRule(
        ratio=0.72,
        cap=0.28,
        jump=0.40,
        decoys=100,
        measured="ratio: 19 Asian members of CASIA-FaceV5 with 0.75 gave FPIR 0.07 %, lowered a step; cap: 0.8 of the "
        "distance below which 1 in 10,000 pairs of 191 people lie (0.353); jump: 1 in 200 such pairs lies below it",
    )
    _TEMPLATE = np.array([(47.4, 46.4), (101.6, 46.4), (74.5, 78.9), (51.5, 103.5), (97.5, 103.5)])
    """Where CenterFace's landmarks lie in the chips that dlib cuts with its own detector and 5-point predictor: medians
    over 190 pictures of as many people, made symmetrical (``python -m bench.faces template``)."""
    landmarks_px = 128
    """Of 100 visits 76 are recognised, 74 with 64 (``python -m bench.arrivals``; 80 where 128 is used throughout)."""

    def __init__(self, cache: Path | None = None) -> None:
        """``cache``: directory of the exported network, see ``resnet_onnx``. Raises ``ModelError``."""
        self._session = Session(resnet_onnx(cache), self.name)
        _rehearse(self, self._TEMPLATE, SIDE)

    def encode(self, image: Image, landmarks: Floats) -> Floats:
        chips = _chips(image, landmarks, self._TEMPLATE, SIDE)
        if not len(chips):
            return np.empty((0, self.size), np.float32)
        tensor = np.ascontiguousarray(chips[..., ::-1].transpose(0, 3, 1, 2), np.float32)
        rows = mean_of_both(np.asarray(self._session.run({INPUT: tensor})[0], np.float32))
        _wipe(chips, tensor)
        return rows


class SuppliedEncoder:
    """An ONNX file of the operator, with a calibration of its own (``yingke identify --calibrate``).

    Without one it is refused: the distances of one encoder mean nothing to another. While a calibration is being made,
    ``uncalibrated=True`` gives an encoder whose rule accepts nothing.
    """

    landmarks_px = 128
    """Nothing is known of how it bears crooked chips."""

    def __init__(self, config: SuppliedEncoderConfig, *, uncalibrated: bool = False) -> None:
        """Raises ``ModelError`` for a file that cannot be used and for a calibration of another one."""
        content = _read(config.file)
        self.name, self.licence = config.name, config.licence
        self.version = f"{hashlib.sha256(content).hexdigest()[:12]}-{config.digest()}"
        self._config = config
        self._template = config.side * np.array(config.landmarks, np.float64)
        self._session = Session(content, self.name)
        self._input = next(iter(self._session.inputs))
        self.size = int(self._run(np.zeros((2, config.side, config.side, 3), np.uint8)).shape[1])
        self.population: Population | None = None
        self.rule = _ACCEPTS_NOTHING
        if not uncalibrated:
            calibration = Calibration.read(config.calibration).of(self.name, self.version)
            self.rule, self.population = calibration.rule, calibration.population
        _rehearse(self, self._template, config.side)

    def encode(self, image: Image, landmarks: Floats) -> Floats:
        chips = _chips(image, landmarks, self._template, self._config.side)
        if not len(chips):
            return np.empty((0, self.size), np.float32)
        rows = mean_of_both(self._run(chips))
        _wipe(chips)
        return rows

    def _run(self, chips: Image) -> Floats:
        ordered = chips if self._config.colour == "bgr" else chips[..., ::-1]
        tensor = (ordered.astype(np.float32) - np.array(self._config.mean, np.float32)) * np.float32(self._config.scale)
        stacked = np.ascontiguousarray(tensor.transpose(0, 3, 1, 2))
        fixed = self._session.inputs[self._input][0] == 1
        parts = [stacked[k : k + 1] for k in range(len(stacked))] if fixed else [stacked]
        rows = np.concatenate([np.asarray(self._session.run({self._input: part})[0], np.float32) for part in parts])
        _wipe(tensor, stacked)
        return rows.reshape(len(chips), -1)


_ACCEPTS_NOTHING = MatchRule(ratio=1e-6, cap=1e-6, jump=2.0, decoys=0, measured="not calibrated: nothing is accepted")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(
            f"face encoder {path} cannot be read: {error.strerror}", "correct models.face_encoder.file"
        ) from error


def decoys_for(encoder: FaceEncoder, count: int | None = None, seed: int = 0) -> Floats:
    """As many decoys as the encoder's rule asks for: of its calibration, or of the population that ships."""
    population = encoder.population if isinstance(encoder, SuppliedEncoder) else None
    return (population or Population.shipped(encoder.name)).draw(encoder.rule.decoys if count is None else count, seed)


def model_of(encoder: FaceEncoder) -> str:
    """What a template is bound to: vectors of another encoder, or version, cannot be compared with its own."""
    return f"{encoder.name}.{encoder.version}"


def chosen(config: ModelsConfig) -> str:
    """The name of what ``open_encoder`` would open, without opening it."""
    if config.face_encoder is not None:
        return config.face_encoder.name
    return RECOMMENDED if installed() and available(RECOMMENDED, config.directory) else BUILT_IN


def open_encoder(config: ModelsConfig | None = None, *, only: str | None = None) -> FaceEncoder:
    """The operator's encoder when one is configured, else the recommended one where it can run, else dlib's.

    ``only`` asks for one of the two by name. Raises ``ModelError``.
    """
    config = config or ModelsConfig()
    if only is not None and only not in SHIPPED:
        raise ModelError(f"unknown face encoder {only!r}", f"choose {RECOMMENDED} or {BUILT_IN}")
    if only is None and config.face_encoder is not None:
        return SuppliedEncoder(config.face_encoder)
    if only == RECOMMENDED or (only is None and installed() and available(RECOMMENDED, config.directory)):
        return RetailEncoder(config.directory)
    return DlibEncoder()
