"""What the doors say of who is inside, and how long people stay by Little's law, each with a known truth."""

import random
import threading
from collections.abc import Callable
from datetime import UTC, datetime, time
from pathlib import Path

import pytest

from edge.app import build_loops
from edge.config import EdgeFile
from edge.processors.doors import DoorBoard, Flow, nights
from edge.processors.dwell import mean_dwell
from edge.processors.estimate import Estimate
from edge.processors.site import LEAST_REFIT, Learning
from sync.events import DevicesWindow, Event, Evidence, FootfallMinute, Visit, decode, utc
from sync.outbox import Outbox
from sync.settings import StoreConfig
from tests.edge.test_devices import SITE
from tests.sensors.wifi_frames import ELEMENTS, element, pcap, probe, radiotap

SHANGHAI = StoreConfig(id="s1", timezone="Asia/Shanghai", opens=time(10), closes=time(22))
NIGHT = datetime(2026, 11, 24, 20, tzinfo=UTC).timestamp()  # 04:00 in Shanghai: the middle of 22:00 to 10:00


def crossing(at: float, direction: str, line: str = "door", *, staff: bool = False, excluded: bool = False) -> Event:
    evidence = Evidence(
        track=1, track_seconds=1, detections=5, rule="two_sided", exclusions=("re_entry",) if excluded else ()
    )
    data = {"line": line, "direction": direction, "staff": staff, "confidence": 1, "evidence": evidence}
    return Event.new("cam", at, Visit.model_validate(data))


def minutes(start: float, number: int, line: str = "door", *, coverage: float = 60, each: int = 0) -> list[Event]:
    return [
        Event.new(
            "cam",
            start + 60 * step,
            FootfallMinute(
                minute=utc(start + 60 * step), place=line, entered=each, left=each, coverage=coverage, revision=0
            ),
        )
        for step in range(number)
    ]


def board_of(*events: Event) -> DoorBoard:
    board = DoorBoard(nights(SHANGHAI))
    board.note(events)
    return board


def test_the_night_is_the_middle_of_the_closed_hours_and_at_four_for_a_store_that_never_closes() -> None:
    before = nights(SHANGHAI)
    assert before(NIGHT) == NIGHT
    assert before(NIGHT - 1) == NIGHT - 86_400
    assert before(NIGHT + 86_399) == NIGHT
    always = nights(StoreConfig(id="s1", timezone="Asia/Shanghai"))
    assert always(NIGHT + 3600) == NIGHT


def test_inside_is_the_balance_of_the_lines_since_the_night_over_the_time_that_it_lasted() -> None:
    board = board_of(
        *minutes(NIGHT, 120),
        *minutes(NIGHT, 120, "side"),
        crossing(NIGHT + 3000, "in"),
        crossing(NIGHT + 3600 + 300, "in", "side"),
        crossing(NIGHT + 3600 + 450, "out"),
    )
    # One from the beginning to 450 s, another from 300 s on: 450 + 300 of 600 s.
    assert board.mean(("door", "side"), NIGHT + 3600, 600) == pytest.approx(1.25)
    assert board.mean(("door", "side"), NIGHT + 4200, 600) == 1


def test_somebody_who_comes_back_is_inside_again_and_staff_never_are() -> None:
    board = board_of(
        *minutes(NIGHT, 60),
        crossing(NIGHT + 10, "in"),
        crossing(NIGHT + 100, "out"),
        crossing(NIGHT + 200, "in", excluded=True),
        crossing(NIGHT + 300, "in", staff=True),
    )
    assert board.mean(("door",), NIGHT + 600, 600) == 1


def test_a_missed_entry_does_not_make_the_balance_negative() -> None:
    board = board_of(*minutes(NIGHT, 60), crossing(NIGHT + 10, "out"), crossing(NIGHT + 100, "in"))
    assert board.mean(("door",), NIGHT + 600, 600) == 1


def test_a_door_that_was_not_watched_makes_the_balance_unknown_until_the_next_night() -> None:
    board = board_of(*minutes(NIGHT, 30), *minutes(NIGHT + 1800, 1, coverage=20), *minutes(NIGHT + 1860, 24 * 60))
    assert board.mean(("door",), NIGHT + 1200, 600) == 0
    assert board.mean(("door",), NIGHT + 7200, 600) is None
    assert board.mean(("door",), NIGHT + 86_400, 600) == 0
    assert board.flow(("door",), NIGHT + 7200, 600) == Flow(0, 0)  # of this window alone everything is known


def test_a_box_that_started_in_the_day_does_not_know_who_was_inside() -> None:
    board = board_of(*minutes(NIGHT + 8 * 3600, 60))
    assert board.mean(("door",), NIGHT + 8 * 3600, 600) is None


def test_visits_of_a_window_are_added_over_lines() -> None:
    board = board_of(*minutes(NIGHT, 20, each=2), *minutes(NIGHT, 20, "side", each=1))
    assert board.flow(("door", "side"), NIGHT, 600) == Flow(30, 30)
    assert board.flow(("door", "back"), NIGHT, 600) is None


def room(
    stay: Callable[[random.Random], float], per_hour: float, seed: int, growing: bool = False
) -> tuple[list[Estimate], Flow]:
    """An hour, in six windows, of a room that people enter at random and leave when their stay is over (M/G/∞)."""
    rng, spans, now = random.Random(seed), [], -8 * 3600.0
    while now < 3600:
        # Growing: nobody came before a quarter of an hour ago.
        now += rng.expovariate(per_hour / 3600)
        if not growing or now > -900:
            spans.append((now, now + stay(rng)))
    off = 1.1 ** rng.gauss(0, 1)  # a calibration is off the same way in all windows
    inside = []
    for start in range(0, 3600, 600):
        people = sum(max(0.0, min(end, start + 600) - max(begin, start)) for begin, end in spans) / 600
        inside.append(Estimate(people * off, people * off / 1.13, people * off * 1.13))
    came, went = (sum(0 <= span[index] < 3600 for span in spans) for index in (0, 1))
    return inside, Flow(came, went)


STAYS: dict[str, Callable[[random.Random], float]] = {
    "exponential": lambda rng: rng.expovariate(1 / 900),
    "lognormal": lambda rng: rng.lognormvariate(6.8024 - 0.32, 0.8),
    "constant": lambda rng: 900.0,
}


@pytest.mark.parametrize("kind", STAYS)
@pytest.mark.parametrize("per_hour", [20, 60, 240])
def test_the_mean_stay_of_a_simulated_room_is_met_and_its_interval_holds(kind: str, per_hour: float) -> None:
    rooms = [room(STAYS[kind], per_hour, seed) for seed in range(200)]
    found = [mean_dwell(inside, 600, flow) for inside, flow in rooms]
    told = [each for each in found if each is not None]
    assert len(told) > 180
    assert sum(each.value for each in told) / len(told) == pytest.approx(900, rel=0.07)
    assert sum(each.low <= 900 <= each.high for each in told) >= 0.8 * len(told)


def test_while_a_store_fills_the_mean_stay_is_not_taken_for_short() -> None:
    told = [
        mean_dwell(inside, 600, flow) for inside, flow in (room(STAYS["constant"], 120, n, True) for n in range(100))
    ]
    assert sum(each.value for each in told if each) / 100 == pytest.approx(900, rel=0.1)


def test_few_visits_and_an_empty_room_tell_no_stay() -> None:
    one = [Estimate(10, 8, 12)] * 6
    assert mean_dwell(one, 600, Flow(4, 40)) is None
    assert mean_dwell([Estimate(0, 0, 2)] * 6, 600, Flow(40, 40)) is None
    assert mean_dwell([], 600, Flow(40, 40)) is None
    assert mean_dwell(one, 600, Flow(40, 40)) is not None


LINE = {"name": "entrance", "start": [0, 0.5], "end": [1, 0.5], "entering": "positive"}
FLOOR = {"name": "floor", "polygon": [[0, 0], [1, 0], [1, 1]]}


@pytest.mark.parametrize(
    ("devices", "words"),
    [
        (
            {"doors": ["door"]},
            "edge.devices.probes.doors: there is no line or zone door; edge.counting has entrance, floor",
        ),
        ({"doors": ["entrance", "floor"]}, "edge.devices.probes.doors: lines and zones would count people twice"),
        ({"doors": ["entrance", "entrance"]}, "edge.devices.probes.doors: a door is named twice"),
        ({"doors": ["entrance"], "window_seconds": 90}, "make window_seconds a multiple of 60"),
    ],
)
def test_doors_that_cannot_count_are_refused_by_name_with_the_fix(devices: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words.replace(".", r"\.")):
        configured(devices)
    assert configured({"doors": ["entrance"]}).edge.devices["probes"].doors == ("entrance",)


def configured(devices: dict[str, object], data: str = ".yingke") -> EdgeFile:
    return EdgeFile.model_validate(
        {
            "store": {"id": "s1", "timezone": "Asia/Shanghai", "opens": "10:00", "closes": "22:00"},
            "sensors": {
                "cameras": [{"name": "cam", "url": "rtsp://192.0.2.1/"}],
                "wifi": [{"name": "probes", "type": "fifo", "path": "/run/probes"}],
            },
            "edge": {
                "data": data,
                "counting": {"cam": {"lines": [LINE], "zones": [FLOOR]}},
                "devices": {"probes": devices},
            },
        }
    )


def visits(start: float, windows: int, people: Callable[[int], int]) -> list[Event]:
    """In each window of ten minutes six come and six leave, beside what changes the number inside to ``people``."""
    events, before = [], 0
    for step in range(windows):
        begin, change = start + 600 * step, people(step) - before
        before += change
        events += [crossing(begin + 0.01 * n, "in" if change > 0 else "out", "entrance") for n in range(abs(change))]
        turns = [("in", 60.0 * n + 5) for n in range(6)] + [("out", 60.0 * n + 5) for n in range(6)]
        events += [crossing(begin + at, direction, "entrance") for direction, at in turns]
    return events


def test_a_box_refits_a_given_calibration_by_its_doors_tells_stays_and_withholds_what_drifts(tmp_path: Path) -> None:
    """Through the box's own wiring: a recorded capture of phones, the crossings of the door's camera."""
    opening, hours = NIGHT + 6 * 3600, 12
    phones = [6 + step % 9 for step in range(hours * 6)]
    # Four of five people carry a phone; at the end the doors count three times as many people as before.
    fair = LEAST_REFIT + 3
    carried = [round(number / 0.8) * (1 if step < fair else 4) for step, number in enumerate(phones)]
    packets = []
    for step, number in enumerate(phones):
        for each in range(number):
            kind = ELEMENTS + element(221, b"\x00\x10\x18" + bytes([each]))
            for burst in range(10):
                frame = probe(
                    b"\x02" + (step * 1000 + each * 20 + burst).to_bytes(5, "big"),
                    elements=kind,
                    sequence=(burst * 900 + each) % 4096,
                )
                packets.append((opening + 600 * step + 60.0 * burst + each * 3.7, radiotap(frame)))
    capture = tmp_path / "phones.pcap"
    capture.write_bytes(pcap(sorted(packets)))
    given = tmp_path / "site.json"
    given.write_text(SITE.model_copy(update={"scale": 1.0}).model_dump_json())

    document = configured({"doors": ["entrance"], "calibration": str(given)}, str(tmp_path)).model_dump(
        mode="json", exclude_none=True
    )
    document["sensors"]["wifi"] = [{"name": "probes", "type": "pcap", "paths": [str(capture)]}]
    config = EdgeFile.model_validate(document)
    with Outbox(tmp_path / "outbox.db", "s1", config.sync.outbox, lambda: 0.0) as outbox:
        camera, wifi = build_loops(config, outbox, lambda: 0.0)
        camera._sink.put(minutes(NIGHT, (6 + hours) * 60, "entrance", each=1))
        camera._sink.put(visits(opening, len(carried), carried.__getitem__))
        before = outbox.last()
        wifi.run(threading.Event())
        events = [decode(row.payload).data for row in outbox.pending(before, 1000)]
    windows = [event for event in events if isinstance(event, DevicesWindow)]
    assert len(windows) == len(phones)

    learnt = Learning(tmp_path / "wifi-probes.db", None, 600).calibration
    assert learnt is not None
    assert learnt.fitted_on == "the doors of this box"
    assert learnt.strong_dbm == -50

    # With the given calibration phones are told, after the fit people.
    fitted = windows[LEAST_REFIT + 1 : fair]
    told, people = ([each.inside.value for each in fitted if each.inside], carried[LEAST_REFIT + 1 : fair])
    assert sum(told) == pytest.approx(sum(people[: len(told)]), rel=0.15)
    first = [each.inside.value for each in windows[: LEAST_REFIT - 5] if each.inside]
    assert sum(first) < 0.92 * sum(carried[: len(first)])

    assert windows[3].dwell is None
    hour = slice(LEAST_REFIT - 20, LEAST_REFIT - 14)
    stay = windows[hour.stop + 1].dwell
    assert stay is not None
    assert stay.low <= sum(each.inside.value for each in windows[hour] if each.inside) * 600 / 60 <= stay.high

    assert [each.withheld for each in windows[-2:]] == ["drifted", "drifted"]
    assert all(each.inside is None and each.dwell is None for each in windows[-2:])


def test_a_door_that_two_cameras_have_is_refused() -> None:
    document = configured({"doors": ["entrance"]}).model_dump(mode="json", exclude_none=True)
    document["sensors"]["cameras"].append({"name": "back", "url": "rtsp://192.0.2.2/"})
    document["edge"]["counting"]["back"] = {"lines": [LINE]}
    with pytest.raises(ValueError, match="two cameras have a line or zone entrance: give each its own name"):
        EdgeFile.model_validate(document)
