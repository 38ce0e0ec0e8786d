"""Mode entrance starts only with a site check that holds."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from edge.processors.recognition_config import RecognitionConfig
from edge.processors.site_check import SiteCheck, must_hold, upper_bound
from models.encoders import BUILT_IN
from models.errors import ModelError
from sync.members.register import Register
from tests.edge.test_recognition import ENTRANCE
from tests.shared_data import shared
from tests.sync.members.test_register import NOW
from yingke import main

ENCODER = f"{BUILT_IN}.2"
DAY = 86_400.0


def checked(folder: Path, *, faces: int = 400, alerts: int = 0, encoder: str = ENCODER, store: str = "s1") -> Path:
    path = folder / "check.json"
    SiteCheck.of(store, encoder, 20, faces, alerts, "pictures", NOW).save(path)
    return path


def config(path: Path, **change: Any) -> RecognitionConfig:
    return RecognitionConfig.model_validate(ENTRANCE | {"site_check": path} | change)


def test_rule_1_entrance_holds_with_a_check_of_enough_faces(tmp_path: Path) -> None:
    assert must_hold(config(checked(tmp_path)), "s1", ENCODER, NOW + 89 * DAY).faces == 400


@pytest.mark.parametrize(
    ("made", "days", "encoder", "message"),
    [
        ({}, 92, ENCODER, "holds for 90 days"),
        ({}, -2, ENCODER, "holds for 90 days"),
        ({}, 1, "another.1", "another.1 is in use"),
        ({"store": "s2"}, 1, ENCODER, "made in store s2"),
        ({"faces": 200}, 1, ENCODER, "1.0% is allowed"),
        ({"faces": 400, "alerts": 3}, 1, ENCODER, "3 false alerts among 400"),
    ],
)
def test_rule_1_entrance_refuses_a_check_that_says_too_little(
    tmp_path: Path, made: dict[str, Any], days: float, encoder: str, message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        must_hold(config(checked(tmp_path, **made)), "s1", encoder, NOW + days * DAY)


def test_rule_1_entrance_refuses_a_missing_check_and_one_with_a_better_bound_written_in(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be read"):
        must_hold(config(tmp_path / "none.json"), "s1", ENCODER, NOW)
    path = checked(tmp_path, alerts=20)
    document = json.loads(path.read_text())
    path.write_text(json.dumps(document | {"upper_95": 0.0}))
    with pytest.raises(ModelError, match="20 false alerts"):
        must_hold(config(path), "s1", ENCODER, NOW)


@given(faces=st.integers(1, 2000), share=st.floats(0, 1))
def test_with_a_higher_rate_than_the_bound_so_few_alerts_are_rarer_than_one_in_twenty(faces: int, share: float) -> None:
    alerts = round(share * (faces - 1))
    bound = upper_bound(alerts, faces)
    assert binom.cdf(alerts, faces, bound) == pytest.approx(0.05, abs=1e-6)
    assert upper_bound(0, 299) <= 0.01 < upper_bound(0, 298)


def test_the_check_counts_strangers_who_would_be_told_of_and_writes_no_face(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    strangers = tmp_path / "strangers"
    strangers.mkdir()
    for file in sorted(shared("data/faces/lfw_subset/strangers").glob("*.jpg"))[:30]:
        (strangers / file.name).symlink_to(file)
    path = tmp_path / "config.yaml"
    path.write_text(f"store: {{id: s1}}\nedge: {{data: '{tmp_path}/edge'}}\n")
    call = ["--config", str(path)]
    assert main(["recognition", "check", "--strangers", str(strangers), *call]) == 1
    assert "nobody is enrolled" in capsys.readouterr().err
    assert main(["consent", "give", "M-0417", "--purpose", "recognition", "--by", "guide-7", "--adult", *call]) == 0
    enrolled = sorted(shared("data/faces/lfw_subset/enrolled/Al_Sharpton").glob("*.jpg"))[:5]
    assert main(["enrol", "M-0417", *map(str, enrolled), "--by", "guide-7", *call]) == 0
    out = tmp_path / "check.json"
    assert main(["recognition", "check", "--strangers", str(strangers), "--out", str(out), *call]) == 0
    found = SiteCheck.model_validate_json(out.read_text())
    assert (found.members, found.false_alerts, found.store) == (1, 0, "s1")
    assert 25 <= found.faces <= 30
    # The member's own pictures are no strangers', and every one of them is counted as an alert.
    assert main(["recognition", "check", "--strangers", str(enrolled[0].parent), "--out", str(out), *call]) == 0
    assert SiteCheck.model_validate_json(out.read_text()).false_alerts >= 1
    with Register(tmp_path / "edge", "s1") as register:
        assert [entry.body["what"] for entry in register.looks("M-0417")] == ["enrolled"]
    assert np.isfinite(found.upper_95)


CLIP = "data/faces/named_samples/examples/short_hamilton_clip.mp4"


def filmed(folder: Path, video: Path, member: list[Path], capsys: pytest.CaptureFixture[str]) -> list[str]:
    """A box whose camera plays a video, with one member; the arguments of a check of it."""
    path = folder / "config.yaml"
    path.write_text(
        json.dumps(
            {
                "store": {"id": "s1"},
                "sensors": {"cameras": [{"name": "door", "url": str(video)}]},
                "edge": {
                    "data": str(folder / "edge"),
                    "counting": {
                        "door": {"lines": [{"name": "in", "start": [0, 0.5], "end": [1, 0.5], "entering": "positive"}]}
                    },
                },
            }
        )
    )
    given = ["--by", "guide-7", "--config", str(path)]
    assert main(["consent", "give", "M-0417", "--purpose", "recognition", "--adult", *given]) == 0
    assert main(["enrol", "M-0417", *map(str, member), *given]) == 0
    capsys.readouterr()
    return ["recognition", "check", "--camera", "door", "--minutes", "0.3", "--config", str(path)]


def test_a_camera_is_checked_by_its_visitors_each_of_them_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    member = sorted(shared("data/faces/lfw_subset/enrolled/Al_Sharpton").glob("*.jpg"))[:5]
    call, out = filmed(tmp_path, shared(CLIP), member, capsys), tmp_path / "check.json"
    assert main([*call, "--out", str(out)]) == 0
    found = SiteCheck.model_validate_json(out.read_text())
    assert (found.source, found.false_alerts, found.members) == ("door", 0, 1)
    # A singer and a pianist, whom the cut of the film may show as two people each; their bursts are many more.
    assert 1 <= found.faces <= 4
    said = capsys.readouterr()
    assert f"{found.faces} visitors who are none" in said.out
    assert "gallery of 1 member;" in said.out
    assert "does not start" in said.out
    assert "of 0.3 minutes" in said.err


def test_a_camera_before_which_nobody_was_gives_no_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    member = sorted(shared("data/faces/lfw_subset/enrolled/Al_Sharpton").glob("*.jpg"))[:5]
    video = tmp_path / "empty.avi"
    writer = cv2.VideoWriter(str(video), cv2.VideoWriter.fourcc(*"MJPG"), 10, (320, 240))
    for number in range(20):
        writer.write(np.full((240, 320, 3), 90 + number, np.uint8))
    writer.release()
    call, out = filmed(tmp_path, video, member, capsys), tmp_path / "check.json"
    assert main([*call, "--out", str(out)]) == 1
    assert "no face was seen" in capsys.readouterr().err
    assert not out.exists()
    assert main([*call[:3], "till", *call[4:]]) == 1
    assert "there is no camera till" in capsys.readouterr().err
