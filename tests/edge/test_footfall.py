import weakref
from collections.abc import Sequence
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from edge.processors.footfall import FootfallConfig, FootfallProcessor, LineConfig
from models.detector import Detections
from sensors.readings import Frame, Image
from sync.events import Event, FootfallMinute, Visit

T0 = 1_700_000_040.0
"""A full minute (a multiple of 60)."""
DOOR = LineConfig(name="door", start=(0.5, 0.1), end=(0.5, 0.95), entering="positive")


class Painted:
    """A detector for made-up frames: the first row of the image holds x and y of each person, times 250."""

    def detect(self, image: Image, time: float, /) -> Detections:
        centres = image[0, :, :2].astype(np.float32) / 250
        half = np.array([0.05, 0.125], np.float32)
        boxes = np.concatenate([centres - half, centres + half], axis=1)
        return Detections(boxes, np.full(len(boxes), 0.8, np.float32))


def frame(seconds: float, *people: tuple[float, float], start: float = T0, scale: float = 1.0) -> Frame:
    image = np.zeros((1, len(people), 3), np.uint8)
    for index, (x, y) in enumerate(people):
        image[0, index, :2] = round(x * 250), round(y * 250)
    return Frame(image, start + seconds * scale, seconds, round(seconds * 10))


def processor(*lines: LineConfig) -> FootfallProcessor:
    return FootfallProcessor("cam", FootfallConfig(lines=lines or (DOOR,)), Painted())


def run(
    counter: FootfallProcessor, seconds: float, crossings: Sequence[tuple[float, int]], *, begin: float = 0.0
) -> list[Event]:
    """Ten frames a second; at each (time, +1 or -1) somebody is on the line, walking at 0.1 of the picture a second."""
    events: list[Event] = []
    for tick in range(round(begin * 10), round(seconds * 10)):
        now = tick / 10
        people = [(0.5 + sign * 0.1 * (now - time), 0.5) for time, sign in crossings if abs(now - time) < 3]
        events += counter.process(frame(now, *people))
        events += counter.flush(T0 + now)
    return events


def visits(events: Sequence[Event]) -> list[Visit]:
    return [event.data for event in events if isinstance(event.data, Visit)]


def minutes(events: Sequence[Event]) -> dict[tuple[int, str], FootfallMinute]:
    """What the centre keeps: the highest revision of each minute and place."""
    kept: dict[tuple[int, str], FootfallMinute] = {}
    for event in events:
        if isinstance(event.data, FootfallMinute):
            key = round((event.data.minute.timestamp() - T0) / 60), event.data.place
            assert key not in kept or kept[key].revision < event.data.revision
            kept[key] = event.data
    return kept


def test_a_person_who_crosses_is_a_visit_with_its_evidence() -> None:
    counter = processor()
    events = run(counter, 20, [(10.0, 1)])
    (visit,) = visits(events)
    assert (visit.line, visit.direction) == ("door", "in")
    assert visit.confidence == pytest.approx(0.8)
    assert visit.evidence.rule == "crossed"
    assert visit.evidence.track_seconds == pytest.approx(3.0, abs=0.3)
    assert visit.evidence.detections > 20
    (event,) = [event for event in events if isinstance(event.data, Visit)]
    assert event.sensor == "cam"
    assert event.time.timestamp() == pytest.approx(T0 + 10, abs=0.2)


@pytest.mark.parametrize(("entering", "expected"), [("positive", ["in", "out"]), ("negative", ["out", "in"])])
def test_in_and_out_follow_the_entering_side(entering: Literal["positive", "negative"], expected: list[str]) -> None:
    counter = processor(DOOR.model_copy(update={"entering": entering}))
    assert [visit.direction for visit in visits(run(counter, 30, [(8.0, 1), (20.0, -1)]))] == expected


def test_each_minute_is_reported_once_it_is_over_with_its_totals_and_full_coverage() -> None:
    events = run(processor(), 185, [(10.0, 1), (20.0, 1), (70.0, -1)])
    kept = minutes(events)
    assert [(kept[i, "door"].entered, kept[i, "door"].left) for i in range(3)] == [(2, 0), (0, 1), (0, 0)]
    assert [kept[i, "door"].coverage for i in range(3)] == [60.0, 60.0, 60.0]


def test_a_visit_and_the_new_state_of_its_minute_come_together() -> None:
    counter = processor()
    for tick in range(200):
        now = tick / 10
        events = counter.process(frame(now, (0.5 + 0.1 * (now - 10), 0.5)) if abs(now - 10) < 3 else frame(now))
        if visits(events):
            assert minutes(events)[0, "door"].entered == 1
            return
    raise AssertionError("nobody was counted")


def test_minutes_without_a_frame_are_reported_as_not_observed_and_never_as_a_silent_zero() -> None:
    counter = processor()
    events = run(counter, 30, [])
    for second in range(30, 200):
        events += counter.flush(T0 + second)
    kept = minutes(events)
    assert [kept[i, "door"].coverage for i in range(3)] == [pytest.approx(29.9), 0.0, 0.0]
    assert len(kept) == 3


def test_a_camera_that_never_sends_anything_has_minutes_that_are_not_observed() -> None:
    counter = processor()
    events = [event for second in range(130) for event in counter.flush(T0 + second)]
    assert [data.coverage for data in minutes(events).values()] == [0.0, 0.0]


def test_a_gap_of_ten_seconds_is_not_covered() -> None:
    counter = processor()
    events = run(counter, 20, [])
    events += run(counter, 70, [], begin=30)
    events += counter.flush(T0 + 70)
    assert minutes(events)[0, "door"].coverage == pytest.approx(60 - 10.1, abs=0.2)


def test_a_camera_with_one_picture_in_five_seconds_observes_all_the_same() -> None:
    counter = processor()
    events: list[Event] = []
    for second in range(0, 190, 5):
        events += counter.process(frame(float(second)))
        events += counter.flush(T0 + second)
    assert [minutes(events)[i, "door"].coverage for i in (1, 2)] == [60.0, 60.0]


def test_flushing_twice_is_harmless() -> None:
    counter = processor()
    run(counter, 59, [(10.0, 1)])
    assert len(counter.flush(T0 + 63)) == 1
    assert list(counter.flush(T0 + 63)) == []


def test_stopping_in_the_middle_of_a_minute_reports_the_part_that_was_observed() -> None:
    counter = processor()
    events = run(counter, 30, [(10.0, 1)])
    events += counter.close(T0 + 30)
    (minute,) = minutes(events).values()
    assert minute.entered == 1
    assert minute.coverage == pytest.approx(29.9)


def test_the_boots_of_one_minute_add_up_to_the_whole() -> None:
    first, second = processor(), processor()
    events = run(first, 30, [(10.0, 1)])
    before = minutes([*events, *first.close(T0 + 30)])[0, "door"]
    after = minutes(run(second, 65, [(45.0, 1)], begin=31))[0, "door"]
    assert before.entered + after.entered == 2
    assert before.coverage + after.coverage == pytest.approx(58.9, abs=0.2)


def test_a_killed_box_has_reported_every_visit_in_a_minute_too() -> None:
    events = run(processor(), 30, [(10.0, 1), (20.0, 1)])
    assert minutes(events)[0, "door"].entered == len(visits(events)) == 2


def test_two_lines_count_apart() -> None:
    early = DOOR.model_copy(update={"name": "early", "start": (0.35, 0.1), "end": (0.35, 0.95)})
    events = run(processor(DOOR, early), 70, [(10.0, 1)])
    assert sorted(visit.line for visit in visits(events)) == ["door", "early"]
    assert {place for _, place in minutes(events)} == {"door", "early"}


def test_a_time_lapse_is_tracked_on_the_media_s_clock_and_reported_on_the_store_s() -> None:
    counter = processor()
    events: list[Event] = []
    for tick in range(200):
        now = tick / 10
        people = [(0.5 + 0.1 * (now - 10), 0.5)] if abs(now - 10) < 3 else []
        events += counter.process(frame(now, *people, scale=120.0))
    (visit,) = [event for event in events if isinstance(event.data, Visit)]
    assert visit.time.timestamp() == pytest.approx(T0 + 1200, abs=24)
    events += counter.close(T0 + 2400)
    # The first gap is not known to be usual yet: it is not counted as observed.
    assert [data.coverage for (_, data) in sorted(minutes(events).items(), key=lambda item: item[0])] == [
        48.0,
        *[60.0] * 38,
        48.0,
    ]


def test_a_recording_that_begins_anew_goes_on_counting() -> None:
    counter = processor()
    events = run(counter, 20, [(10.0, 1)])
    for tick in range(200):
        now = tick / 10
        people = [(0.5 + 0.1 * (now - 10), 0.5)] if abs(now - 10) < 3 else []
        events += counter.process(frame(now, *people, start=T0 + 20))
    times = [event.time.timestamp() - T0 for event in events if isinstance(event.data, Visit)]
    assert times == [pytest.approx(10, abs=0.2), pytest.approx(30, abs=0.2)]


def test_a_clock_that_jumps_back_an_hour_corrects_minutes_with_higher_revisions() -> None:
    counter = processor()
    events = run(counter, 130, [(10.0, 1)])
    for tick in range(1300):
        now = tick / 10
        people = [(0.5 + 0.1 * (now - 10), 0.5)] if abs(now - 10) < 3 else []
        events += counter.process(frame(130 + now, *people, start=T0 - 130))
        events += counter.flush(T0 + now)
    events += counter.close(T0 + 130)
    kept = minutes(events)
    assert kept[0, "door"].entered == 2
    assert kept[0, "door"].coverage == 60.0


def test_a_jump_of_a_day_reports_an_hour_of_unknown_minutes_at_most() -> None:
    counter = processor()
    run(counter, 10, [])
    assert len(counter.flush(T0 + 86_400)) <= 61


@settings(max_examples=25, deadline=None)
@given(
    times=st.lists(st.floats(4, 170), max_size=6),
    signs=st.lists(st.sampled_from([1, -1]), min_size=6, max_size=6),
    stop=st.floats(100, 175),
)
def test_the_minutes_always_agree_with_the_visits(times: list[float], signs: list[int], stop: float) -> None:
    counter = processor()
    events = run(counter, stop, list(zip(times, signs, strict=False)))
    events += counter.close(T0 + stop)
    kept = minutes(events).values()
    found = visits(events)
    assert sum(data.entered for data in kept) == sum(visit.direction == "in" for visit in found)
    assert sum(data.left for data in kept) == sum(visit.direction == "out" for visit in found)
    assert all(0 <= data.coverage <= 60 for data in kept)


def test_the_image_is_not_kept() -> None:
    counter = processor()
    picture = frame(0.0, (0.4, 0.5))
    image = weakref.ref(picture.image)
    counter.process(picture)
    del picture
    assert image() is None


def test_lines_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValidationError, match="same point"):
        LineConfig(name="a", start=(0.5, 0.5), end=(0.5, 0.5), entering="positive")
    with pytest.raises(ValidationError, match="less than or equal to 1"):
        LineConfig(name="a", start=(0.5, 0.5), end=(0.5, 1.5), entering="positive")
    with pytest.raises(ValidationError, match="two lines are called door"):
        FootfallConfig(lines=(DOOR, DOOR))
    with pytest.raises(ValidationError, match="neither a line nor a zone"):
        FootfallConfig(lines=())
