"""Mistakes in what is drawn and written about cameras: refused before anything starts, by line, field and fix."""

from pathlib import Path

import pytest

from edge.config import EdgeFile
from sync.settings import ConfigError, load

GOOD = """store: {id: s}
sensors:
  cameras:
    - {name: door, url: "rtsp://viewer@192.0.2.10/s", password_env: DOOR}
edge:
  counting:
    door:
      lines:
        - {name: entrance, start: [0.2, 0.6], end: [0.8, 0.6], entering: positive}
      zones:
        - {name: till, polygon: [[0.1, 0.1], [0.4, 0.1], [0.4, 0.4], [0.1, 0.4]]}
"""


def test_the_example_without_a_mistake_is_good(tmp_path: Path) -> None:
    path = tmp_path / "store.yaml"
    path.write_text(GOOD)
    assert load(path, EdgeFile).store.id == "s"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("end: [0.8, 0.6]", "end: [1.2, 0.6]", ":9: edge.counting.door.lines.0.end.0: Input should be less"),
        ("end: [0.8, 0.6]", "end: [640, 360]", "edge.counting.door.lines.0.end.0"),
        ("end: [0.8, 0.6]", "end: [0.2, 0.6]", "start and end are the same point"),
        (
            "[0.4, 0.4], [0.1, 0.4]]",
            "[0.1, 0.4], [0.4, 0.4]]",
            ":11: edge.counting.door.zones.0.polygon: the zone crosses",
        ),
        ("[0.1, 0.4]]", "[-0.1, 0.4]]", "edge.counting.door.zones.0.polygon.3.0"),
        ("name: till", "name: entrance", "a line and a zone are both called entrance"),
        ("password_env: DOOR", "rotate: 45", ":4: sensors.cameras.0.rotate: Input should be 0, 90, 180 or 270"),
        ("password_env: DOOR", "max_fps: 0", "sensors.cameras.0.max_fps"),
        ("viewer@192", "192", "a password needs a url with a user"),
        ("    door:", "    window:", "edge.counting.window: there is no such sensor; sensors has door"),
    ],
)
def test_a_mistake_is_named_with_its_field(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert GOOD.count(old) == 1
    path = tmp_path / "store.yaml"
    path.write_text(GOOD.replace(old, new))
    with pytest.raises(ConfigError) as caught:
        load(path, EdgeFile)
    assert said in str(caught.value)
    assert caught.value.fix
