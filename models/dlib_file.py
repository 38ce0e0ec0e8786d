"""Reads the weights out of dlib's face-recognition ResNet, without dlib.

dlib writes its network from the input to the output. Of each layer with weights the file holds the name (its length as
an integer, then the letters), for ``fc`` two sizes, and the weights as a tensor: the integer 2, four sizes, then
float32. An integer is one byte that counts its bytes (bit 7: negative) and those bytes, little-endian
(dlib/serialize.h, dlib/dnn/layers.h, dlib/dnn/tensor_tools.cpp).
"""

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from models.errors import ModelError

Floats = npt.NDArray[np.float32]
Kind = Literal["con", "affine", "fc"]

_LAYER = re.compile(rb"\x01[\x04-\x08](con|affine|fc)_\d*")
_TENSOR_VERSION = 2


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer with weights: ``con`` filters, then biases; ``affine`` gains, then offsets; ``fc`` a matrix."""

    kind: Kind
    weights: Floats
    """Flat, in the order of the file."""


def read_layers(content: bytes) -> list[Layer]:
    """Every layer with weights, from input to output. Raises ``ModelError`` when the file is not of this kind."""
    layers: list[Layer] = []
    position = 0
    while found := _LAYER.search(content, position):
        kind, position = found[1].decode(), found.end()
        if found[0][1] != len(found[0]) - 2:
            raise _broken()
        if kind == "fc":
            _, position = _integer(content, position)
            _, position = _integer(content, position)
        weights, position = _tensor(content, position)
        layers.append(Layer("con" if kind == "con" else "affine" if kind == "affine" else "fc", weights))
    return layers


def _tensor(content: bytes, position: int) -> tuple[Floats, int]:
    version, position = _integer(content, position)
    sizes = []
    for _ in range(4):
        size, position = _integer(content, position)
        sizes.append(size)
    count = int(np.prod([size for size in sizes], dtype=object))
    end = position + 4 * count
    if version != _TENSOR_VERSION or min(sizes) < 1 or end > len(content):
        raise _broken()
    return np.frombuffer(content, "<f4", count, position).astype(np.float32), end


def _integer(content: bytes, position: int) -> tuple[int, int]:
    if position >= len(content):
        raise _broken()
    size = content[position] & 0x0F
    end = position + 1 + size
    if size > 8 or content[position] & 0x70 or end > len(content):
        raise _broken()
    value = int.from_bytes(content[position + 1 : end], "little")
    return (-value if content[position] & 0x80 else value), end


def _broken() -> ModelError:
    return ModelError("this is not dlib's face-recognition network", "install the requirements again")
