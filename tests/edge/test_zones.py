from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from edge.config import EdgeFile
from edge.processors.footfall import FootfallConfig, FootfallProcessor, LineConfig
from edge.processors.zones import ZoneConfig
from sync.events import Event, FootfallMinute, Visit, Zone
from sync.settings import ConfigError, load
from tests.edge.test_footfall import DOOR, T0, Painted, frame, minutes, visits

MIRROR = ZoneConfig(
    name="mirror", polygon=((0.5, 0.1), (0.95, 0.1), (0.95, 0.95), (0.5, 0.95)), anchor="centre", minimum_seconds=2
)
INSIDE, OUTSIDE = (0.75, 0.5), (0.2, 0.5)


def processor(*zones: ZoneConfig, lines: Sequence[LineConfig] = ()) -> FootfallProcessor:
    return FootfallProcessor("cam", FootfallConfig(lines=tuple(lines), zones=zones or (MIRROR,)), Painted())


def stand(
    counter: FootfallProcessor, seconds: float, stays: Sequence[tuple[float, float]], *, begin: float = 0.0
) -> list[Event]:
    """Ten frames a second in which somebody stands in the zone during each of ``stays`` (begin, end)."""
    events: list[Event] = []
    for tick in range(round(begin * 10), round(seconds * 10)):
        now = tick / 10
        people = [INSIDE for start, end in stays if start <= now <= end]
        events += counter.process(frame(now, *people))
        events += counter.flush(T0 + now)
    return events


def stays_of(events: Sequence[Event]) -> list[tuple[str, float, float]]:
    """Phase, seconds since the first minute, length."""
    return [
        (event.data.phase, round(event.time.timestamp() - T0, 3), event.data.seconds)
        for event in events
        if isinstance(event.data, Zone)
    ]


def test_a_stay_is_told_of_when_it_begins_and_when_it_ends() -> None:
    events = stand(processor(), 30, [(10.0, 20.0)])
    assert stays_of(events) == [("enter", 10.0, 0.0), ("leave", 20.0, 10.0)]
    (enter, leave) = [event.data for event in events if isinstance(event.data, Zone)]
    assert (enter.zone, enter.kind, leave.kind) == ("mirror", "dwell", "dwell")


def test_somebody_who_only_passes_is_no_stay_and_in_the_occupancy_all_the_same() -> None:
    events = stand(processor(MIRROR.model_copy(update={"minimum_seconds": 10})), 70, [(10.0, 16.0)])
    assert stays_of(events) == []
    minute = minutes(events)[0, "mirror"]
    assert (minute.entered, minute.left, minute.kind, minute.occupancy) == (0, 0, "zone", 0.1)


def test_occupancy_is_the_mean_number_of_people_over_the_observed_seconds() -> None:
    events = stand(processor(), 190, [(30.0, 150.0)])
    kept = minutes(events)
    assert [kept[i, "mirror"].occupancy for i in range(3)] == [0.5, 1.0, 0.5]
    assert [(kept[i, "mirror"].entered, kept[i, "mirror"].left) for i in range(3)] == [(1, 0), (0, 0), (0, 1)]


def test_occupancy_does_not_sink_because_half_of_the_minute_was_not_observed() -> None:
    counter = processor()
    events = stand(counter, 30, [(0.0, 100.0)])
    for second in range(30, 70):
        events += counter.flush(T0 + second)
    minute = minutes(events)[0, "mirror"]
    assert minute.coverage == pytest.approx(29.9)
    assert minute.occupancy == pytest.approx(1.0)


def test_a_minute_that_nobody_observed_has_no_occupancy_and_never_a_zero() -> None:
    counter = processor()
    events = [event for second in range(70) for event in counter.flush(T0 + second)]
    (minute,) = minutes(events).values()
    assert (minute.coverage, minute.occupancy) == (0.0, None)


def test_a_stay_and_the_new_state_of_its_minute_come_together() -> None:
    counter = processor()
    for tick in range(200):
        events = counter.process(frame(tick / 10, *([INSIDE] if tick >= 100 else [])))
        if stays_of(events):
            assert minutes(events)[0, "mirror"].entered == 1
            return
    raise AssertionError("nobody stayed")


def test_stopping_ends_the_stays_that_are_open() -> None:
    counter = processor()
    events = stand(counter, 30, [(10.0, 100.0)])
    assert stays_of(events) == [("enter", 10.0, 0.0)]
    events += counter.close(T0 + 30)
    assert stays_of(events)[1] == ("leave", 29.9, 19.9)
    assert minutes(events)[0, "mirror"].left == 1


def test_one_camera_serves_lines_and_zones_together() -> None:
    counter = processor(MIRROR, lines=(DOOR,))
    events: list[Event] = []
    for tick in range(100):
        events += counter.process(frame(tick / 10, (0.2 + 0.01 * min(tick, 50), 0.5)))
    events += counter.close(T0 + 10)
    assert [(visit.line, visit.direction) for visit in visits(events)] == [("door", "in")]
    assert [phase for phase, _, _ in stays_of(events)] == ["enter", "leave"]
    kept = minutes(events)
    assert {(place, data.kind) for (_, place), data in kept.items()} == {("door", None), ("mirror", "zone")}
    assert kept[0, "door"].occupancy is None


def test_a_camera_with_a_zone_and_no_line_reports_no_visit() -> None:
    events = stand(processor(), 70, [(10.0, 20.0)])
    assert not any(isinstance(event.data, Visit) for event in events)
    assert {place for _, place in minutes(events)} == {"mirror"}


def test_the_people_in_a_queue_and_how_long_they_wait_are_known_now() -> None:
    counter = processor(MIRROR.model_copy(update={"name": "till", "kind": "queue"}))
    stand(counter, 30, [(10.0, 100.0)])
    (waiting,) = counter.waiting["till"]
    assert waiting == pytest.approx(19.9)
    assert counter.heat.sum() == pytest.approx(19.7, abs=0.2)
    assert counter.heat[5, 12] == counter.heat.max()


def test_a_recording_that_begins_anew_ends_the_stays_of_before() -> None:
    counter = processor()
    events = stand(counter, 20, [(5.0, 100.0)])
    for tick in range(100):
        events += counter.process(frame(tick / 10, INSIDE, start=T0 + 20))
    events += counter.close(T0 + 30)
    assert [(phase, at) for phase, at, _ in stays_of(events)] == [
        ("enter", 5.0),
        ("leave", 19.9),
        ("enter", 20.0),
        ("leave", 29.9),
    ]


def test_a_clock_that_is_set_back_does_not_double_the_occupancy() -> None:
    counter = processor()
    events = stand(counter, 65, [(0.0, 200.0)])
    for tick in range(650):
        events += counter.process(frame(65 + tick / 10, INSIDE, start=T0 - 65))
    events += counter.close(T0 + 65)
    minute = minutes(events)[0, "mirror"]
    assert minute.coverage == 60.0
    assert minute.occupancy == pytest.approx(1.0, abs=0.01)


@settings(max_examples=25, deadline=None)
@given(
    spans=st.lists(st.tuples(st.floats(0, 120), st.floats(0, 60)), max_size=2),
    hidden=st.floats(0, 100),
    stop=st.floats(20, 130),
    minimum=st.floats(0, 10),
)
def test_the_minutes_always_agree_with_the_stays(
    spans: list[tuple[float, float]], hidden: float, stop: float, minimum: float
) -> None:
    counter = processor(MIRROR.model_copy(update={"minimum_seconds": minimum}))
    first = stand(counter, min(hidden, stop), [(start, start + length) for start, length in spans])
    # Then ten seconds without a picture.
    events = [*first, *stand(counter, stop, [(s, s + n) for s, n in spans], begin=hidden + 10)]
    events += counter.close(T0 + max(stop, hidden))
    kept = minutes(events).values()
    told = stays_of(events)
    assert sum(data.entered for data in kept) == sum(phase == "enter" for phase, _, _ in told)
    assert sum(data.left for data in kept) == sum(phase == "leave" for phase, _, _ in told) == len(told) / 2
    assert all(data.occupancy is None or 0 <= data.occupancy <= len(spans) for data in kept)
    assert all((data.occupancy is None) == (data.coverage == 0) for data in kept)
    spent = sum((data.occupancy or 0) * data.coverage for data in kept)
    observed = sum(data.coverage for data in kept)
    assert sum(seconds for _, _, seconds in told) <= spent + 0.2 <= len(spans) * observed + 0.4


CONFIG = """
store: {id: s1}
sensors:
  cameras:
    - {name: door, url: "file:x.mp4"}
edge:
  counting:
    door:
      zones:
        - name: till
          polygon: POLYGON
"""


@pytest.mark.parametrize(
    ("polygon", "said"),
    [
        ("[[0.1, 0.1], [0.9, 0.9], [0.9, 0.1], [0.1, 0.9]]", "crosses itself: its sides 1–2 and 3–4 meet"),
        ("[[0.1, 0.1], [0.9, 0.1]]", "at least 3 points, not 2"),
        ("[[0.1, 0.1], [0.5, 0.1], [0.9, 0.1]]", "no area"),
        ("[[0.1, 0.1], [1.5, 0.1], [0.9, 0.9]]", "less than or equal to 1"),
        ("[[0.1, 0.1], [.nan, 0.1], [0.9, 0.9]]", "less than or equal to 1"),
        ("[[0.1, 0.1], [0.5], [0.9, 0.9]]", "missing"),
        ("here", "tuple"),
    ],
)
def test_a_zone_that_cannot_be_is_refused_with_the_line_in_the_file(tmp_path: Path, polygon: str, said: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG.replace("POLYGON", polygon))
    with pytest.raises(ConfigError) as caught:
        load(path, EdgeFile)
    assert f"{path}:11: edge.counting.door.zones.0.polygon" in str(caught.value)
    assert said in str(caught.value)


def test_names_that_are_used_twice_are_refused() -> None:
    with pytest.raises(ValidationError, match="two zones are called mirror"):
        FootfallConfig(zones=(MIRROR, MIRROR))
    with pytest.raises(ValidationError, match="a line and a zone are both called door"):
        FootfallConfig(lines=(DOOR,), zones=(MIRROR.model_copy(update={"name": "door"}),))


def test_a_zone_alone_is_enough_and_nothing_is_too_little(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG.replace("POLYGON", "[[0.1, 0.1], [0.9, 0.1], [0.5, 0.9]]"))
    (zone,) = load(path, EdgeFile).edge.counting["door"].zones
    assert (zone.kind, zone.anchor) == ("dwell", "foot")
    with pytest.raises(ValidationError, match="neither a line nor a zone"):
        FootfallConfig()


def test_a_line_s_minute_has_nothing_that_an_older_centre_does_not_know() -> None:
    events = stand(processor(MIRROR, lines=(DOOR,)), 70, [])
    lines = [event.data for event in events if isinstance(event.data, FootfallMinute) and event.data.place == "door"]
    assert {"kind", "occupancy"}.isdisjoint(*(data.model_dump(exclude_none=True) for data in lines))
