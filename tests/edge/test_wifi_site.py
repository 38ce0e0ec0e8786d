import math
import random
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest

from edge.processors.devices import DevicesConfig, DevicesProcessor
from edge.processors.doors import DoorBoard, Noting
from edge.processors.estimate import Estimate
from edge.processors.site import LEAST_REFIT, WEEK_S, DriftTest, Learning
from sensors.readings import ProbeRequest
from sync.events import DevicesWindow, Event, FootfallMinute, utc
from tests.edge.test_devices import SITE, START, phone, windows


def minutes(start: float, number: int, people: float, place: str = "door") -> list[Event]:
    return [
        Event.new(
            "cam",
            start + 60 * step + 60,
            FootfallMinute(
                minute=utc(start + 60 * step),
                place=place,
                entered=0,
                left=0,
                coverage=60,
                revision=0,
                occupancy=people,
                kind="zone",
            ),
        )
        for step in range(number)
    ]


class Kept:
    def __init__(self) -> None:
        self.events: list[Event] = []

    def put(self, events: Sequence[Event]) -> None:
        self.events += events


def test_the_board_knows_a_window_only_when_every_minute_of_it_was_counted() -> None:
    board = DoorBoard()
    sink = Noting(Kept(), board)
    sink.put(minutes(START, 9, 12))
    assert board.mean(("door",), START, 600) is None
    sink.put(minutes(START + 540, 1, 2))
    assert board.mean(("door",), START, 600) == 11
    assert board.mean(("door", "side"), START, 600) is None
    sink.put(minutes(START, 10, 3, "side"))
    assert board.mean(("door", "side"), START, 600) == 14


def test_the_board_forgets_after_a_day() -> None:
    board = DoorBoard()
    board.note(minutes(START, 48 * 60, 5))
    assert board.mean(("door",), START, 600) is None
    assert len(board._minutes) <= 26 * 60 + 1


def simulated(test: DriftTest, factor: float, number: int, seed: int) -> list[bool]:
    """Whether the test has fired after each window of 20 people told as 20 x ``factor``, with noise and biased days."""
    rng = random.Random(seed)
    day, fired = 0.0, []
    for step in range(number):
        if step % 48 == 0:
            day = rng.gauss(0, 0.1)
        value = 20 * factor * math.exp(day + rng.gauss(0, 0.15))
        test.add(20, Estimate(value, value / 1.4, value * 1.4), SITE)
        fired.append(test.fired)
    return fired


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_an_estimate_that_is_off_by_two_is_found_out_within_two_hours(factor: float) -> None:
    assert all(any(simulated(DriftTest(), factor, 12, seed)) for seed in range(20))


@pytest.mark.parametrize("factor", [2 / 3, 1.5])
def test_an_estimate_that_is_off_by_half_is_found_out_within_four_hours(factor: float) -> None:
    assert sum(any(simulated(DriftTest(), factor, 24, seed)) for seed in range(20)) >= 17


def test_without_drift_hardly_a_window_is_withheld() -> None:
    fired = [each for seed in range(5) for each in simulated(DriftTest(), 1.0, 10 * 7 * 48, seed)]
    assert sum(fired) / len(fired) < 0.02


def test_after_the_drift_it_takes_good_windows_to_be_believed_again() -> None:
    test = DriftTest()
    assert simulated(test, 2.0, 60, 1)[-1]
    test.add(20, Estimate(20, 15, 26), SITE)
    assert test.fired
    for _ in range(30):
        test.add(20, Estimate(20, 15, 26), SITE)
    assert not test.fired


def test_a_nearly_empty_shop_says_nothing_about_drift() -> None:
    test = DriftTest()
    for _ in range(1000):
        test.add(0, Estimate(2.5, 0, 6), SITE)
    assert not test.fired


def day_of(people: int, start: float) -> list[ProbeRequest]:
    return [probe for number in range(people) for probe in phone(number, start=start)]


def filled(path: Path, number: int) -> Learning:
    learning = Learning(path, None, 600)
    for step in range(number):
        people = 6 + step % 9
        (window,) = windows(day_of(people, START + 600 * step))
        learning.add(window, people * 0.8, None)
    return learning


def test_a_box_without_a_calibration_learns_one_from_its_doors_and_keeps_it(tmp_path: Path) -> None:
    path = tmp_path / "wifi.db"
    assert filled(path, LEAST_REFIT - 1).calibration is None
    (window,) = windows(day_of(9, START + 600 * LEAST_REFIT))
    again = Learning(path, None, 600)
    again.add(window, 9 * 0.8, None)
    learnt = again.calibration
    assert learnt is not None
    assert learnt.quality is not None
    assert learnt.quality.windows == LEAST_REFIT
    assert learnt.scale == pytest.approx(0.8, rel=0.1)
    older = SITE.model_copy(update={"date": date(2000, 1, 1)})
    assert Learning(path, older, 600).calibration == learnt
    newer = SITE.model_copy(update={"date": date(2100, 1, 1)})
    assert Learning(path, newer, 600).calibration == newer


def test_a_week_later_it_is_fitted_again_and_two_weeks_later_forgotten(tmp_path: Path) -> None:
    learning = filled(tmp_path / "wifi.db", LEAST_REFIT)
    first = learning.calibration
    begin = START + 600 * LEAST_REFIT
    for step in range(LEAST_REFIT):
        (window,) = windows(day_of(12, begin + WEEK_S - 600 * (LEAST_REFIT + 2 - step)))
        learning.add(window, 12 * 1.4, None)
    assert learning.calibration == first
    (window,) = windows(day_of(12, begin + WEEK_S + 600))
    learning.add(window, 12 * 1.4, None)
    assert learning.calibration is not None
    assert learning.calibration != first
    (window,) = windows(day_of(12, begin + 3 * WEEK_S))
    learning.add(window, 12, None)
    assert len(learning._rows()) < 4


def test_what_is_kept_of_a_window_holds_no_pseudonym(tmp_path: Path) -> None:
    filled(tmp_path / "wifi.db", 5)
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    probes = [probe for step in range(5) for probe in day_of(14, START + 600 * step)]
    # Seven zero bytes are everywhere in a database; the numbers of phones one and up are not.
    names = {probe.device[5:] for probe in probes if probe.device[5] and probe.device[6] and probe.device[7]}
    assert names
    assert kept
    assert not any(b"\0\0\0\0\0" + name in kept for name in names)


def test_a_box_whose_doors_disagree_withholds_its_estimate(tmp_path: Path) -> None:
    (tmp_path / "site.json").write_text(SITE.model_copy(update={"date": date(2100, 1, 1)}).model_dump_json())
    board = DoorBoard()
    config = DevicesConfig(calibration=tmp_path / "site.json", doors=("door",))
    processor = DevicesProcessor("wifi", config, board=board, kept=tmp_path / "wifi.db")
    shown: list[DevicesWindow] = []
    for step in range(10):
        start = START + 600 * step
        board.note(minutes(start, 10, 60))  # three times as many as the phones make
        for probe in sorted(day_of(20, start), key=lambda probe: probe.time):
            shown += [event.data for event in processor.process(probe) if isinstance(event.data, DevicesWindow)]
    assert shown[0].inside is not None
    assert [window.withheld for window in shown[-3:]] == ["drifted"] * 3
    assert all(window.inside is None and window.bursts == 0 for window in shown[-3:])


def test_a_box_that_kept_windows_before_strengths_were_kept_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "wifi.db"
    with closing(sqlite3.connect(path)) as store, store:
        store.execute("CREATE TABLE windows (start REAL PRIMARY KEY, people REAL, devices BLOB)")
        store.execute("INSERT INTO windows VALUES (?, 9, ?)", (START - 600, bytes(9 * 12 * 4)))
    learning = filled(path, LEAST_REFIT)
    assert learning.calibration is not None
    assert learning.calibration.strong_dbm == -50
