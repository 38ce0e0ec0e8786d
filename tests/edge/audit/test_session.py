from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.audit.ledger import LEDGER
from edge.audit.session import Session, SessionError
from tests.edge.audit.making import SETUP, keeper


@pytest.fixture
def wall(tmp_path: Path) -> Path:
    """Two seconds of a grey wall, which nobody crosses."""
    path = tmp_path / "wall.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (320, 240))
    for _ in range(20):
        writer.write(np.full((240, 320, 3), 128, np.uint8))
    writer.release()
    return path


def settled(session: Session) -> dict[str, object]:
    session._counted.wait(60)
    return session.result()


def test_taps_of_people_whom_the_box_never_counted_are_missed_and_each_can_be_revised(
    wall: Path, tmp_path: Path
) -> None:
    box = keeper(tmp_path / "box")
    with Session(wall, SETUP, box) as session:
        for tick in range(20):
            session.picture(tick / 10)
        session.finish("tester", [(0.5, "door", "in"), (1.2, "door", "out")])
        result = settled(session)
        assert result["phase"] == "result"
        assert [one["direction"] for one in result["disagreements"]] == ["in", "out"]  # type: ignore[attr-defined]
        assert result["waits"] == "the box has not run yet: it sends them when it starts"
        with pytest.raises(SessionError, match="done already"):
            session.finish("tester", [])
        with pytest.raises(SessionError, match="not every disagreement"):
            session.review(["me"])
        session.review(["me", None])
        with pytest.raises(SessionError, match="nothing to review"):
            session.review(["me", None])
    blind, reviewed = (entry.data for entry in box.ledger.check().entries)
    assert (blind.figures.people, reviewed.figures.people, reviewed.revised) == (2, 1, 1)
    assert (blind.watched_seconds, blind.video_seconds) == (2.0, 2.0)


def test_only_what_was_watched_is_compared(wall: Path) -> None:
    with Session(wall, SETUP) as session:
        with pytest.raises(SessionError, match="nothing was watched"):
            session.finish("tester", [])
        session.picture(0.8)
        session.finish("tester", [(0.5, "door", "in")])
        assert settled(session)["watched"] == pytest.approx(0.8)


@pytest.mark.parametrize("tap", [(0.5, "roof", "in"), (0.5, "door", "up"), (99.0, "door", "in"), (-1.0, "door", "in")])
def test_a_tap_that_cannot_be_is_refused_and_the_audit_goes_on(wall: Path, tap: tuple[float, str, str]) -> None:
    with Session(wall, SETUP) as session:
        session.picture(1.0)
        with pytest.raises(SessionError, match="a tap is of no line"):
            session.finish("tester", [tap])
        assert session.result()["phase"] == "tapping"


def test_before_the_person_is_done_nothing_that_was_counted_is_told(wall: Path) -> None:
    with Session(wall, SETUP) as session:
        session._counted.wait(60)
        assert set(session.result()) == {"phase", "progress"}
        assert not {"counted", "machine", "crossings"} & set(session.describe())


def test_a_ledger_in_disorder_does_not_take_the_result_from_the_page(wall: Path, tmp_path: Path) -> None:
    (tmp_path / LEDGER).write_text("{}\n")
    with Session(wall, SETUP, keeper(tmp_path)) as session:
        session.picture(2.0)
        session.finish("tester", [])
        result = settled(session)
        assert result["phase"] == "result"
        assert "not an entry" in str(result["waits"])
        assert result["lines"]["door"]["entry"] is None  # type: ignore[index]


def test_leaving_early_stops_the_count(wall: Path) -> None:
    with Session(wall, SETUP) as session:
        pass
    assert not session._thread.is_alive()
