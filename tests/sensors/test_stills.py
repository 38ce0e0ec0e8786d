import random
from pathlib import Path

import pytest

from sensors.errors import FormatError, SourceError
from sensors.stills import Stills

CLIP = Path(__file__).resolve().parents[2] / "edge/demo/clip.mp4"


def test_the_same_moment_is_the_same_picture_however_one_gets_there() -> None:
    rng = random.Random(3)
    with Stills(CLIP) as forward, Stills(CLIP) as jumping:
        inorder = [forward.at(tick / 10) for tick in range(300)]
        for tick in rng.sample(range(300), 25):
            still = inorder[tick]
            assert still is not None
            assert still.time == pytest.approx(tick / 10)
            assert jumping.at(tick / 10) == still


def test_length_rate_and_size_are_known_and_the_end_is_the_last_picture() -> None:
    with Stills(CLIP, width=320) as stills:
        assert (stills.duration, stills.fps, stills.size) == (80.0, 10.0, (320, 180))
        last = stills.at(1e9)
        assert last is not None
        assert last.time == pytest.approx(79.9)
        assert last.jpeg.startswith(b"\xff\xd8")
        first = stills.at(0)
        assert first is not None
        assert first.time == 0
    assert stills.at(0) is None


def test_what_is_no_video_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such file"), Stills(tmp_path / "none.mp4"):
        pass
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(FormatError, match="not a video"), Stills(tmp_path / "text.mp4"):
        pass
