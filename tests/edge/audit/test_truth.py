import json
from pathlib import Path

import pytest

from edge.audit.matching import Passing
from edge.audit.truth import read
from edge.processors.footfall import LineConfig
from sensors.errors import FormatError

DOOR = LineConfig(name="door", start=(0.5, 0.1), end=(0.5, 0.9), entering="positive")
BACK = LineConfig(name="back", start=(0.1, 0.5), end=(0.9, 0.5), entering="positive")


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "truth"
    path.write_text(text, encoding="utf-8")
    return path


def test_csv_with_minutes_and_every_name_of_a_direction(tmp_path: Path) -> None:
    text = "\ufeffTime, Direction\n1.5, in\n1:02.5,negative\n3,R2L\n4,right\n"
    people = read(written(tmp_path, text), [DOOR]).people
    assert people == [
        Passing(1.5, "door", "in"), Passing(3, "door", "out"), Passing(4, "door", "in"), Passing(62.5, "door", "out"),
    ]  # fmt: skip


def test_json_with_several_lines(tmp_path: Path) -> None:
    text = json.dumps([{"time": 2, "line": "back", "direction": "up"}, {"time": 1, "line": "door", "direction": "out"}])
    people = read(written(tmp_path, text), [DOOR, BACK]).people
    assert people == [Passing(1, "door", "out"), Passing(2, "back", "in")]


def test_spans_of_hesitation_and_the_times_that_a_note_names(tmp_path: Path) -> None:
    notes = [{"pair": "man hesitates: L2R ~69.1 s and back R2L ~70.1 s"}]
    line = {"name": "Door", "events": [{"t": 1.3, "dir": "R2L"}], "either": [[3, 4]], "tolerated": notes}
    truth = read(written(tmp_path, json.dumps({"lines": [line]})), [DOOR])
    assert truth.people == [Passing(1.3, "door", "out")]
    assert truth.either["door"] == [(3, 4), pytest.approx((68.1, 71.1))]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("time\n1\n", "must name the columns"),
        ("", "must name the columns"),
        ("time,direction\nsoon,in\n", "line 2: 'soon' is no time"),
        ("time,direction\n-3,in\n", "is no time in a recording"),
        ("time,direction\nnan,in\n", "is no time in a recording"),
        ("time,direction\n3,sideways\n", "unknown direction 'sideways'; this line has in, out, right or left"),
        ("time,direction,line\n3,in,roof\n", "there is no line roof; there are door"),
        ("time,direction\n3\n", "direction is missing"),
        ('[{"direction": "in"}]', "time is missing"),
        ("[3]", "entry 1 is not an object"),
        ("{", "not JSON"),
        ('{"line": 3}', "no list called lines"),
        ('{"lines": [{"name": "door", "events": [{"t": null, "dir": "in"}]}]}', "None is no time"),
        ('{"lines": [{"name": "door", "either": [3]}]}', "either of line door"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(FormatError) as caught:
        read(written(tmp_path, text), [DOOR])
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_and_a_binary_file_are_said(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="cannot be read"):
        read(tmp_path / "none.csv", [DOOR])
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(FormatError, match="cannot be read"):
        read(tmp_path / "binary", [DOOR])
