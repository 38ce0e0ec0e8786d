"""The calibration page's API over the demonstration's clip, the real detector and a real file."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import pytest

from dashboard.config import CentreFile
from dashboard.local.calibration import Calibration, calibration_routes
from edge.config import EdgeFile
from sync.settings import ConfigError, load
from tests.dashboard.local.serving import served_locally

CLIP = Path(__file__).resolve().parents[3] / "edge/demo/clip.mp4"
TEXT = """\
# The store of the test.
store: {{id: test-store}}
sensors:
  cameras:
    - name: door       # above the way in
      url: {clip}
    - {{name: back, url: {gone}}}
edge:
  counting:
    door:
      lines:
        # As the first installer drew it.
        - {{name: entrance, start: [0.46, 0.15], end: [0.46, 0.95], entering: positive}}
      zones:
        - {{name: till, polygon: [[0.1, 0.4], [0.4, 0.4], [0.4, 0.9]], minimum_seconds: 7}}
    # The back door has its line, too.
    back: {{lines: [{{name: rear, start: [0.2, 0.5], end: [0.8, 0.5], entering: negative}}]}}
"""
LINE = {"name": "entrance", "former": "entrance", "start": [0.5, 0.2], "end": [0.5, 0.9], "entering": "negative"}


def whole(path: Path) -> None:
    """As ``yingke calibrate`` checks the file before it is replaced."""
    load(path, EdgeFile)
    load(path, CentreFile)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "my-store.yaml"
    path.write_text(TEXT.format(clip=CLIP, gone=tmp_path / "gone.mp4"), encoding="utf-8")
    return path


@pytest.fixture
def client(config: Path) -> Iterator[httpx.Client]:
    calibration = Calibration(config, None, 8.0, whole)
    try:
        with (
            served_locally("calibration.html", calibration_routes(calibration)) as address,
            httpx.Client(base_url=f"{address}api/", timeout=30) as opened,
        ):
            yield opened
    finally:
        calibration.close()


def until(client: httpx.Client, good: Callable[[dict[str, Any]], bool], camera: str = "door") -> dict[str, Any]:
    """The first state that is good; the test's own limit ends one that never comes."""
    while True:
        state: dict[str, Any] = client.get(f"state?camera={camera}").json()
        if good(state):
            return state
        time.sleep(0.05)


def draw(client: httpx.Client, *lines: dict[str, Any], zones: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    return {"camera": "door", "lines": list(lines), "zones": zones or []}


def test_the_picture_comes_from_memory_and_people_are_seen(client: httpx.Client, tmp_path: Path) -> None:
    state = until(client, lambda state: state["phase"] == "done")
    assert state["picture"]["size"] == [640, 360]
    assert state["people"] >= 1
    assert all(0 <= x <= 1 and 0 <= y <= 1 for walk in state["walks"] for x, y in walk)
    answer = client.get("picture?camera=door")
    assert answer.headers["cache-control"] == "no-store"
    image = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    assert image.shape == (360, 640, 3)
    assert [path.name for path in tmp_path.iterdir()] == ["my-store.yaml"]


def test_a_new_picture_is_another_one(client: httpx.Client) -> None:
    before = until(client, lambda state: state["phase"] == "done")["picture"]["number"]
    first = client.get("picture?camera=door").content
    assert client.post("picture?camera=door").json()["picture"]["number"] == before + 1
    assert client.get("picture?camera=door").content != first


def test_a_camera_that_cannot_be_opened_says_why_and_what_to_do_and_another_one_works(client: httpx.Client) -> None:
    state = until(client, lambda state: state["phase"] == "failed", "back")
    assert "no such file" in state["error"]
    assert state["fix"] == "check the path of the video"
    assert client.get("picture?camera=back").status_code == 404
    assert client.post("picture?camera=back").json()["fix"] == "check the path of the video"
    assert until(client, lambda state: state["picture"] is not None)["phase"] in ("watching", "done")


def test_what_is_wrong_is_said_in_both_languages_with_its_place(client: httpx.Client) -> None:
    judged = client.post("check", json=draw(client, LINE, LINE | {"name": "b", "end": [0.5, 0.2]})).json()
    assert [(f["code"], f["severity"], f["kind"], f["index"]) for f in judged["findings"]] == [
        ("line_without_length", "error", "line", 1)
    ]
    assert set(judged["findings"][0]["text"]) == {"en", "zh"}


def test_the_input_is_proposed_from_the_people_seen(client: httpx.Client) -> None:
    until(client, lambda state: state["phase"] == "done")
    size = client.post("check", json=draw(client)).json()["size"]
    assert size["now"] == 416
    # Guests of the clip are half as high as the picture: a smaller input finds them as well.
    assert size["size"] < 416
    assert size["pixels"] >= size["least"]


def test_saving_changes_what_was_drawn_and_keeps_all_else(client: httpx.Client, config: Path) -> None:
    drawing = client.get("drawing?camera=door").json()
    assert drawing["zones"][0]["name"] == "till"
    before = config.read_text(encoding="utf-8")
    saved = client.put(
        "drawing", json=draw(client, LINE, zones=drawing["zones"]) | {"revision": drawing["revision"], "size": 352}
    )
    assert saved.status_code == 200, saved.text
    after = config.read_text(encoding="utf-8")
    changed = [line.strip() for line in after.splitlines() if line not in before.splitlines()]
    assert changed == [
        "- {name: entrance, start: [0.5, 0.2], end: [0.5, 0.9], entering: negative}",
        "detector:",
        "size: 352",
    ]
    assert all(line in after for line in before.splitlines() if "#" in line)
    assert load(config, EdgeFile).edge.counting["door"].zones[0].minimum_seconds == 7
    assert config.with_name("my-store.yaml.bak").read_text(encoding="utf-8") == before
    assert saved.json()["revision"] != drawing["revision"]


def test_a_drawing_with_an_error_is_not_saved(client: httpx.Client, config: Path) -> None:
    before = config.read_bytes()
    revision = client.get("drawing?camera=door").json()["revision"]
    bad = draw(client, LINE | {"start": [0.0, 0.1], "end": [0.0, 0.9]}) | {"revision": revision}
    answer = client.put("drawing", json=bad)
    assert answer.status_code == 409
    assert "Nobody can cross here" in answer.json()["error"]
    empty = client.put("drawing", json=draw(client) | {"revision": revision})
    assert "neither a line nor a zone" in empty.json()["error"] or "read for nothing" in empty.json()["error"]
    assert "my-store.yaml" in empty.json()["error"]
    assert config.read_bytes() == before


def test_a_file_that_changed_meanwhile_is_not_written_over(client: httpx.Client, config: Path) -> None:
    revision = client.get("drawing?camera=door").json()["revision"]
    config.write_text(config.read_text() + "# by hand\n")
    answer = client.put("drawing", json=draw(client, LINE) | {"revision": revision})
    assert answer.status_code == 409
    assert "somebody changed" in answer.json()["error"]
    assert config.read_text().endswith("# by hand\n")


def test_a_number_that_is_none_is_refused(client: httpx.Client) -> None:
    bad = '{"camera": "door", "lines": [{"name": "a", "start": [NaN, 0], "end": [0, 1], "entering": "positive"}]}'
    assert client.post("check", content=bad, headers={"Content-Type": "application/json"}).status_code == 422
    assert client.get("state?camera=attic").status_code == 404


def test_a_file_that_lacks_its_lines_can_be_calibrated_and_one_without_a_camera_says_so(tmp_path: Path) -> None:
    path = tmp_path / "new.yaml"
    path.write_text(f"store: {{id: a}}\nsensors: {{cameras: [{{name: door, url: {CLIP}}}]}}\n")
    with pytest.raises(ConfigError, match="read for nothing"):
        whole(path)
    assert list(Calibration(path, "door", 3.0, whole).cameras) == ["door"]
    with pytest.raises(ConfigError, match="there is no camera attic"):
        Calibration(path, "attic", 3.0, whole)
    path.write_text("store: {id: a}\n")
    with pytest.raises(ConfigError, match="there is no camera"):
        Calibration(path, None, 3.0, whole)
