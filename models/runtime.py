"""The inference runtime: the only module that imports onnxruntime."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from models.errors import ModelError

Tensor = npt.NDArray[Any]

_ONLY_FATAL = 4
_RUNTIME_ERRORS = tuple(
    getattr(onnxruntime.capi.onnxruntime_pybind11_state, name)
    for name in ("Fail", "InvalidArgument", "InvalidGraph", "InvalidProtobuf", "NotImplemented", "RuntimeException")
)


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
            raise ModelError(
                f"model {name} cannot be loaded: {_first_line(error)}", "replace the file by the one in its source"
            ) from error
        self.inputs: dict[str, tuple[int | str | None, ...]] = {
            item.name: tuple(item.shape) for item in self._session.get_inputs()
        }
        """Shape of each input by its name; a dimension that is free is a string or None."""
        self.outputs: tuple[str, ...] = tuple(item.name for item in self._session.get_outputs())

    def run(self, inputs: Mapping[str, Tensor]) -> Sequence[Tensor]:
        """All outputs, in the order of ``outputs``. Raises ``ModelError`` when the arrays do not fit the model."""
        try:
            result: Sequence[Tensor] = self._session.run(None, dict(inputs))
        except (*_RUNTIME_ERRORS, ValueError) as error:
            shapes = ", ".join(f"{key} {np.shape(value)}" for key, value in inputs.items())
            raise ModelError(
                f"model {self._name} refuses {shapes}: {_first_line(error)}", f"it takes {self.inputs}"
            ) from error
        return result


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
