"""Declares anew what an ONNX file takes and gives, without the ``onnx`` package.

An export can fix its input to a toy size and list its weights among its inputs, which keeps a runtime from treating
them as constants. Only the declarations are replaced; nodes and weights are copied byte by byte. The few fields that
matter here are those of ``onnx.proto3`` (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3).
"""

from collections.abc import Iterator, Mapping, Sequence

from models.errors import ModelError

Shape = Sequence[int | str]
"""A number is fixed; a text names a dimension that is free."""

_MODEL_IR_VERSION, _MODEL_GRAPH = 1, 7
_GRAPH_INPUT, _GRAPH_OUTPUT, _GRAPH_VALUE_INFO = 11, 12, 13
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FLOAT = 1
_IR_VERSION = 4
"""The first version in which weights need not be listed among the inputs."""


def redeclared(model: bytes, inputs: Mapping[str, Shape], outputs: Mapping[str, Shape], name: str) -> bytes:
    """The model with exactly these float inputs and outputs. ``name`` is for the ``ModelError`` of a broken file."""
    graphs = 0
    result = bytearray()
    for number, kind, whole, content in _fields(model, name):
        if number == _MODEL_GRAPH and kind == _BYTES:
            graphs += 1
            result += _field(_MODEL_GRAPH, _graph(content, inputs, outputs, name))
        elif number != _MODEL_IR_VERSION:
            result += whole
    if graphs != 1:
        raise ModelError(f"model {name} is not an ONNX file", "replace the file by the one in its source")
    return _varint(_MODEL_IR_VERSION << 3 | _VARINT) + _varint(_IR_VERSION) + bytes(result)


def _graph(graph: bytes, inputs: Mapping[str, Shape], outputs: Mapping[str, Shape], name: str) -> bytes:
    result = bytearray()
    for number, _, whole, _ in _fields(graph, name):
        if number not in (_GRAPH_INPUT, _GRAPH_OUTPUT, _GRAPH_VALUE_INFO):
            result += whole
    for number, values in ((_GRAPH_INPUT, inputs), (_GRAPH_OUTPUT, outputs)):
        for value, shape in values.items():
            result += _field(number, _value(value, shape))
    return bytes(result)


def _value(name: str, shape: Shape) -> bytes:
    """A ``ValueInfoProto``: name, and a float tensor type with its shape."""
    dimensions = b"".join(
        _field(1, _field(2, size.encode()) if isinstance(size, str) else _varint(1 << 3 | _VARINT) + _varint(size))
        for size in shape
    )
    tensor = _varint(1 << 3 | _VARINT) + _varint(_FLOAT) + _field(2, dimensions)
    return _field(1, name.encode()) + _field(2, _field(1, tensor))


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | _BYTES) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    result = bytearray()
    while value > 0x7F:
        result.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*result, value))


def _fields(message: bytes, name: str) -> Iterator[tuple[int, int, bytes, bytes]]:
    """Number, wire type, the whole field, and its content where it is of the kind that has a length."""
    position = 0
    try:
        while position < len(message):
            start = position
            key, position = _read_varint(message, position)
            kind, content = key & 7, b""
            if kind == _VARINT:
                _, position = _read_varint(message, position)
            elif kind == _BYTES:
                length, position = _read_varint(message, position)
                content = message[position : position + length]
                position += length
            elif kind in (_FIXED64, _FIXED32):
                position += 8 if kind == _FIXED64 else 4
            else:
                raise IndexError
            if position > len(message):
                raise IndexError
            yield key >> 3, kind, message[start:position], content
    except IndexError as error:
        raise ModelError(f"model {name} is not an ONNX file", "replace the file by the one in its source") from error


def _read_varint(message: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
        if shift > 63:
            raise IndexError
