import hashlib
from pathlib import Path

import pytest

from models.errors import ModelError
from models.registry import ENVIRONMENT, MODELS, available, find
from tests.shared_data import shared


@pytest.fixture(autouse=True)
def _no_directory_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ENVIRONMENT, raising=False)


def test_the_shipped_detector_is_found_and_is_the_accepted_file() -> None:
    (path,) = find("yolox_nano")
    assert path.parent.name == "weights"
    assert f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}" in MODELS["yolox_nano"].files[0].digests


def test_every_shipped_model_has_its_licence_beside_it() -> None:
    for model in MODELS.values():
        if model.shipped:
            (path, *_) = find(model.name)
            assert list(path.parent.glob(f"{path.stem}.LICENSE*.txt")), model.name


def test_the_directory_of_the_environment_goes_before_the_configured_and_the_shipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, configured = tmp_path / "mine", tmp_path / "configured"
    for directory in (mine, configured):
        directory.mkdir()
        (directory / "yolox_nano.onnx").write_bytes(find("yolox_nano")[0].read_bytes())
    assert find("yolox_nano", configured)[0].parent == configured
    monkeypatch.setenv(ENVIRONMENT, str(mine))
    assert find("yolox_nano", configured)[0].parent == mine


def test_an_altered_file_is_refused_by_name_and_never_skipped(tmp_path: Path) -> None:
    (tmp_path / "yolox_nano.onnx").write_bytes(b"not a model")
    with pytest.raises(ModelError, match=r"yolox_nano\.onnx is not the accepted file") as caught:
        find("yolox_nano", tmp_path)
    assert "remove it" in caught.value.fix


def test_a_model_that_is_not_shipped_says_where_to_get_it() -> None:
    assert not available("face-reidentification-retail-0095")
    with pytest.raises(ModelError, match="was not found") as caught:
        find("face-reidentification-retail-0095")
    assert "https://storage.openvinotoolkit.org/" in caught.value.fix


def test_an_unknown_model_and_a_directory_that_is_none_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="unknown model 'nobody'"):
        find("nobody")
    with pytest.raises(ModelError, match="is not a directory"):
        find("yolox_nano", tmp_path / "absent")


@pytest.mark.parametrize("name", [name for name, model in MODELS.items() if not model.shipped])
def test_the_recommended_files_are_accepted_also_one_folder_deeper(name: str) -> None:
    directory = shared("models")
    assert available(name, directory)
    assert len(find(name, directory)) == len(MODELS[name].files)
