"""Faces in a picture, found with CenterFace: box, score and five landmarks. What they are compared by is in
``models/encoders.py``. Arrays in, arrays out; nothing is written, kept or logged.
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from models.alignment import Floats, Image, check_picture
from models.errors import ModelError
from models.onnx_file import redeclared
from models.registry import find
from models.runtime import Session

DETECTOR = "centerface"
_INPUT = "input.1"
_OUTPUTS = {"537": 1, "538": 2, "539": 2, "540": 10}
"""Heat map, log size, offset, landmarks; with their channels."""
_STRIDE = 4
_MULTIPLE = 32


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

    def detect(self, image: Image, long_side: int | None = None) -> Faces:
        """``image``: ``(height, width, 3)`` uint8 BGR. Raises ``ModelError`` for anything else.

        ``long_side``: for this picture in place of the detector's own; the cost goes with its square.
        """
        check_picture(image)
        height, width = image.shape[:2]
        scale = min(1.0, (long_side or self._long_side) / max(height, width))
        wide, high = max(1, round(width * scale)), max(1, round(height * scale))
        small = image if scale == 1 else cv2.resize(image, (wide, high), interpolation=cv2.INTER_AREA)
        tensor = np.zeros((1, 3, _up(high), _up(wide)), np.float32)
        tensor[0, :, :high, :wide] = small[..., ::-1].transpose(2, 0, 1)
        raw = dict(zip(self._session.outputs, self._session.run({_INPUT: tensor}), strict=True))
        tensor[:] = 0
        if small is not image:
            small[:] = 0
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
