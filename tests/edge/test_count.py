import json
from pathlib import Path
from typing import Any

import click
import cv2
import numpy as np
import pytest

from edge.commands.count import parse_line
from tests.shared_data import shared
from yingke import main

Capture = pytest.CaptureFixture[str]


def count(capture: Capture, *arguments: str) -> tuple[int, str, str]:
    code = main(["count", *arguments])
    said = capture.readouterr()
    return code, said.out, said.err


@pytest.fixture
def empty(tmp_path: Path) -> str:
    """Two seconds of a grey wall."""
    path = tmp_path / "wall.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (320, 240))
    for _ in range(20):
        writer.write(np.full((240, 320, 3), 128, np.uint8))
    writer.release()
    return str(path)


def test_a_wall_is_crossed_by_nobody_and_observed_in_full(empty: str, capsys: Capture) -> None:
    code, out, err = count(capsys, empty, "--line", "A:0.5,0,0.5,1", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out) == {
        "crossings": [],
        "totals": {"A": {"positive": 0, "negative": 0, "crossings": 0, "positive_is": "right", "negative_is": "left"}},
        "frames": 20,
        "fps": 10.0,
        "coverage": 1.0,
    }


def test_without_json_the_result_is_short_text(empty: str, capsys: Capture) -> None:
    code, out, _ = count(capsys, empty, "--line", "A:0.5,0,0.5,1", "--line", "B:0,0.5,1,0.5:foot")
    assert code == 0
    assert out.splitlines() == [
        "A: 0 crossings, 0 right, 0 left",
        "B: 0 crossings, 0 up, 0 down",
        "20 pictures analysed, 100.0% of the video observed",
    ]


def test_tiles_that_cannot_be_are_a_usage_error(empty: str, capsys: Capture) -> None:
    for wrong in ("1x1", "2", "0x3", "2x9", "axb"):
        code, _, err = count(capsys, empty, "--line", "A:0.5,0,0.5,1", "--tiles", wrong)
        assert code == 2
        assert "tile" in err
    code, out, _ = count(capsys, empty, "--line", "A:0.5,0,0.5,1", "--tiles", "2x1", "--every", "5", "--json")
    assert (code, json.loads(out)["frames"]) == (0, 4)


def test_skipped_pictures_are_no_gap(empty: str, capsys: Capture) -> None:
    document = json.loads(count(capsys, empty, "--line", "A:0.5,0,0.5,1", "--every", "4", "--json")[1])
    assert (document["frames"], document["coverage"]) == (5, 1.0)


def test_what_is_missing_of_a_damaged_file_shows_in_the_coverage(empty: str, capsys: Capture) -> None:
    content = Path(empty).read_bytes()
    Path(empty).write_bytes(content[: len(content) // 2])
    document = json.loads(count(capsys, empty, "--line", "A:0.5,0,0.5,1", "--json")[1])
    assert document["frames"] < 20
    assert document["coverage"] == pytest.approx(document["frames"] / 20)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("A", "is not of the form NAME:x1,y1,x2,y2"),
        (":0,0,1,1", "is not of the form"),
        ("A:0,0,1", "3 numbers instead of four"),
        ("A:0,0,1,x", "are not four numbers"),
        ("A:0,0,1,1.2", "1.2 is outside 0–1"),
        ("A:0,0,1,nan", "nan is outside 0–1"),
        ("A:-0.1,0,1,1", "-0.1 is outside 0–1"),
        ("A:0.5,0.5,0.5,0.5", "has no length"),
        ("A:0,0,1,1:head", "unknown anchor 'head'"),
        ("A:0,0,1,1:foot:x", "is not of the form"),
    ],
)
def test_a_line_that_cannot_be_is_a_usage_error_that_names_what_is_wrong(
    line: str, message: str, capsys: Capture
) -> None:
    code, out, err = count(capsys, "video.avi", "--line", line)
    assert (code, out) == (2, "")
    assert message in err


def test_two_lines_of_one_name_are_refused(capsys: Capture) -> None:
    code, _, err = count(capsys, "video.avi", "--line", "A:0,0,1,1", "--line", "A:0,0,1,0")
    assert code == 2
    assert "two lines are called 'A'" in err


def test_a_line_is_read_with_its_anchor() -> None:
    line = parse_line("door:0.1,0.2,0.3,0.4:foot")
    assert (line.name, line.start, line.end, line.anchor) == ("door", (0.1, 0.2), (0.3, 0.4), "foot")
    assert parse_line("door:0.1,0.2,0.3,0.4").anchor == "centre"
    with pytest.raises(click.BadParameter):
        parse_line("door:0.1,0.2,0.3")


def test_files_that_are_no_video_end_with_one_line_and_a_fix(tmp_path: Path, capsys: Capture) -> None:
    text = tmp_path / "notes.avi"
    text.write_text("hello\n")
    for path, message in ((tmp_path / "absent.avi", "no such file"), (text, "not a video"), (tmp_path, "not a file")):
        code, out, err = count(capsys, str(path), "--line", "A:0.5,0,0.5,1", "--json")
        assert (code, out) == (1, "")
        first, second = err.splitlines()
        assert first.startswith("error: ")
        assert message in first
        assert second.startswith("fix: ")


def test_a_live_address_is_refused_with_the_right_command(capsys: Capture) -> None:
    code, _, err = count(capsys, "rtsp://user:secret@cam/s", "--line", "A:0,0,1,1")
    assert code == 2
    assert "yingke edge" in err
    assert "secret" not in err


def agreement(crossings: list[dict[str, Any]], truth: dict[str, Any], line: str) -> tuple[int, int, int]:
    """Correct, false, missed of one line: same direction, within a second, each true crossing once.

    Judged as the truth says: the pair of a man who hesitates on the line may be counted or not.
    """
    open_events = [(event["t"], event["dir"]) for event in truth["events"]]
    expected = len(open_events)
    false = []
    for crossing in sorted((c for c in crossings if c["line"] == line), key=lambda c: c["t"]):
        direction = "L2R" if crossing["movement"][0] > 0 else "R2L"
        fitting = [event for event in open_events if event[1] == direction and abs(event[0] - crossing["t"]) <= 1.0]
        if fitting:
            open_events.remove(min(fitting, key=lambda event: abs(event[0] - crossing["t"])))
        else:
            false.append((crossing["t"], direction))
    hesitating = [item for item in false if 68.1 <= item[0] <= 71.1]
    if sorted(direction for _, direction in hesitating) == ["L2R", "R2L"]:
        false = [item for item in false if item not in hesitating]
    return expected - len(open_events), len(false), len(open_events)


@pytest.mark.slow
@pytest.mark.parametrize("options", [[], ["--every", "2"]])
def test_the_public_test_video_is_counted_as_by_eye(options: list[str], capsys: Capture) -> None:
    truth = json.loads(shared("data/video/vtest.truth.json").read_text())["lines"][0]
    video = shared("data/video/vtest.avi")
    lines = ["--line", "A:0.7,0.2,0.7,0.8", "--line", "feet:0.7,0.2,0.7,0.8:foot"]
    code, out, _ = count(capsys, str(video), *lines, *options, "--json")
    document = json.loads(out)
    assert code == 0
    assert document["coverage"] == 1.0
    assert agreement(document["crossings"], truth, "A") == (33, 0, 0)
    assert agreement(document["crossings"], truth, "feet") == (33, 0, 0)
    totals = document["totals"]["A"]
    assert totals["positive"] + totals["negative"] == totals["crossings"]
