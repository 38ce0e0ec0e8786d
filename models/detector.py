"""People in a picture: YOLOX-nano (https://arxiv.org/abs/2107.08430), the person class only."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from models.config import ModelsConfig
from models.errors import ModelError
from models.onnx_file import redeclared
from models.registry import find
from models.runtime import Session
from models.runtime_choice import Start, starter

Floats = npt.NDArray[np.float32]
Image = npt.NDArray[np.uint8]

MODEL = "yolox_nano"
_USUAL = 416
"""Long side of the input that the weights were exported with."""
_STRIDES = (8, 16, 32)
CELL = 32
"""Pixels of the input along the side of a cell, the coarsest stride: parts of the input are whole cells."""
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
    # Smaller inputs show nothing around a person.
    return max(128, 32 * int(np.ceil(round(pixels, 3) / 32)))


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the network's input: left, top, right, bottom, in cells of 32×32 input pixels."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def area(self) -> int:
        """Cells in it: what looking at it costs."""
        return (self.right - self.left) * (self.bottom - self.top)


class Detector:
    """YOLOX-nano on one thread. The network is fully convolutional: one session looks at pictures of any shape.

    The network takes NCHW float32, BGR 0–255 without normalisation, the picture at the top left and 114 around it.
    """

    def __init__(
        self,
        *,
        long_side: int = _USUAL,
        threshold: float = 0.1,
        overlap: float = 0.45,
        directory: Path | None = None,
        start: Start = Session,
    ) -> None:
        """``long_side``: of the input, 128–1280 px; ``threshold``: lowest score that is returned; ``overlap``: IoU.

        0.1 is what the tracker's second stage can use; 0.45 is the overlap of YOLOX's own ONNX demonstration (0.65,
        with which it is evaluated, leaves two boxes on many people, and both are counted). ``start`` makes the session
        from the model's bytes and its name (``models.runtime``).
        Raises ``ModelError`` when the weights are missing or altered.
        """
        if not 128 <= long_side <= 1280:
            raise ModelError(f"detector size {long_side} is out of range", "choose 128 to 1280, for example 416")
        self._long_side = long_side
        self._threshold = threshold
        self._overlap = overlap
        self._session = start(any_shape(find(MODEL, directory)[0].read_bytes()), MODEL)
        self._picture: tuple[int, int] | None = None

    def detect(self, image: Image, _time: float | None = None, /) -> Detections:
        """``image``: ``(height, width, 3)`` uint8 BGR. The time is for detectors that remember (``models.gate``)."""
        self._fill(image)
        high, wide = self._canvas.shape[:2]
        return self._look(Part(0, 0, wide // CELL, high // CELL))

    def detect_in(self, image: Image, parts: Sequence[Part]) -> list[Detections]:
        """What each part of the picture shows, at the same scale as in the whole; boxes are shares of the picture.

        Who is cut by the border of a part has a box that ends there, more or less.
        """
        self._fill(image)
        return [self._look(part) for part in parts]

    def cells(self, width: int, height: int) -> tuple[float, float]:
        """How many cells of the input a picture of so many pixels fills, from the top left; the last ones in part."""
        wide, high = input_size(width, height, self._long_side)
        scale = min(wide / width, high / height)
        return max(1, round(width * scale)) / CELL, max(1, round(height * scale)) / CELL

    def _fill(self, image: Image) -> None:
        """One resize into the letterbox, where every part is a view; nothing is allocated."""
        height, width = image.shape[:2]
        if self._picture != (width, height):
            self._prepare(width, height)
        cv2.resize(image, self._content, dst=self._inner, interpolation=cv2.INTER_LINEAR)

    def _prepare(self, width: int, height: int) -> None:
        wide, high = input_size(width, height, self._long_side)
        scale = min(wide / width, high / height)
        self._content = max(1, round(width * scale)), max(1, round(height * scale))
        self._canvas = np.full((high, wide, 3), _PAD, np.uint8)
        self._inner = self._canvas[: self._content[1], : self._content[0]]
        self._planes = np.empty(3 * high * wide, np.uint8)
        self._tensor = np.empty(3 * high * wide, np.float32)
        self._picture = width, height

    def _look(self, part: Part) -> Detections:
        shape = (part.bottom - part.top) * CELL, (part.right - part.left) * CELL
        size = 3 * shape[0] * shape[1]
        seen = self._canvas[part.top * CELL : part.bottom * CELL, part.left * CELL : part.right * CELL]
        planes = self._planes[:size].reshape(3, *shape)
        tensor = self._tensor[:size].reshape(1, 3, *shape)
        cv2.split(seen, list(planes))
        np.copyto(tensor[0], planes)
        raw = self._session.run({"images": tensor})[0][0]
        return self._decode(raw, shape, np.array([part.left, part.top], np.float32) * CELL)

    def _decode(self, raw: Floats, shape: tuple[int, int], origin: Floats) -> Detections:
        """``raw``: ``(N, 85)``: x, y offset in cells, log width and height in strides, objectness, 80 class scores.

        ``shape``: height and width of what the network saw, ``origin``: x and y of its corner, in input pixels.
        """
        scores = raw[:, 4] * raw[:, 5]
        keep = np.flatnonzero(scores >= self._threshold)
        if not len(keep):
            return Detections.none()
        scores = scores[keep]
        grid, strides = _grid(*shape)
        stride = strides[keep]
        centre = (raw[keep, :2] + grid[keep]) * stride + origin
        half = np.exp(raw[keep, 2:4]) * stride / 2
        boxes = np.concatenate([centre - half, centre + half], axis=1)
        chosen = suppress(boxes, scores, self._overlap)
        size = np.array(self._content * 2, np.float32)
        return Detections(np.clip(boxes[chosen] / size, 0, 1).astype(np.float32), scores[chosen].astype(np.float32))


@lru_cache(maxsize=64)
def _grid(high: int, wide: int) -> tuple[Floats, Floats]:
    """Column and row of every output ``(N, 2)``, and its stride ``(N, 1)``, for an input of so many pixels."""
    grids, strides = [], []
    for stride in _STRIDES:
        x, y = np.meshgrid(np.arange(wide // stride), np.arange(high // stride))
        grids.append(np.stack([x.ravel(), y.ravel()], axis=1))
        strides.append(np.full(x.size, stride))
    return np.concatenate(grids).astype(np.float32), np.concatenate(strides).astype(np.float32)[:, None]


def suppress(boxes: Floats, scores: Floats, overlap: float) -> npt.NDArray[np.intp]:
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


def any_shape(weights: bytes) -> bytes:
    """The model for inputs of any multiple of 32: it is fully convolutional, only declarations fix it to 416×416.

    One session for all shapes is as fast as one for each, and equal bit by bit (measured with onnxruntime 1.31).
    """
    return redeclared(weights, {"images": (1, 3, "height", "width")}, {"output": (1, "cells", 85)}, MODEL)


def open_detector(config: ModelsConfig | None = None) -> Detector:
    """A detector of its own for one camera, without the tiles (``models.gate.open_camera``). Raises ``ModelError``."""
    config = config or ModelsConfig()
    size = config.detector.size
    model = any_shape(find(MODEL, config.directory)[0].read_bytes())
    start = starter(config.runtime, config.precision, model, MODEL, (1, 3, _multiple(size * 9 / 16), _multiple(size)))
    return Detector(long_side=size, directory=config.directory, start=start)
