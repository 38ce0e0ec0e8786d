"""Which runtime a model runs on: the faster one on this CPU, measured when the first is asked for."""

import logging
import time
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Literal

import numpy as np

from models import openvino_session
from models.errors import ModelError
from models.runtime import Inference, Session

log = logging.getLogger("yingke.models")

Runtime = Literal["auto", "onnxruntime", "openvino"]
Precision = Literal["float32", "bfloat16"]
Start = Callable[[bytes, str], Inference]
"""Makes a session from the content of an ``.onnx`` file and its name."""

_ROUNDS = 12
_LONGEST_S = 0.4
"""Of the timed runs together; loading and compiling take about as long again."""
_GAIN = 0.95
"""OpenVINO is taken where it needs less than this share of the time: less is within the noise."""


def starter(runtime: Runtime, precision: Precision, model: bytes, name: str, shape: tuple[int, ...]) -> Start:
    """How to make sessions of ``model``, of which a usual input has ``shape``. Raises ``ModelError``.

    ``auto`` measures once in a process, for each model and precision, and logs both figures.
    """
    if runtime == "onnxruntime" or (runtime == "auto" and not openvino_session.installed()):
        if precision != "float32":
            raise ModelError(
                f"{precision} needs OpenVINO", "pip install 'yingke[openvino]', or set models.precision to float32"
            )
        return Session
    other = _openvino(precision)
    if runtime == "openvino":
        return other
    return other if _faster(model, name, shape, precision) else Session


def _openvino(precision: Precision) -> Start:
    bfloat16 = precision == "bfloat16" and openvino_session.has_bfloat16()
    if precision == "bfloat16" and not bfloat16:
        log.warning("this CPU has no bfloat16: detection runs with float32")
    return partial(openvino_session.OpenVinoSession, bfloat16=bfloat16)


@lru_cache
def _faster(model: bytes, name: str, shape: tuple[int, ...], precision: Precision) -> bool:
    """Whether OpenVINO is, in CPU time: the shortest of several runs in turns, which others disturb least."""
    sessions: tuple[Inference, Inference] = Session(model, name), _openvino(precision)(model, name)
    array = np.random.default_rng(0).uniform(0, 255, shape).astype(np.float32)
    best = [np.inf, np.inf]
    began = None
    for turn in range(_ROUNDS + 1):
        for index, session in enumerate(sessions):
            before = time.process_time()
            session.run(dict.fromkeys(session.inputs, array))
            # The first turn allocates and compiles.
            best[index] = min(best[index], time.process_time() - before) if turn else np.inf
        began = began or time.perf_counter()
        if turn and time.perf_counter() - began > _LONGEST_S:
            break
    faster = best[1] < _GAIN * best[0]
    log.info(
        "%s: onnxruntime %.1f CPU ms, OpenVINO (%s) %.1f ms; %s is used",
        name,
        best[0] * 1000,
        precision,
        best[1] * 1000,
        "OpenVINO" if faster else "onnxruntime",
    )
    return faster
