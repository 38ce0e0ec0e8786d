"""``yingke identify`` on real pictures: one JSON document, an entry for every file."""

import json
import os
import re
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

import yingke
from models.calibration import Calibration
from models.decoys import Population
from models.encoders import BUILT_IN
from models.errors import ModelError
from models.rule import MatchRule
from tests.shared_data import shared

NOBODY = Population(np.zeros(8, np.float32), np.eye(8, dtype=np.float32))


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, object]:
    assert yingke.main(["identify", *arguments, "--encoder", "dlib-resnet-v1", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert isinstance(document, dict)
    return document


def only(document: dict[str, object]) -> dict[str, object]:
    entries = document["probes"]
    assert isinstance(entries, list)
    (entry,) = entries
    return dict(entry)


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


def test_a_visit_has_one_decision_also_when_some_or_all_of_its_pictures_show_no_face(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    train = shared("data/faces/named_samples/examples/knn_examples/train")
    for visit, usable in (("morning", True), ("空", False)):
        (tmp_path / visit).mkdir()
        (tmp_path / visit / "1.jpg").write_text("no picture")
        if usable:
            shutil.copyfile(train / "obama" / "obama.jpg", tmp_path / visit / "2.jpg")
    shutil.copyfile(train / "biden" / "biden.jpg", tmp_path / "alone.jpg")
    document = run(capsys, "--enrol", str(train), "--probe", str(tmp_path), "--visit-per-folder")
    said = [(entry["file"], entry["decision"], entry["customer"]) for entry in document["probes"]]  # type: ignore[attr-defined]
    assert said == [("alone.jpg", "match", "biden"), ("morning", "match", "obama"), ("空", "nothing", None)]
    assert len(document["refused"]) == 2  # type: ignore[arg-type]


def test_probes_without_a_single_usable_face_still_have_their_decisions(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    train = shared("data/faces/named_samples/examples/knn_examples/train")
    (tmp_path / "only.jpg").write_text("no picture")
    entry = only(run(capsys, "--enrol", str(train), "--probe", str(tmp_path)))
    assert (entry["decision"], entry["problem"]) == ("nothing", "unreadable")


def test_a_person_enrolled_under_two_names_is_told_on_the_error_stream_and_in_the_document(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    train = shared("data/faces/named_samples/examples/knn_examples/train")
    for name in ("李 娜", "na li"):
        shutil.copytree(train / "obama", tmp_path / name)
    assert (
        yingke.main(
            ["identify", "--enrol", str(tmp_path), "--probe", str(train), "--encoder", "dlib-resnet-v1", "--json"]
        )
        == 0
    )
    said = capsys.readouterr()
    assert json.loads(said.out)["alike"] == [["na li", "李 娜"]]
    assert "may be one person" in said.err
    assert "fewer than 3 usable pictures" in said.err


def test_nobody_is_enrolled_from_a_blur(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    train = shared("data/faces/named_samples/examples/knn_examples/train")
    sharp = cv2.imread(str(train / "obama" / "obama.jpg"))
    assert sharp is not None
    shutil.copyfile(train / "biden" / "biden.jpg", tmp_path / "biden.jpg")
    cv2.imwrite(str(tmp_path / "obama.jpg"), cv2.GaussianBlur(sharp, (0, 0), sharp.shape[0] / 60))
    document = run(capsys, "--enrol", str(tmp_path), "--probe", str(train / "obama"))
    assert document["members"] == 1
    assert document["refused"] == [{"file": "obama.jpg", "problem": "blurred"}]


def test_a_file_name_that_is_no_text_still_has_its_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    train = shared("data/faces/named_samples/examples/knn_examples/train")
    shutil.copyfile(train / "obama" / "obama.jpg", os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.jpg"))
    entry = only(run(capsys, "--enrol", str(train), "--probe", str(tmp_path)))
    assert (entry["file"], entry["customer"]) == ("caf\N{REPLACEMENT CHARACTER}.jpg", "obama")


def test_a_directory_without_pictures_or_faces_and_a_report_on_too_little_are_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    train = str(shared("data/faces/named_samples/examples/knn_examples/train"))
    assert yingke.main(["identify", "--enrol", train, "--probe", str(tmp_path)]) == 1
    assert "holds no picture; give a folder" in capsys.readouterr().err
    (tmp_path / "a.jpg").write_text("no picture")
    assert yingke.main(["identify", "--enrol", str(tmp_path), "--probe", train]) == 1
    assert "none of the 1 pictures" in capsys.readouterr().err
    assert yingke.main(["identify", "--enrol", train, "--probe", train, "--report"]) == 1
    assert "needs strangers" in capsys.readouterr().err


def linked(target: Path, source: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.symlink_to(source)


def some_people(folder: Path, people: int, strangers: int) -> list[str]:
    """The arguments for so many people of LFW with four pictures each, and so many others; their folders are links."""
    faces = shared("data/faces/lfw_subset")
    enough = [each for each in sorted((faces / "enrolled").iterdir()) if len(list(each.glob("*.jpg"))) >= 4]
    for person in enough[:people]:
        for file in sorted(person.glob("*.jpg"))[:4]:
            linked(folder / "selected" / person.name / file.name, file)
        linked(folder / "people" / person.name, folder / "selected" / person.name)
    for file in sorted((faces / "strangers").glob("*.jpg"))[:strangers]:
        linked(folder / "strangers" / file.name, file)
    return ["--enrol", str(folder / "people"), "--probe", str(folder / "strangers"), "--encoder", BUILT_IN]


def test_a_report_is_a_table_that_claims_no_rate_that_so_few_strangers_cannot_show(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert yingke.main(["identify", *some_people(tmp_path, 4, 12), "--report"]) == 0
    first, head, row, *rest = capsys.readouterr().out.splitlines()
    assert first == "encoder dlib-resnet-v1 2 (CC0-1.0)"
    titles = re.split(r"\s{2,}", head.strip())
    shown = dict(zip(titles, re.split(r"\s{2,}", row.strip()), strict=True))
    assert (shown["members"], shown["pictures"], shown["strangers"]) == ("4", "1", "12")
    assert (shown["FPIR"], shown["misnamed"]) == ("0.00%", "0")
    assert float(shown["TPIR"].removesuffix("%")) > 60
    # One of twelve is 8 %.
    assert (shown["TPIR at FPIR 1 %"], shown["at 0.1 %"]) == ("too few", "too few")
    assert rest[-1] == "too few: with so few strangers, one alone is a larger share"


def test_a_calibration_goes_into_the_file_that_was_named_and_says_what_it_rests_on(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    arguments = some_people(tmp_path, 22, 60)
    target = tmp_path / "site.calibration"
    assert yingke.main(["identify", *arguments, "--calibrate", str(target)]) == 0
    out = capsys.readouterr().out
    made = Calibration.read(target).of(BUILT_IN, "2")
    assert f"written to {target}: " in out
    assert made.rule.measured in out
    assert "visits of 30 strangers" in out
    assert "keeps the rule that it comes with" in out
    assert 0.3 < made.rule.ratio <= 0.8


def test_a_calibration_of_too_few_people_or_to_nowhere_is_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    arguments = some_people(tmp_path, 2, 2)
    assert yingke.main(["identify", *arguments, "--calibrate", str(tmp_path / "a")]) == 1
    assert "2 people with four pictures and 2 strangers are too few" in capsys.readouterr().err
    assert not (tmp_path / "a").exists()
    with pytest.raises(ModelError, match="cannot be written"):
        Calibration("a", "1", MatchRule(0.7, 0.5, 0.5, 9, ""), NOBODY).save(tmp_path / "none" / "a")
