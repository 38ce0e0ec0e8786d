"""OpenVINO, an optional extra (``pip install 'yingke[openvino]'``): the only module that imports it."""

import importlib.util
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from models.errors import ModelError
from models.runtime import Tensor, broken, refused

_BF16 = "BF16"


def installed() -> bool:
    """Whether the extra is there; nothing is imported."""
    return importlib.util.find_spec("openvino") is not None


def package() -> Any:
    """``openvino``, without what it sends home: importing it reports the import to its maker's statistics.

    Raises ``ModelError`` where it is not installed.
    """
    if not installed():
        raise ModelError("openvino is not installed", "pip install 'yingke[openvino]', or set models.runtime to auto")
    # Where this package cannot be imported, OpenVINO takes a stub of its own, which does nothing.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino


def has_bfloat16() -> bool:
    """Whether this CPU computes with bfloat16. Raises ``ModelError`` where OpenVINO is not installed."""
    return _BF16 in package().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


class OpenVinoSession:
    """One ONNX model on one CPU thread; see ``models.runtime.Inference``.

    Where dimensions are free, it is compiled for the first shape that comes, and once more for all others: an
    OpenVINO model of a fixed shape is 15 % faster than one of any (measured with YOLOX-nano, 2026.4).
    """

    def __init__(self, model: bytes, name: str, *, bfloat16: bool = False) -> None:
        """``bfloat16`` rounds within the network where the CPU can. Raises ``ModelError``."""
        openvino = package()
        self._name = name
        self._core = openvino.Core()
        self._settings = {
            "INFERENCE_NUM_THREADS": 1,
            "NUM_STREAMS": 1,
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "bf16" if bfloat16 else "f32",
        }
        try:
            self._model = self._core.read_model(model)
            self._fixed = not self._model.is_dynamic()
            # Compiled here already where nothing is to be waited for, so that a broken model says so at once.
            self._any = self._request() if self._fixed else None
        except RuntimeError as error:
            raise broken(name, error) from error
        self.inputs: dict[str, tuple[int | str | None, ...]] = {
            item.get_any_name(): tuple(None if size.is_dynamic else size.get_length() for size in item.partial_shape)
            for item in self._model.inputs
        }
        self.outputs: tuple[str, ...] = tuple(item.get_any_name() for item in self._model.outputs)
        self._first: tuple[dict[str, tuple[int, ...]], Any] | None = None

    def run(self, inputs: Mapping[str, Tensor]) -> Sequence[Tensor]:
        try:
            if inputs.keys() != self.inputs.keys():
                raise ValueError("these are not its inputs")
            request = self._for({key: np.shape(value) for key, value in inputs.items()})
            request.infer(dict(inputs), share_inputs=True)
            # The request's own memory is written again by the next run.
            return [np.array(request.get_output_tensor(index).data) for index in range(len(self.outputs))]
        except (RuntimeError, ValueError, TypeError) as error:
            raise refused(self._name, inputs, self.inputs, error) from error

    def _for(self, shapes: dict[str, tuple[int, ...]]) -> Any:
        if not self._fixed and self._first is None:
            fixed = self._model.clone()
            fixed.reshape(shapes)
            self._first = shapes, self._core.compile_model(fixed, "CPU", self._settings).create_infer_request()
        if self._first is not None and self._first[0] == shapes:
            return self._first[1]
        if self._any is None:
            self._any = self._request()
        return self._any

    def _request(self) -> Any:
        return self._core.compile_model(self._model, "CPU", self._settings).create_infer_request()
