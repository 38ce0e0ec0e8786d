"""The inference runtime: the only module that imports onnxruntime, and what every runtime's session does."""

import os
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from models.errors import ModelError

# Since 1.31 onnxruntime's wheels send usage data to their maker, on unless this is set before the import (its
# Privacy.md; ``disable_telemetry_events`` comes too late for the device's number and the first event).
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime

Tensor = npt.NDArray[Any]

_ONLY_FATAL = 4
_RUNTIME_ERRORS = tuple(
    getattr(onnxruntime.capi.onnxruntime_pybind11_state, name)
    for name in ("Fail", "InvalidArgument", "InvalidGraph", "InvalidProtobuf", "NotImplemented", "RuntimeException")
)


class Inference(Protocol):
    """One ONNX model, loaded: ``Session`` here, ``models.openvino_session.OpenVinoSession``. One thread at a time."""

    @property
    def inputs(self) -> Mapping[str, tuple[int | str | None, ...]]:
        """Shape of each input by its name; a dimension that is free is a string or None."""

    @property
    def outputs(self) -> Sequence[str]:
        """Names of what ``run`` returns."""

    def run(self, inputs: Mapping[str, Tensor]) -> Sequence[Tensor]:
        """All outputs, in the order of ``outputs``. Raises ``ModelError`` when the arrays do not fit the model."""


class Session:
    """One ONNX model on one CPU thread.

    One thread per session: on two cores, two threads cost more CPU and more wall time than one (measured with
    YOLOX-nano), and each camera has a thread of its own already. A session is used by one thread at a time.
    """

    def __init__(self, model: bytes, name: str) -> None:
        """``model`` is the content of an ``.onnx`` file, ``name`` is for errors. Raises ``ModelError``."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = _ONLY_FATAL
        self._name = name
        try:
            self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        except _RUNTIME_ERRORS as error:
            raise broken(name, error) from error
        self.inputs: dict[str, tuple[int | str | None, ...]] = {
            item.name: tuple(item.shape) for item in self._session.get_inputs()
        }
        self.outputs: tuple[str, ...] = tuple(item.name for item in self._session.get_outputs())

    def run(self, inputs: Mapping[str, Tensor]) -> Sequence[Tensor]:
        try:
            result: Sequence[Tensor] = self._session.run(None, dict(inputs))
        except (*_RUNTIME_ERRORS, ValueError) as error:
            raise refused(self._name, inputs, self.inputs, error) from error
        return result


def broken(name: str, error: Exception) -> ModelError:
    """The error for a model that a runtime cannot load."""
    return ModelError(
        f"model {name} cannot be loaded: {_first_line(error)}", "replace the file by the one in its source"
    )


def refused(name: str, given: Mapping[str, Tensor], wanted: Mapping[str, object], error: Exception) -> ModelError:
    """The error for arrays that do not fit a model."""
    shapes = ", ".join(f"{key} {np.shape(value)}" for key, value in given.items())
    return ModelError(f"model {name} refuses {shapes}: {_first_line(error)}", f"it takes {wanted}")


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
