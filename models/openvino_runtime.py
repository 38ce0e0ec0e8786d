"""The other inference runtime, for models that come as OpenVINO IR: the only module that imports openvino.

An extra, because it weighs 180 MB: ``pip install 'yingke[openvino]'``. Its tools import a telemetry package; they are
kept out, so nothing of the kind is loaded.
"""

import importlib
import importlib.util
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.errors import ModelError

_TOOLS = "openvino.tools.ovc"
"""The converter of other frameworks' models: not used here, and what imports ``openvino_telemetry``."""


def installed() -> bool:
    """Whether the package is there; it is not imported."""
    return importlib.util.find_spec("openvino") is not None


def _openvino() -> Any:
    if not installed():
        raise ModelError("OpenVINO is not installed", "pip install 'yingke[openvino]'")
    if "openvino" in sys.modules:
        return sys.modules["openvino"]
    sys.modules.setdefault(_TOOLS, None)  # type: ignore[arg-type]
    try:
        return importlib.import_module("openvino")
    finally:
        if sys.modules.get(_TOOLS, "") is None:
            del sys.modules[_TOOLS]


class OpenVinoSession:
    """One IR model on one CPU thread, in float32; used by one thread at a time."""

    def __init__(self, xml: Path, weights: Path, name: str, shape: tuple[int, ...]) -> None:
        """``shape`` of its one input; -1 is free. ``name`` is for errors. Raises ``ModelError``."""
        openvino = _openvino()
        self._name = name
        try:
            core = openvino.Core()
            model = core.read_model(str(xml), str(weights))
            model.reshape(openvino.PartialShape(list(shape)))
            settings = {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": "f32"}
            self._request = core.compile_model(model, "CPU", settings).create_infer_request()
        except RuntimeError as error:
            line = (str(error).strip().splitlines() or ["no reason given"])[-1][:200]
            raise ModelError(
                f"model {name} cannot be loaded: {line}", "replace the files by those in their source"
            ) from error

    def run(self, tensor: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """The first output, copied. Raises ``ModelError`` when the array does not fit the model."""
        try:
            # Shared, so that there is no second copy of what shows a face; the caller overwrites the one there is.
            self._request.infer([tensor], share_inputs=True)
        except RuntimeError as error:
            raise ModelError(f"model {self._name} refuses {tensor.shape}", "report this: it is a defect") from error
        output = self._request.get_output_tensor(0).data
        result = np.array(output, np.float32)
        # The request keeps its output until the next face comes, which may be tomorrow (PRIVACY rule 4).
        output[...] = 0
        return result
