"""dlib's face-recognition ResNet as an ONNX file, made once from the installed weights, without dlib.

Architecture: ``anet_type`` of http://dlib.net/dnn_face_recognition_ex.cpp.html; weights: davisking/dlib-models
(CC0), in ``face_recognition_models``. This is the only module that imports that package, and of its files only the
ResNet is opened: the 68-point predictor, whose training set bars commercial use, never is. Equal to dlib within 1e-5 on
the same chips (tests/models/test_dlib_resnet.py).
"""

import hashlib
import os
import tempfile
from pathlib import Path

import face_recognition_models
import numpy as np
import numpy.typing as npt

from models.dlib_file import Layer, read_layers
from models.errors import ModelError
from models.onnx_graph import Graph

Floats = npt.NDArray[np.float32]

SIDE = 150
SIZE = 128
INPUT = "chips"
_WEIGHTS_SHA256 = "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30"
_FILE_SHA256 = "77558c58810dcceb26ab270d1b98952db39666174b6b40d700f48842e7165338"
"""Of the exported file: what the cache must hold. It changes only with the code of this module."""
_MEAN_RGB = (122.782, 117.001, 104.298)
_SCALE = 256.0
_LEVELS = (
    (32, (False, False, False)),
    (64, (True, False, False, False)),
    (128, (True, False, False)),
    (256, (True, False, False)),
    (256, (True,)),
)
"""Filters, and for each block whether it halves the picture."""


def resnet_onnx(cache: Path | None = None) -> bytes:
    """The content of the ONNX file: input ``chips`` (n, 3, 150, 150) float32 RGB 0–255, one output (n, 128).

    Kept in ``cache`` (default: Yingke's folder in the user's cache directory); made anew when absent or altered; a
    cache that cannot be written is no error, the file is then made at each start (0.1 s). Raises ``ModelError`` when
    the installed weights are missing or not the accepted ones.
    """
    path = (cache or _user_cache()) / f"dlib-resnet-{_FILE_SHA256[:12]}.onnx"
    try:
        kept = path.read_bytes()
    except OSError:
        kept = b""
    if hashlib.sha256(kept).hexdigest() == _FILE_SHA256:
        return kept
    made = export(_installed_weights())
    _keep(path, made)
    return made


def export(dat: bytes) -> bytes:
    """The ONNX file of the content of dlib's ``.dat``. Raises ``ModelError`` when it holds another network."""
    layers = read_layers(dat)
    if [layer.kind for layer in layers] != ["con", "affine"] * 29 + ["fc"]:
        raise ModelError("this is not dlib's face-recognition network", "install the requirements again")
    return _Writer(layers).write()


class _Writer:
    """Puts the layers of the file, in their order, into the architecture."""

    def __init__(self, layers: list[Layer]) -> None:
        self._layers = iter(layers)
        self._graph = Graph("dlib-resnet")

    def write(self) -> bytes:
        graph = self._graph
        x = graph.input(INPUT, ("n", 3, SIDE, SIDE))
        mean = graph.weights(np.array(_MEAN_RGB, np.float32).reshape(1, 3, 1, 1))
        scale = graph.weights(np.array(_SCALE, np.float32))
        x = graph.node("Div", [graph.node("Sub", [x, mean]), scale])
        x = graph.node("Relu", [self._convolution(x, 3, 32, kernel=7, stride=2)])
        x = graph.node("MaxPool", [x], kernel_shape=[3, 3], strides=[2, 2])
        channels, side = 32, 35
        for filters, blocks in _LEVELS:
            for halves in blocks:
                x, channels, side = self._block(x, channels, filters, side, halves)
        x = graph.node("ReduceMean", [x], axes=[2, 3], keepdims=0)
        matrix = next(self._layers).weights.reshape(channels, SIZE)
        x = graph.node("MatMul", [x, graph.weights(matrix)])
        graph.output(x, ("n", SIZE))
        return graph.file()

    def _block(self, x: str, channels: int, filters: int, side: int, halves: bool) -> tuple[str, int, int]:
        """A residual block; dlib adds two tensors of unequal shape as if the smaller were filled up with zeros."""
        y = self._graph.node("Relu", [self._convolution(x, channels, filters, kernel=3, stride=2 if halves else 1)])
        y = self._convolution(y, filters, filters, kernel=3, stride=1)
        inner = (side - 3) // 2 + 1 if halves else side
        if halves:
            x = self._graph.node("AveragePool", [x], kernel_shape=[2, 2], strides=[2, 2])
        outer = (side - 2) // 2 + 1 if halves else side
        most, wide = max(channels, filters), max(inner, outer)
        y = self._filled(y, most - filters, wide - inner)
        x = self._filled(x, most - channels, wide - outer)
        return self._graph.node("Relu", [self._graph.node("Add", [x, y])]), most, wide

    def _filled(self, x: str, channels: int, pixels: int) -> str:
        if not channels and not pixels:
            return x
        return self._graph.node("Pad", [x, self._graph.weights(np.array([0, 0, 0, 0, 0, channels, pixels, pixels]))])

    def _convolution(self, x: str, channels: int, filters: int, *, kernel: int, stride: int) -> str:
        """A convolution with the gain and offset that follow it multiplied into its weights."""
        convolution, affine = next(self._layers).weights, next(self._layers).weights
        count = filters * channels * kernel * kernel
        if len(convolution) != count + filters or len(affine) != 2 * filters:
            raise ModelError("this is not dlib's face-recognition network", "install the requirements again")
        gain, offset = affine[:filters], affine[filters:]
        weights = convolution[:count].reshape(filters, channels, kernel, kernel) * gain[:, None, None, None]
        bias = convolution[count:] * gain + offset
        border = kernel // 2 if stride == 1 else 0
        return self._graph.node(
            "Conv",
            [x, self._graph.weights(weights), self._graph.weights(bias)],
            kernel_shape=[kernel, kernel],
            strides=[stride, stride],
            pads=[border] * 4,
        )


def _installed_weights() -> bytes:
    location = Path(face_recognition_models.face_recognition_model_location())
    try:
        content = location.read_bytes()
    except OSError as error:
        raise ModelError(f"{location} cannot be read: {error.strerror}", "install the requirements again") from error
    found = hashlib.sha256(content).hexdigest()
    if found != _WEIGHTS_SHA256:
        raise ModelError(
            f"{location} is not the accepted file (its SHA-256 is {found})", "install the requirements again"
        )
    return content


def _user_cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "yingke"


def _keep(path: Path, content: bytes) -> None:
    """Whole or not at all: a half-written file never gets the name."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(file.name).replace(path)
    except OSError:
        return
