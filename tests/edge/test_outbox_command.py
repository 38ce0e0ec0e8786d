"""``yingke outbox``: status, replay and salvage as a person and as a program call them."""

import json
from pathlib import Path

import pytest

from sync.outbox import Outbox
from tests.sync.making import T0, arrival, visit
from yingke import main


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "outbox.db"
    with Outbox(path, "s1") as outbox:
        outbox.put([visit(T0), visit(T0 + 1), arrival(T0 + 2), visit(T0 + 3)])
        outbox.confirm(1)
    return path


def test_status_counts_what_waits_by_kind(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["outbox", "status", "--file", str(path), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["store"], report["last"], report["confirmed"], report["backlog"]) == ("s1", 4, 1, 3)
    assert report["waiting"] == {"alerts": 1, "events/visit": 2}
    assert report["oldest"].startswith("2026-")
    assert main(["outbox", "status", "--file", str(path)]) == 0
    assert "waiting for the centre: 3" in capsys.readouterr().out


def test_status_works_while_the_box_runs(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Outbox(path, "s1") as outbox:
        outbox.put([visit()])
        assert main(["outbox", "status", "--file", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["last"] == 5


def test_replay_unconfirms_from_a_number_on(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Outbox(path, "s1") as outbox:
        outbox.confirm(4)
    assert main(["outbox", "replay", "--file", str(path), "--from", "3", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"replayed": 2}
    with Outbox(path, "s1") as outbox:
        assert outbox.status().backlog == 2


def test_salvage_makes_a_new_outbox(path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["outbox", "salvage", str(path), str(tmp_path / "new.db")]) == 0
    assert "4 events saved, 0 lost" in capsys.readouterr().out


@pytest.mark.parametrize("content", [None, b"", b"junk" * 1000])
def test_a_file_that_is_no_outbox_is_one_line_with_a_fix(
    tmp_path: Path, content: bytes | None, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "file"
    if content is not None:
        path.write_bytes(content)
    for command in ("status", "replay"):
        assert main(["outbox", command, "--file", str(path)]) == 1
        captured = capsys.readouterr()
        assert captured.out == ""
        assert [line.split(":")[0] for line in captured.err.splitlines()] == ["error", "fix"]


def test_a_folder_instead_of_an_outbox_is_one_line_that_names_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in (["status", "--file"], ["replay", "--file"], ["salvage"]):
        more = [str(tmp_path / "new.db")] if command == ["salvage"] else []
        assert main(["outbox", *command, str(tmp_path), *more]) == 1
        error = capsys.readouterr().err
        assert [line.split(":")[0] for line in error.splitlines()] == ["error", "fix"]
        assert "outbox.db" in error


def test_a_text_instead_of_an_outbox_is_not_called_a_damaged_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("what we sold today\n" * 100)
    for command in (["status", "--file"], ["salvage"]):
        more = [str(tmp_path / "new.db")] if command == ["salvage"] else []
        assert main(["outbox", *command, str(path), *more]) == 1
        error = capsys.readouterr().err
        assert "is no outbox" in error
        assert "salvage" not in error
