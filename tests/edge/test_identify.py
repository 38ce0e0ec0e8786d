"""``yingke identify`` on real pictures: one JSON document, an entry for every file."""

import json
import shutil
from pathlib import Path

import pytest

import yingke
from tests.shared_data import shared


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, object]:
    assert yingke.main(["identify", *arguments, "--encoder", "dlib-resnet-v1", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert isinstance(document, dict)
    return document


def test_every_probe_has_a_decision_and_what_cannot_be_used_is_said(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    examples = shared("data/faces/named_samples/examples/knn_examples")
    probes = tmp_path / "probes"
    probes.mkdir()
    for name in ("obama1.jpg", "johnsnow_test1.jpg", "obama_and_biden.jpg"):
        shutil.copyfile(examples / "test" / name, probes / name)
    (probes / "note.jpg").write_text("no picture")
    document = run(capsys, "--enrol", str(examples / "train"), "--probe", str(probes))
    assert document["encoder"] == {"name": "dlib-resnet-v1", "version": "2", "licence": "CC0-1.0"}
    assert document["members"] == 5
    entries = {entry["file"]: entry for entry in document["probes"]}  # type: ignore[attr-defined]
    assert set(entries) == {path.name for path in probes.iterdir()}
    for entry in entries.values():
        assert {"file", "decision", "customer", "distance", "runner_up"} <= set(entry)
    assert (entries["obama1.jpg"]["decision"], entries["obama1.jpg"]["customer"]) == ("match", "obama")
    assert entries["johnsnow_test1.jpg"]["customer"] == "kit_harington"
    assert entries["obama_and_biden.jpg"]["problem"] == "several_faces"
    assert entries["note.jpg"]["problem"] == "unreadable"


def test_the_pictures_of_a_folder_are_one_visit_when_asked(capsys: pytest.CaptureFixture[str]) -> None:
    examples = shared("data/faces/named_samples/examples/knn_examples")
    folder = str(examples / "train")
    document = run(capsys, "--enrol", folder, "--probe", folder, "--visit-per-folder")
    entries = {entry["file"]: entry for entry in document["probes"]}  # type: ignore[attr-defined]
    assert all(entry["customer"] == name for name, entry in entries.items())
    assert entries["obama"]["files"] == ["obama/obama.jpg", "obama/obama2.jpg"]


def test_a_directory_without_faces_and_a_report_on_too_little_are_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    train = str(shared("data/faces/named_samples/examples/knn_examples/train"))
    assert yingke.main(["identify", "--enrol", train, "--probe", str(tmp_path)]) == 1
    assert "holds no picture with a face" in capsys.readouterr().err
    assert yingke.main(["identify", "--enrol", train, "--probe", train, "--report"]) == 1
    assert "needs strangers" in capsys.readouterr().err
