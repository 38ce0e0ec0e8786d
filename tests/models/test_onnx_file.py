"""An ONNX file's declarations are replaced without touching what it computes."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import models
from models.errors import ModelError
from models.onnx_file import redeclared
from models.runtime import Session

MODEL = (Path(models.__file__).parent / "weights" / "centerface.onnx").read_bytes()
OUTPUTS = {"537": 1, "538": 2, "539": 2, "540": 10}


def test_the_answers_stay_the_same_when_the_declarations_change() -> None:
    batch = np.random.default_rng(1).uniform(0, 255, (10, 3, 32, 32)).astype(np.float32)
    free = redeclared(
        MODEL, {"input.1": ("n", 3, "h", "w")}, {key: ("n", size, "y", "x") for key, size in OUTPUTS.items()}, "m"
    )
    before, after = Session(MODEL, "m"), Session(free, "m")
    assert before.inputs == {"input.1": (10, 3, 32, 32)}
    assert after.inputs == {"input.1": ("n", 3, "h", "w")}
    for old, new in zip(before.run({"input.1": batch}), after.run({"input.1": batch}), strict=True):
        np.testing.assert_allclose(new, old, rtol=1e-3, atol=1e-3)


def test_a_fixed_size_can_be_declared_and_another_is_then_refused() -> None:
    session = Session(redeclared(MODEL, {"input.1": (1, 3, 64, 96)}, {"537": (1, 1, 16, 24)}, "m"), "m")
    assert session.run({"input.1": np.zeros((1, 3, 64, 96), np.float32)})[0].shape == (1, 1, 16, 24)
    with pytest.raises(ModelError, match="refuses"):
        session.run({"input.1": np.zeros((1, 3, 64, 64), np.float32)})


@given(st.binary(max_size=200))
@example(b"")
@example(b"\x3a\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80")
@example(b"\x3a\xff\xff\x03abc")
def test_bytes_that_are_no_model_are_one_clear_error_or_a_file_of_the_same_fields(content: bytes) -> None:
    try:
        result = redeclared(content, {}, {}, "m")
    except ModelError as error:
        refusal = str(error)
    else:
        assert redeclared(result, {}, {}, "m") == result
        return
    assert refusal == "model m is not an ONNX file"


@given(st.integers(0, len(MODEL) - 1))
def test_a_file_that_was_cut_off_is_refused(length: int) -> None:
    with pytest.raises(ModelError):
        Session(redeclared(MODEL[:length], {"input.1": (1, 3, 32, 32)}, {"537": (1, 1, 8, 8)}, "m"), "m")
