import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.detector import Detections
from models.lines import Anchor, Crossing, Line, LineCounter
from models.tracker import Person
from tests.models.crowd import counted

HEIGHT, WIDTH = 0.25, 0.1
MIDDLE = Line("door", (0.5, 0.1), (0.5, 0.95))


def walk(points: list[tuple[float, float]], fps: float, line: Line = MIDDLE) -> list[Crossing]:
    """One person whose box has these centres."""
    found = []
    for x, y in points:
        box = np.array([[x - WIDTH / 2, y - HEIGHT / 2, x + WIDTH / 2, y + HEIGHT / 2]], np.float32)
        inside = 0 < x < 1 and 0 < y < 1
        found.append(Detections(box.clip(0, 1), np.array([0.8], np.float32)) if inside else Detections.none())
    return counted(found, [line], fps)


def straight(start: float, end: float, speed: float, fps: float, phase: float = 0.0) -> list[tuple[float, float]]:
    """Centres on a level path; ``speed`` in body heights per second."""
    step = speed * HEIGHT / fps
    count = int(abs(end - start) / step)
    sign = 1 if end > start else -1
    return [(start + sign * step * (i + phase), 0.5) for i in range(count + 1)]


SPEEDS = st.floats(0.2, 2.0)
"""Body heights per second: 0.3 to 3.4 m/s, from a stroll with a pram to a run."""
RATES = st.floats(5, 30)


@settings(max_examples=80, deadline=None)
@given(speed=SPEEDS, fps=RATES, phase=st.floats(0, 1), rightwards=st.booleans())
def test_a_straight_walk_across_counts_exactly_once(speed: float, fps: float, phase: float, rightwards: bool) -> None:
    ends = (0.1, 0.9) if rightwards else (0.9, 0.1)
    crossings = walk(straight(*ends, speed, fps, phase), fps)
    assert [crossing.direction for crossing in crossings] == ["positive" if rightwards else "negative"]
    assert (crossings[0].movement[0] > 0) == rightwards
    passed = (0.4 / (speed * HEIGHT)) - phase / fps
    assert crossings[0].time == pytest.approx(passed, abs=1.5 / fps)


@settings(max_examples=40, deadline=None)
@given(speed=SPEEDS, fps=RATES)
def test_a_walk_there_and_back_counts_once_in_each_direction(speed: float, fps: float) -> None:
    there = straight(0.2, 0.8, speed, fps)
    crossings = walk(there + there[::-1], fps)
    assert [crossing.direction for crossing in crossings] == ["positive", "negative"]


@settings(max_examples=40, deadline=None)
@given(speed=SPEEDS, fps=RATES, turn=st.floats(0.15, 0.49))
def test_a_walk_that_stays_on_one_side_is_never_counted(speed: float, fps: float, turn: float) -> None:
    there = straight(0.1, turn, speed, fps)
    assert walk(there + there[::-1], fps) == []


@settings(max_examples=40, deadline=None)
@given(speed=SPEEDS, fps=RATES, phase=st.floats(0, 1))
def test_a_mirrored_walk_gives_mirrored_counts(speed: float, fps: float, phase: float) -> None:
    points = straight(0.1, 0.9, speed, fps, phase)
    slanted = [(x, 0.3 + 0.4 * x) for x, _ in points]
    line, mirror = Line("a", (0.4, 0.1), (0.6, 0.9)), Line("a", (0.6, 0.1), (0.4, 0.9))
    plain = walk(slanted, fps, line)
    mirrored = walk([(1 - x, y) for x, y in slanted], fps, mirror)
    assert [c.direction for c in plain] == ["positive"]
    assert [c.direction for c in mirrored] == ["negative"]
    assert mirrored[0].movement[0] == pytest.approx(-plain[0].movement[0], abs=1e-5)
    assert mirrored[0].movement[1] == pytest.approx(plain[0].movement[1], abs=1e-5)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), offset=st.floats(-0.01, 0.01), fps=RATES)
def test_somebody_who_loiters_on_the_line_counts_at_most_once(seed: int, offset: float, fps: float) -> None:
    # Detection noise of 4 % of the box, for a minute: several times a clip's jitter of a standing person.
    rng = np.random.default_rng(seed)
    noise = rng.normal(0, 0.04 * WIDTH, int(60 * fps))
    assert len(walk([(0.5 + offset + dx, 0.5) for dx in noise], fps)) <= 1


@pytest.mark.parametrize("anchor", ["centre", "foot"])
def test_only_what_passes_between_the_ends_counts(anchor: Anchor) -> None:
    short = Line("door", (0.5, 0.3), (0.5, 0.45), anchor)
    level = 0.4 if anchor == "centre" else 0.4 - HEIGHT / 2
    inside = [(x, level) for x, _ in straight(0.1, 0.9, 0.8, 10)]
    assert len(walk(inside, 10, short)) == 1
    assert walk([(x, y + 0.2) for x, y in inside], 10, short) == []


def test_walking_around_the_end_and_back_through_counts_the_way_back_only() -> None:
    line = Line("door", (0.5, 0.4), (0.5, 0.9))
    around = [(0.3 + 0.01 * i, 0.3) for i in range(40)] + [(0.7, 0.3 + 0.01 * i) for i in range(30)]
    back = [(0.7 - 0.01 * i, 0.6) for i in range(40)]
    assert [crossing.direction for crossing in walk(around + back, 10, line)] == ["negative"]


def test_somebody_unseen_while_crossing_is_counted_when_seen_again() -> None:
    points = straight(0.2, 0.8, 0.8, 10)
    hidden = [(x, y) if abs(x - 0.5) > 0.08 else (-1.0, -1.0) for x, y in points]
    assert len(walk(hidden, 10)) == 1


def test_somebody_who_comes_in_beyond_a_line_at_the_border_counts() -> None:
    line = Line("edge", (0.02, 0.1), (0.02, 0.95))
    assert [(c.direction, c.rule) for c in walk(straight(-0.2, 0.6, 0.8, 10), 10, line)] == [
        ("positive", "from_border")
    ]


def test_a_flicker_of_two_pictures_is_not_counted() -> None:
    assert walk([(0.46, 0.5), (0.54, 0.5)], 10) == []


@pytest.mark.parametrize(
    ("line", "towards"),
    [
        (Line("a", (0.7, 0.2), (0.7, 0.8)), "right"),
        (Line("a", (0.7, 0.8), (0.7, 0.2)), "left"),
        (Line("a", (0.2, 0.5), (0.8, 0.5)), "up"),
        (Line("a", (0.8, 0.5), (0.2, 0.5)), "down"),
    ],
)
def test_the_positive_direction_has_a_word(line: Line, towards: str) -> None:
    assert line.towards("positive") == towards
    opposite = {"right": "left", "left": "right", "up": "down", "down": "up"}[towards]
    assert line.towards("negative") == opposite


@given(angle=st.floats(0, 2 * math.pi))
def test_the_positive_side_is_on_the_left_of_the_way_from_start_to_end(angle: float) -> None:
    # In the picture y points down: left of (dx, dy) is (dy, -dx).
    dx, dy = math.cos(angle), math.sin(angle)
    line = Line("a", (0.5, 0.5), (0.5 + 0.3 * dx, 0.5 + 0.3 * dy))
    assert line.side((0.5 + 0.1 * dy, 0.5 - 0.1 * dx)) > 0


def test_a_line_without_length_is_refused() -> None:
    with pytest.raises(ValueError, match="no length"):
        Line("a", (0.5, 0.5), (0.5, 0.5))


def test_what_the_detector_doubts_is_not_counted_even_when_somebody_takes_over_its_track() -> None:
    found = []
    for index in range(60):
        x = 0.2 + 0.01 * index
        box = np.array([[x - WIDTH / 2, 0.4, x + WIDTH / 2, 0.4 + HEIGHT]], np.float32)
        score = 0.3 if index == 0 else 0.15 if x < 0.65 else 0.9
        found.append(Detections(box, np.array([score], np.float32)))
    assert counted(found, [MIDDLE], 10) == []


def trajectory(points: list[tuple[float, float]], hysteresis: float = 0.2) -> list[Crossing]:
    """Crossings of one known person, without a tracker, at 10 pictures per second; nobody touches the border."""
    line = Line("door", (0.5, -50.0), (0.5, 50.0))
    counter, found = LineCounter(line, hysteresis=hysteresis), []
    for index, (x, y) in enumerate(points):
        box = (x - WIDTH / 2, y - HEIGHT / 2, x + WIDTH / 2, y + HEIGHT / 2)
        found += counter.update([Person(1, box, 0.8, 0.0, index + 1)], [], index / 10)
    return found + counter.update([], [1], len(points) / 10)


PLACES = st.tuples(st.floats(0.1, 0.9), st.floats(0.3, 0.7))
BAND = 0.2 * WIDTH
"""Half the band around the line within which a person is on neither side for certain."""


@settings(max_examples=200, deadline=None)
@given(
    start=st.sampled_from([0.3, 0.7]),
    points=st.lists(PLACES, min_size=6, max_size=60),
    end=st.sampled_from([0.3, 0.7]),
)
def test_net_crossings_of_any_trajectory_are_its_start_side_minus_its_end_side(
    start: float, points: list[tuple[float, float]], end: float
) -> None:
    crossings = trajectory([(start, 0.5), *points, (end, 0.5)])
    net = sum(1 if crossing.direction == "positive" else -1 for crossing in crossings)
    assert net == (end > 0.5) - (start > 0.5)
    # Nobody crosses twice the same way without coming back between.
    ways = [crossing.direction for crossing in crossings]
    assert all(a != b for a, b in pairwise(ways))


@settings(max_examples=200, deadline=None)
@given(
    start=st.sampled_from([0.3, 0.7]),
    steps=st.lists(st.floats(-0.99, 0.99), min_size=1, max_size=200),
    end=st.sampled_from([0.3, 0.7]),
)
def test_no_trajectory_counts_twice_however_it_trembles_inside_the_band(
    start: float, steps: list[float], end: float
) -> None:
    trembling = [(0.5 + BAND * step, 0.5) for step in steps]
    crossings = trajectory([(start, 0.5)] * 6 + trembling + [(end, 0.5)])
    assert len(crossings) == (start != end)


def boxes(rows: list[tuple[float, float, float, float] | None], line: Line, fps: float = 10) -> list[Crossing]:
    """One person who is found in these boxes."""
    found = [
        Detections.none() if box is None else Detections(np.array([box], np.float32), np.array([0.8], np.float32))
        for box in rows
    ]
    return counted(found, [line], fps)


LEVEL = Line("door", (0.0, 0.7), (1.0, 0.7))


@settings(max_examples=60, deadline=None)
@given(left=st.lists(st.floats(0.3, 1.0), min_size=2, max_size=8), rightwards=st.booleans())
def test_who_shrinks_to_the_legs_while_leaving_at_a_side_has_not_sunk_over_a_level_line(
    left: list[float], rightwards: bool
) -> None:
    # Found in a recording: the box of 0.05-0.95 becomes 0.55-0.86 at the border, and its centre passes 0.7.
    rows = [(0.5 + 0.03 * i, 0.3, 0.7 + 0.03 * i, 0.95) for i in range(10)]
    for index, share in enumerate(sorted(left, reverse=True)):
        rows.append((0.8 + 0.02 * index, 0.95 - 0.65 * share, 1.0, 0.95))
    if not rightwards:
        rows = [(1 - x2, y1, 1 - x1, y2) for x1, y1, x2, y2 in rows]
    assert boxes(list(rows), LEVEL) == []
    assert boxes(list(rows[::-1]), LEVEL) == []


def test_who_is_cut_by_the_lower_border_all_the_way_counts_on_an_upright_line() -> None:
    rows: list[tuple[float, float, float, float] | None] = [
        (0.2 + 0.02 * i, 0.6, 0.35 + 0.02 * i, 1.0) for i in range(25)
    ]
    assert [crossing.direction for crossing in boxes(rows, MIDDLE)] == ["positive"]


@pytest.mark.parametrize("upside_down", [False, True])
@pytest.mark.parametrize("step", [1, 2, 3])
def test_who_comes_in_large_and_stands_counts_at_two_pictures_a_second(step: int, upside_down: bool) -> None:
    # Found in a recording: the first box is beyond the line and ends a hair before the border that cuts it; later the
    # head touches the opposite one.
    rows = [
        (0.26, 0.55, 0.48, 0.99),
        (0.37, 0.26, 0.66, 0.985),
        (0.42, 0.15, 0.68, 0.99),
        (0.47, 0.07, 0.69, 0.97),
        (0.51, 0.01, 0.73, 0.93),
        *[(0.51, 0.0, 0.72, 0.90)] * 9,
    ]
    if upside_down:
        rows = [(x1, 1 - y2, x2, 1 - y1) for x1, y1, x2, y2 in rows]
    line = Line("door", (0.0, 0.2), (1.0, 0.2)) if upside_down else Line("door", (0.0, 0.8), (1.0, 0.8))
    crossings = boxes(list(rows[1::step]), line, 5 / step)
    assert [(c.direction, c.rule) for c in crossings] == [("negative" if upside_down else "positive", "from_border")]


def test_who_stays_at_the_border_they_came_through_has_not_come_in() -> None:
    rows: list[tuple[float, float, float, float] | None] = [(0.4, 0.4, 0.6, 0.99)] * 20
    assert boxes(rows, Line("door", (0.0, 0.8), (1.0, 0.8))) == []


def test_a_box_that_reaches_from_border_to_border_does_not_say_whence_it_came() -> None:
    # Found in a recording: two people whose shadows are one box with them, and which shrinks.
    rows: list[tuple[float, float, float, float] | None] = [
        (0.35, 0.0, 0.63, 0.98 - 0.04 * max(0, i - 4)) for i in range(12)
    ]
    assert boxes(rows, Line("door", (0.0, 0.5), (1.0, 0.5))) == []


def test_who_is_first_seen_beyond_a_line_a_stride_from_the_border_has_come_in() -> None:
    # 3 m/s at 5 pictures a second: 0.35 body heights from picture to picture, and one was missed.
    line = Line("edge", (0.08, 0.0), (0.08, 1.0))
    points = [(-1.0, 0.5)] * 2 + [(0.13 + 0.0875 * i, 0.5) for i in range(9)]
    assert [(c.direction, c.rule) for c in walk(points, 5, line)] == [("positive", "from_border")]
    assert [(c.direction, c.rule) for c in walk(points[::-1], 5, line)] == [("negative", "to_border")]


def test_who_came_in_before_the_first_picture_or_goes_after_the_last_is_not_counted() -> None:
    line = Line("edge", (0.08, 0.0), (0.08, 1.0))
    inwards = [
        Person(1, (x - 0.05, 0.4, x + 0.05, 0.65), 0.8, 0.0, i + 1, velocity=(0.4, 0.0))
        for i, x in enumerate(0.13 + 0.08 * i for i in range(6))
    ]

    def count(before: float | None, people: list[Person], given_up: float) -> list[Crossing]:
        counter = LineCounter(line)
        found = [] if before is None else counter.update([], [], before)
        for index, person in enumerate(people):
            found += counter.update([person], [], index / 5)
        return found + counter.update([], [1], (len(people) - 1) / 5 + given_up)

    assert len(count(-0.2, inwards, 2.0)) == 1
    assert count(None, inwards, 2.0) == []
    assert count(-20.0, inwards, 2.0) == []  # after a gap of the camera
    outwards = [replace(p, detections=i + 1, velocity=(-0.4, 0.0)) for i, p in enumerate(inwards[::-1])]
    assert len(count(-0.2, outwards, 2.0)) == 1
    assert count(-0.2, outwards, 0.0) == []


def test_what_moves_faster_than_anybody_runs_has_not_gone_out() -> None:
    line = Line("edge", (0.08, 0.0), (0.08, 1.0))
    for pace, crossings in ((-0.5, 1), (-0.9, 0)):
        counter, found = LineCounter(line), []
        for index in range(8):
            person = Person(1, (0.08, 0.4, 0.18, 0.65), 0.8, 0.0, index + 1, velocity=(pace, 0.0))
            found += counter.update([person], [], index / 10)
        assert len(found + counter.update([], [1], 3.0)) == crossings


def test_who_is_first_seen_beyond_a_line_far_from_the_border_has_not() -> None:
    assert walk([(0.55 + 0.04 * i, 0.5) for i in range(9)], 5) == []


def test_a_track_that_goes_on_with_one_lost_near_the_border_does_not_count_again() -> None:
    line = Line("edge", (0.12, 0.0), (0.12, 1.0))
    counter, found = LineCounter(line), []
    for index in range(16):
        x = 0.02 + 0.03 * index
        track = 1 if index < 6 else 2
        box = (max(0.0, x - WIDTH / 2), 0.4, x + WIDTH / 2, 0.4 + HEIGHT)
        since = 0.0 if track == 1 else 0.6
        seen = index + 1 if track == 1 else index - 5
        found += counter.update([Person(track, box, 0.8, since, seen, velocity=(0.3, 0.0))], [], index / 10)
    found += counter.update([], [1, 2], 4.0)
    assert [crossing.direction for crossing in found] == ["positive"]
