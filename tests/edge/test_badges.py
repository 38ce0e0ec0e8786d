import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.app import build_loops
from edge.config import EdgeFile
from edge.processors.badges import KEPT_SECONDS, BadgeBoard, BadgeProcessor, BadgesConfig, Passing
from sensors.readings import TagRead
from sync.events import Event
from sync.outbox import Outbox
from sync.settings import ConfigError, load

BADGE, OTHER, RING = "E2801160600002040000A001", "E2801160600002040000A002", "30340789000C0E42DFDC1C35"


def read(time: float, epc: str = BADGE, antenna: int = 1) -> TagRead:
    return TagRead(time, epc, antenna, -55.0)


class Goods:
    """Stands for the fitting rooms or the till of the same reader."""

    def __init__(self) -> None:
        self.read: list[str] = []
        self.told: list[str] = []

    def process(self, reading: TagRead, /) -> Sequence[Event]:
        self.read.append(reading.epc)
        return ()

    def flush(self, now: float, /) -> Sequence[Event]:
        self.told.append("flush")
        return ()

    def close(self, now: float, /) -> Sequence[Event]:
        self.told.append("close")
        return ()

    def lost(self, now: float, /) -> None:
        self.told.append("lost")


def test_badges_go_to_the_board_and_never_to_what_else_the_reader_serves() -> None:
    board, goods = BadgeBoard(), Goods()
    processor = BadgeProcessor("door", BadgesConfig(epcs=(BADGE,), antennas=(1,)), board, goods)
    for reading in (read(1.0), read(2.0, RING), read(3.0, antenna=2), read(4.0, OTHER)):
        assert list(processor.process(reading)) == []
    assert goods.read == [RING, OTHER]
    assert board.passings(["door"], 0, 10, gap=3) == [Passing(BADGE, 1.0, 1.0)]
    processor.flush(5.0)
    processor.lost(6.0)
    processor.close(7.0)
    assert goods.told == ["flush", "lost", "close"]


def test_a_reader_of_badges_alone_publishes_nothing() -> None:
    processor = BadgeProcessor("door", BadgesConfig(epcs=(BADGE,)), BadgeBoard())
    events = [*processor.process(read(1.0)), *processor.process(read(1.5, RING)), *processor.flush(2.0)]
    processor.lost(3.0)
    assert [*events, *processor.close(4.0)] == []


def test_a_badge_that_was_away_has_come_again() -> None:
    board = BadgeBoard()
    for time in (1.0, 2.0, 3.0, 9.0, 10.0):
        board.note("door", BADGE, time)
    assert board.passings(["door"], 0, 20, gap=3) == [Passing(BADGE, 1.0, 3.0), Passing(BADGE, 9.0, 10.0)]
    assert board.passings(["door"], 0, 20, gap=6) == [Passing(BADGE, 1.0, 10.0)]
    assert board.passings(["till"], 0, 20, gap=3) == []


@given(st.lists(st.tuples(st.floats(0, 1e4), st.sampled_from("abc")), max_size=200), st.floats(1, 30))
def test_passings_hold_every_sighting_and_are_further_apart_than_the_gap(
    notes: list[tuple[float, str]], gap: float
) -> None:
    board = BadgeBoard()
    for time, badge in sorted(notes):
        board.note("door", badge, time)
    found = board.passings(["door"], 0, 1e5, gap)
    newest = max((time for time, _ in notes), default=0.0)
    for time, badge in notes:
        if time >= newest - KEPT_SECONDS:
            # A sighting a moment after another one is not noted of its own.
            assert any(one.badge == badge and one.first - 0.25 <= time <= one.last + 0.25 for one in found)
    for one in found:
        for other in found:
            assert one is other or one.badge != other.badge or abs(one.first - other.first) > gap


def test_the_board_is_bounded_in_time_and_number_also_when_the_clock_is_set_back() -> None:
    board = BadgeBoard()
    for tick in range(20_000):
        board.note("door", f"B{tick % 500}", tick * 0.001)
    assert board.sightings <= 5_000
    board.note("door", BADGE, 1_000.0)
    assert board.sightings == 1
    board.note("door", BADGE, 10.0)
    assert [one.first for one in board.passings(["door"], 0, 2_000, 3)] == [10.0, 1_000.0]
    for tick in range(6_000):
        board.note("door", f"C{tick}", 11.0 + tick * 0.001)
    assert board.sightings <= 5_000
    assert len(board._last) <= 5_000


def test_readers_write_while_cameras_ask() -> None:
    board, wrong, stop = BadgeBoard(), [], threading.Event()

    def write(reader: str) -> None:
        for tick in range(1_500):
            board.note(reader, f"{reader}-{tick % 7}", tick * 0.3)

    def ask() -> None:
        while not stop.is_set():
            for one in board.passings(["a", "b"], 0, 1e6, gap=3.0):
                if not one.first <= one.last or one.badge[0] not in "ab":
                    wrong.append(one)

    asking = [threading.Thread(target=ask) for _ in range(2)]
    writing = [threading.Thread(target=write, args=(reader,)) for reader in "abc"]
    for thread in (*asking, *writing):
        thread.start()
    for thread in writing:
        thread.join()
    stop.set()
    for thread in asking:
        thread.join()
    assert wrong == []
    # Every reader's last two minutes are there, whoever asked meanwhile.
    newest = 1_499 * 0.3
    for reader in "abc":
        badges = {one.badge for one in board.passings([reader], newest - 60, newest, gap=30)}
        assert badges == {f"{reader}-{number}" for number in range(7)}


STORE = """
store: {id: s1, timezone: UTC}
sensors:
  cameras: [{name: door, url: "rtsp://192.0.2.1/s"}]
  rfid: [{name: entrance, type: llrp, host: 192.0.2.2}]
edge:
  counting:
    door:
      lines: [{name: a, start: [0.5, 0.1], end: [0.5, 0.9], entering: positive}]
      staff: {badges: {readers: [READER]}}
  badges: BADGES
"""


def test_a_reader_may_serve_badges_alone_and_a_camera_names_a_reader_that_looks_for_them(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    good = STORE.replace("READER", "entrance").replace("BADGES", f"{{entrance: {{epcs: [{BADGE}]}}}}")
    path.write_text(good)
    assert load(path, EdgeFile).edge.badges["entrance"].epcs == (BADGE,)
    for wrong, message in (
        (good.replace("[entrance]", "[till]"), "no badges are looked for at till"),
        (
            STORE.replace("READER", "entrance").replace("BADGES", "{}"),
            "edge.tryons.entrance or edge.items.entrance or edge.badges.entrance",
        ),
        (good.replace(BADGE, "E28011"), "edge.badges.entrance.epcs"),
    ):
        path.write_text(wrong)
        with pytest.raises(ConfigError, match=message):
            load(path, EdgeFile)


def test_a_badge_that_a_reader_sees_is_on_the_board_that_the_cameras_of_the_box_ask(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(STORE.replace("READER", "entrance").replace("BADGES", f"{{entrance: {{epcs: [{BADGE}]}}}}"))
    config = load(path, EdgeFile)
    with Outbox(tmp_path / "outbox.db", "s1", config.sync.outbox, lambda: 0.0) as outbox:
        camera, reader = build_loops(config, outbox, lambda: 0.0)
    reader._processor.process(read(5.0))
    entries = camera._processor._counting._entries  # type: ignore[attr-defined]
    assert entries._board.passings(["entrance"], 0, 10, gap=3) == [Passing(BADGE, 5.0, 5.0)]
    assert entries.hold == 6.0
