"""Models that come as OpenVINO IR (the recommended face encoder does), beside those that come as ONNX."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.errors import ModelError
from models.openvino_session import installed, package

__all__ = ["IrSession", "installed"]


class IrSession:
    """One IR model on one CPU thread, in float32; used by one thread at a time."""

    def __init__(self, xml: Path, weights: Path, name: str, shape: tuple[int, ...]) -> None:
        """``shape`` of its one input; -1 is free. ``name`` is for errors. Raises ``ModelError``."""
        openvino = package()
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
