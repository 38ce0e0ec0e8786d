"""Writes an ONNX file: nodes and weights in, bytes out, without the ``onnx`` package.

Only what a plain feed-forward network needs. Field numbers are those of ``onnx.proto3``
(https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3).
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

_IR_VERSION, _OPSET = 8, 17
"""Operator set 17 belongs to version 8 of the file format."""
_FLOAT, _INT64 = 1, 7
_KINDS = {np.dtype(np.float32): _FLOAT, np.dtype(np.int64): _INT64}
_ATTRIBUTE_INT, _ATTRIBUTE_INTS = 2, 7

Weights = npt.NDArray[np.float32] | npt.NDArray[np.int64]


class Graph:
    """A network under construction; every value has a name, and every method gives the name of its result."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._nodes: list[bytes] = []
        self._weights: list[bytes] = []
        self._ends: list[bytes] = []

    def input(self, name: str, shape: Sequence[int | str]) -> str:
        """Declare a float32 input; a text as a size names a free dimension."""
        self._ends.append(_bytes(11, _declared(name, shape)))
        return name

    def output(self, name: str, shape: Sequence[int | str]) -> None:
        """Declare a value that was computed as a float32 output."""
        self._ends.append(_bytes(12, _declared(name, shape)))

    def weights(self, values: Weights) -> str:
        """Add constants, float32 or int64."""
        name = f"w{len(self._weights)}"
        content = b"".join(_integer(1, size) for size in values.shape) + _integer(2, _KINDS[values.dtype])
        little = np.ascontiguousarray(values).astype(values.dtype.newbyteorder("<"), copy=False)
        self._weights.append(_bytes(5, content + _text(8, name) + _bytes(9, little.tobytes())))
        return name

    def node(self, operator: str, inputs: Sequence[str], **attributes: int | Sequence[int]) -> str:
        """Add one step, for example ``node("Conv", [x, w, b], strides=[2, 2])``."""
        name = f"t{len(self._nodes)}"
        content = b"".join(_text(1, value) for value in inputs) + _text(2, name) + _text(4, operator)
        content += b"".join(_bytes(5, _attribute(key, value)) for key, value in attributes.items())
        self._nodes.append(_bytes(1, content))
        return name

    def file(self) -> bytes:
        """The content of the ``.onnx`` file."""
        graph = b"".join((*self._nodes, _text(2, self._name), *self._weights, *self._ends))
        opset = _text(1, "") + _integer(2, _OPSET)
        return _integer(1, _IR_VERSION) + _bytes(7, graph) + _bytes(8, opset)


def _declared(name: str, shape: Sequence[int | str]) -> bytes:
    sizes = (_text(2, size) if isinstance(size, str) else _integer(1, size) for size in shape)
    dimensions = b"".join(_bytes(1, size) for size in sizes)
    return _text(1, name) + _bytes(2, _bytes(1, _integer(1, _FLOAT) + _bytes(2, dimensions)))


def _attribute(name: str, value: int | Sequence[int]) -> bytes:
    if isinstance(value, int):
        return _text(1, name) + _integer(3, value) + _integer(20, _ATTRIBUTE_INT)
    return _text(1, name) + b"".join(_integer(8, item) for item in value) + _integer(20, _ATTRIBUTE_INTS)


def _text(field: int, value: str) -> bytes:
    return _bytes(field, value.encode())


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _integer(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _varint(value: int) -> bytes:
    result = bytearray()
    while value > 0x7F:
        result.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*result, value))
