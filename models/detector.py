"""People in a picture: YOLOX-nano (https://arxiv.org/abs/2107.08430), the person class only."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from models.config import ModelsConfig
from models.errors import ModelError
from models.registry import find
from models.runtime import Session

Floats = npt.NDArray[np.float32]

MODEL = "yolox_nano"
_STRIDES = (8, 16, 32)
_EXPORTED = 416
"""Side of the square input that the weights were exported with."""
_PAD = 114
"""Grey of the letterbox, as in training (YOLOX ``preproc``)."""


@dataclass(frozen=True, slots=True)
class Detections:
    """People found in one picture.

    ``boxes``: ``(n, 4)`` float32, x1 y1 x2 y2 as shares of the picture's width and height (0–1);
    ``scores``: ``(n,)`` float32, 0–1, highest first.
    """

    boxes: Floats
    scores: Floats

    def __len__(self) -> int:
        return len(self.scores)

    @classmethod
    def none(cls) -> "Detections":
        """A picture without people."""
        return cls(np.empty((0, 4), np.float32), np.empty(0, np.float32))


def input_size(width: int, height: int, long_side: int) -> tuple[int, int]:
    """Width and height of the network's input for a picture: its long side is ``long_side``, both multiples of 32.

    The short side is rounded to the nearest multiple that wastes least; padding costs as much as picture.
    """
    scale = long_side / max(width, height)
    return _multiple(width * scale), _multiple(height * scale)


def _multiple(pixels: float) -> int:
    # 128 is also where a protobuf varint begins to take two bytes, which ``_resized`` relies on.
    return max(128, 32 * int(np.ceil(round(pixels, 3) / 32)))


class Detector:
    """YOLOX-nano on one thread. It keeps one session, for the shape of the pictures; another shape makes another one.

    The network takes NCHW float32, BGR 0–255 without normalisation, the picture at the top left and 114 around it.
    """

    def __init__(
        self,
        *,
        long_side: int = _EXPORTED,
        threshold: float = 0.1,
        overlap: float = 0.45,
        directory: Path | None = None,
    ) -> None:
        """``long_side``: of the input, 128–1280 px; ``threshold``: lowest score that is returned; ``overlap``: IoU.

        0.1 is what the tracker's second stage can use; 0.45 is the overlap of YOLOX's own ONNX demonstration (0.65,
        with which it is evaluated, leaves two boxes on many people, and both are counted).
        Raises ``ModelError`` when the weights are missing or altered.
        """
        if not 128 <= long_side <= 1280:
            raise ModelError(f"detector size {long_side} is out of range", "choose 128 to 1280, for example 416")
        self._long_side = long_side
        self._threshold = threshold
        self._overlap = overlap
        self._weights = find(MODEL, directory)[0].read_bytes()
        self._picture: tuple[int, int] | None = None
        self._session: Session | None = None
        self._input = 0, 0

    def detect(self, image: npt.NDArray[np.uint8], _time: float | None = None, /) -> Detections:
        """``image``: ``(height, width, 3)`` uint8 BGR. The time is for detectors that remember (``models.gate``)."""
        raw = self._fill(image).run({"images": self._tensor})[0][0]
        return self._decode(raw)

    def _fill(self, image: npt.NDArray[np.uint8]) -> Session:
        """One resize into the letterbox, one pass from there into the network's own array; nothing is allocated."""
        height, width = image.shape[:2]
        if self._session is None or self._picture != (width, height):
            self._session = self._prepare(width, height)
        cv2.resize(image, self._content, dst=self._inner, interpolation=cv2.INTER_LINEAR)
        cv2.split(self._canvas, self._planes)
        for channel, plane in zip(self._tensor[0], self._planes, strict=True):
            np.copyto(channel, plane)
        return self._session

    def _prepare(self, width: int, height: int) -> Session:
        """The session for such pictures: the one that there is, where only the number of pixels changed."""
        wide, high = input_size(width, height, self._long_side)
        session = self._session if self._input == (wide, high) else None
        if session is None:
            # The old one goes first: a camera that changes its resolution never needs the memory of two.
            self._session, self._input = None, (wide, high)
            session = Session(_resized(self._weights, wide, high), MODEL)
        scale = min(wide / width, high / height)
        self._content = max(1, round(width * scale)), max(1, round(height * scale))
        self._canvas = np.full((high, wide, 3), _PAD, np.uint8)
        self._inner = self._canvas[: self._content[1], : self._content[0]]
        self._planes = [np.empty((high, wide), np.uint8) for _ in range(3)]
        self._tensor = np.empty((1, 3, high, wide), np.float32)
        grids, strides = [], []
        for stride in _STRIDES:
            x, y = np.meshgrid(np.arange(wide // stride), np.arange(high // stride))
            grids.append(np.stack([x.ravel(), y.ravel()], axis=1))
            strides.append(np.full(x.size, stride))
        self._grid = np.concatenate(grids).astype(np.float32)
        self._stride = np.concatenate(strides).astype(np.float32)[:, None]
        self._picture = width, height
        return session

    def _decode(self, raw: Floats) -> Detections:
        """``raw``: ``(N, 85)``: x, y offset in cells, log width and height in strides, objectness, 80 class scores."""
        scores = raw[:, 4] * raw[:, 5]
        keep = np.flatnonzero(scores >= self._threshold)
        if not len(keep):
            return Detections.none()
        scores = scores[keep]
        stride = self._stride[keep]
        centre = (raw[keep, :2] + self._grid[keep]) * stride
        half = np.exp(raw[keep, 2:4]) * stride / 2
        boxes = np.concatenate([centre - half, centre + half], axis=1)
        chosen = _suppress(boxes, scores, self._overlap)
        size = np.array(self._content * 2, np.float32)
        return Detections(np.clip(boxes[chosen] / size, 0, 1).astype(np.float32), scores[chosen].astype(np.float32))


def _suppress(boxes: Floats, scores: Floats, overlap: float) -> npt.NDArray[np.intp]:
    """Greedy non-maximum suppression; indices of what stays, best first."""
    order = np.argsort(-scores, kind="stable")
    boxes = boxes[order]
    area = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    corner = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    extent = np.clip(np.minimum(boxes[:, None, 2:], boxes[None, :, 2:]) - corner, 0, None)
    common = extent[..., 0] * extent[..., 1]
    clash = common > overlap * (area[:, None] + area[None, :] - common)
    alive = np.ones(len(order), bool)
    for index in range(len(order)):
        if alive[index]:
            alive[index + 1 :] &= ~clash[index, index + 1 :]
    return order[alive]


def _resized(weights: bytes, width: int, height: int) -> bytes:
    """The model with another input size: it is fully convolutional, only the declared shapes fix it to 416×416.

    In the protobuf a dimension is ``0A 03 08`` and a varint of two bytes (128–16383), so that the new value takes the
    place of the old without moving anything. The input's two dimensions and the output's number of cells are replaced.
    """
    if (width, height) == (_EXPORTED, _EXPORTED):
        return weights
    old = _dimension(_EXPORTED) * 2
    if weights.count(old) != 1:
        raise ModelError(f"{MODEL} does not declare a {_EXPORTED}×{_EXPORTED} input", "use the file of the registry")
    weights = weights.replace(old, _dimension(height) + _dimension(width))
    return weights.replace(_dimension(_cells(_EXPORTED, _EXPORTED)), _dimension(_cells(width, height)))


def _dimension(value: int) -> bytes:
    return bytes((0x0A, 0x03, 0x08, value & 0x7F | 0x80, value >> 7))


def _cells(width: int, height: int) -> int:
    return sum((width // stride) * (height // stride) for stride in _STRIDES)


def open_detector(config: ModelsConfig | None = None) -> Detector:
    """A detector of its own for one camera. Raises ``ModelError``."""
    config = config or ModelsConfig()
    return Detector(long_side=config.detector.size, directory=config.directory)
