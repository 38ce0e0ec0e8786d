import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.detector import Detections
from models.heatmap import HeatMap
from models.lines import Anchor, Point
from models.tracker import Person, Tracker
from models.zones import Change, Polygon, ZoneWatch, problem
from tests.models.crowd import Noise, detected, walkers

SQUARE = ((0.3, 0.3), (0.7, 0.3), (0.7, 0.7), (0.3, 0.7))
WIDTH, HEIGHT = 0.1, 0.25
BAND = 0.2


def watch(minimum: float = 0.0) -> ZoneWatch:
    return ZoneWatch(Polygon("z", SQUARE, "centre"), minimum=minimum)


def person(x: float, y: float, count: int = 9, track: int = 1, score: float = 0.8) -> Person:
    return Person(track, (x - WIDTH / 2, y - HEIGHT / 2, x + WIDTH / 2, y + HEIGHT / 2), score, 0.0, count)


class Walk:
    """Feeds a zone with one person's places, ten a second; ``None`` is a picture in which nobody was seen."""

    def __init__(self, zone: ZoneWatch, *, rate: float = 10.0) -> None:
        self.zone, self.period = zone, 1 / rate
        self.changes: list[Change] = []
        self.present = 0.0
        self.observed = 0.0
        self.tick = 0

    def go(self, *places: Point | None, track: int = 1, score: float = 0.8, gap: bool = False) -> "Walk":
        for place in places:
            now = self.tick * self.period
            span = None if self.tick == 0 or gap else (now - self.period, now)
            people = [] if place is None else [person(*place, count=self.tick + 3, track=track, score=score)]
            watched = self.zone.update(people, (), now, 1000 + now, span)
            self.observed += self.period if span else 0.0
            self._take(watched.changes, watched.present)
            self.tick += 1
        return self

    def end(self, track: int = 1) -> "Walk":
        watched = self.zone.finish([track])
        self._take(watched.changes, watched.present)
        return self

    def _take(self, changes: Sequence[Change], present: Sequence[tuple[float, float]]) -> None:
        self.changes += changes
        self.present += sum(end - start for start, end in present)

    @property
    def phases(self) -> list[str]:
        return [change.phase for change in self.changes]


IN, OUT = (0.5, 0.5), (0.1, 0.5)


def test_somebody_who_comes_stays_and_goes_is_told_of_with_the_time_between() -> None:
    walk = Walk(watch()).go(*[OUT] * 10, *[IN] * 80, *[OUT] * 20)
    assert walk.phases == ["enter", "leave"]
    enter, leave = walk.changes
    assert [enter.clock, leave.clock] == pytest.approx([1001.0, 1009.0])
    assert [enter.seconds, leave.seconds] == pytest.approx([0.0, 8.0])
    assert walk.present == pytest.approx(8.0)


def test_somebody_who_passes_in_less_than_the_minimum_is_present_but_not_told_of() -> None:
    walk = Walk(watch(minimum=5)).go(*[OUT] * 10, *[IN] * 40, *[OUT] * 20)
    assert walk.phases == []
    assert walk.present == pytest.approx(4.0)


def test_a_stay_is_told_of_as_soon_as_it_has_lasted_for_the_minimum() -> None:
    walk = Walk(watch(minimum=5)).go(*[OUT] * 10, *[IN] * 50)
    assert walk.phases == []
    assert walk.go(IN).phases == ["enter"]
    assert walk.changes[0].clock == pytest.approx(1001.0)


def test_a_flicker_of_half_a_second_is_nobody() -> None:
    walk = Walk(watch()).go(*[OUT] * 10, *[IN] * 6, *[OUT] * 20)
    assert (walk.phases, walk.present) == ([], 0.0)


def test_what_the_detector_doubts_is_nobody_however_long_it_stands_there() -> None:
    zone = watch()
    walk = Walk(zone).go(*[IN] * 3000, score=0.2)
    assert (walk.phases, walk.present) == ([], 0.0)
    assert sum(len(stay.pending) for stay in zone._stays.values()) < 200


def test_a_track_that_is_lost_inside_ends_its_stay_when_it_was_last_seen() -> None:
    walk = Walk(watch()).go(*[IN] * 50, *[None] * 20).end()
    assert walk.phases == ["enter", "leave"]
    assert walk.changes[1].clock == pytest.approx(1004.9)
    assert walk.present == pytest.approx(4.9)


def test_somebody_who_is_hidden_for_a_moment_has_stayed_all_the_time() -> None:
    walk = Walk(watch()).go(*[IN] * 20, *[None] * 15, *[IN] * 20).end()
    assert walk.phases == ["enter", "leave"]
    assert walk.changes[1].seconds == pytest.approx(5.4)


def test_time_that_was_not_observed_is_no_part_of_a_stay() -> None:
    walk = Walk(watch()).go(*[IN] * 20).go(*[None] * 10, gap=True).go(*[IN] * 20).end()
    assert walk.changes[1].seconds == pytest.approx(3.9)
    assert walk.present == pytest.approx(3.9)


def test_somebody_who_steps_out_for_a_moment_has_not_left() -> None:
    walk = Walk(watch()).go(*[IN] * 20, *[OUT] * 8, *[IN] * 20).end()
    assert walk.phases == ["enter", "leave"]


def test_somebody_who_comes_back_later_stays_twice() -> None:
    walk = Walk(watch()).go(*[IN] * 30, *[OUT] * 30, *[IN] * 30).end()
    assert walk.phases == ["enter", "leave", "enter", "leave"]


def test_somebody_who_walks_out_slowly_left_when_the_border_was_crossed() -> None:
    # 0.02 of the picture in a tenth: the border at 0.7 is crossed after the 10th, clear of it by 0.02 after the 11th.
    out = [(0.5 + 0.02 * step, 0.5) for step in range(25)]
    walk = Walk(watch()).go(*[IN] * 20, *out)
    assert walk.changes[1].clock == pytest.approx(1003.1, abs=0.15)


def test_at_one_picture_a_second_a_stay_is_as_long_as_at_ten() -> None:
    walk = Walk(watch(), rate=1).go(*[OUT] * 5, *[IN] * 20, *[OUT] * 5)
    assert walk.phases == ["enter", "leave"]
    assert walk.changes[1].seconds == pytest.approx(20.0)


def test_who_is_inside_now_is_known_with_their_seconds() -> None:
    zone = watch(minimum=60)
    Walk(zone).go(*[IN] * 50)
    assert zone.waiting == {1: pytest.approx(4.9)}


def test_a_part_of_somebody_is_nobody_in_a_zone() -> None:
    zone = watch()
    bag = [replace(person(*IN, count=index + 1), part=True) for index in range(40)]
    assert [w for i, b in enumerate(bag) if (w := zone.update([b], (), i / 10, i / 10, None)).changes] == []
    assert zone.waiting == {}
    assert zone.finish([1]).changes == []


def test_who_is_cut_by_a_side_until_only_the_legs_are_seen_has_not_left_the_zone() -> None:
    # The box shrinks from 0.35-0.85 to 0.75-0.85 at the right border; the centre of what is seen sinks out of the zone.
    zone = ZoneWatch(Polygon("z", ((0.6, 0.3), (1.0, 0.3), (1.0, 0.7), (0.6, 0.7)), "centre"))
    tracker = Tracker()
    changes: list[Change] = []
    for tick in range(40):
        top = 0.35 if tick < 20 else 0.75
        box = np.array([[0.9, top, 0.98 if tick < 20 else 1.0, 0.85]], np.float32)
        update = tracker.update(Detections(box, np.array([0.8], np.float32)), tick / 10)
        changes += zone.update(update.people, update.ended, tick / 10, tick / 10, None).changes
    assert [change.phase for change in changes] == ["enter"]
    assert len(zone.waiting) == 1


@pytest.mark.parametrize("anchor", ["foot", "centre"])
def test_somebody_whose_feet_are_below_the_picture_is_in_a_zone_that_is_drawn_to_its_border(anchor: Anchor) -> None:
    zone = Polygon("z", ((0.3, 0.6), (0.7, 0.6), (0.7, 1.0), (0.3, 1.0)), anchor)
    cut = Person(1, (0.4, 0.7, 0.6, 1.0), 0.8, 0.0, 9, body=(0.4, 0.7, 0.6, 1.4))
    assert zone.contains(zone.place(cut))


def test_feet_and_centre_may_be_in_different_zones() -> None:
    someone = person(0.5, 0.6)
    assert Polygon("z", SQUARE, "centre").contains(Polygon("z", SQUARE, "centre").place(someone))
    assert not Polygon("z", SQUARE, "foot").contains(Polygon("z", SQUARE, "foot").place(someone))


def test_a_hollow_corner_of_a_zone_is_outside() -> None:
    bent = Polygon("z", ((0.1, 0.1), (0.9, 0.1), (0.9, 0.4), (0.4, 0.4), (0.4, 0.9), (0.1, 0.9)))
    assert bent.contains((0.2, 0.8))
    assert bent.contains((0.8, 0.2))
    assert not bent.contains((0.8, 0.8))
    assert bent.distance((0.8, 0.8), 1.0, 1.0) == pytest.approx(0.4)
    assert bent.distance((0.8, 0.8), 0.5, 0.1) == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("corners", "said"),
    [
        (((0.1, 0.1), (0.9, 0.9)), "at least 3 points, not 2"),
        (((0.1, 0.1), (0.1, 0.1), (0.9, 0.9)), "points 1 and 2 are the same"),
        (((0.1, 0.1), (0.9, 0.1), (0.9, 0.9), (0.1, 0.1)), "last point repeats the first"),
        (((0.1, 0.1), (0.5, 0.5), (0.9, 0.9)), "no area"),
        (((0.1, 0.5), (0.5, 0.5), (0.2, 0.5), (0.9, 0.5)), "no area"),
        (((0.1, 0.1), (0.9, 0.9), (0.9, 0.1), (0.1, 0.9)), "crosses itself: its sides 1–2 and 3–4"),
        (((0.1, 0.1), (0.9, 0.1), (0.9, 0.9), (0.5, 0.05), (0.1, 0.9)), "crosses itself: its sides 1–2 and 3–4"),
        (((0.1, 0.1), (0.9, 0.1), (0.5, 0.1), (0.5, 0.9)), "crosses itself"),
        (((0.1, 0.1), (0.5, 0.1), (0.9, 0.1), (0.9, 0.9), (0.5, 0.1), (0.1, 0.9)), "crosses itself"),
    ],
)
def test_points_that_make_no_zone_are_refused_by_name(corners: tuple[Point, ...], said: str) -> None:
    assert said in (problem(corners) or "")
    with pytest.raises(ValueError, match=r"zone|point"):
        Polygon("z", corners)


@given(
    st.lists(st.floats(0.1, 1.0), min_size=3, max_size=12),
    st.floats(0, 2 * math.pi),
    st.booleans(),
)
def test_every_star_around_a_point_is_a_zone_that_contains_it(radii: list[float], turn: float, backwards: bool) -> None:
    angles = [turn + 2 * math.pi * index / len(radii) for index in range(len(radii))]
    corners = [
        (0.5 + 0.49 * radius * math.cos(angle), 0.5 + 0.49 * radius * math.sin(angle))
        for radius, angle in zip(radii, angles, strict=True)
    ]
    corners = corners[::-1] if backwards else corners
    assert problem(corners) is None
    assert Polygon("z", tuple(corners)).contains((0.5, 0.5))
    assert not Polygon("z", tuple(corners)).contains((1.0, 0.0))


places = st.one_of(st.none(), st.tuples(st.floats(0, 1), st.floats(0, 1)))


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(places, st.integers(1, 25), st.booleans()), max_size=20),
    st.floats(0, 4),
    st.sampled_from([1.0, 5.0, 10.0]),
)
def test_the_time_inside_is_never_negative_and_never_more_than_was_observed(
    path: list[tuple[Point | None, int, bool]], minimum: float, rate: float
) -> None:
    walk = Walk(watch(minimum), rate=rate)
    for place, times, gap in path:
        walk.go(*[place] * times, gap=gap)
    walk.end()
    assert 0 <= walk.present <= walk.observed + 1e-6
    told = [change.seconds for change in walk.changes if change.phase == "leave"]
    assert sum(told) <= walk.present + 1e-6
    assert all(seconds >= minimum - 1e-5 for seconds in told)
    assert walk.phases == ["enter", "leave"] * len(told)
    clocks = [change.clock for change in walk.changes]
    assert clocks == sorted(clocks)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.floats(-1, 1), st.integers(1, 30)), max_size=40),
    st.lists(st.floats(-1, 1), min_size=40, max_size=40),
)
def test_however_a_box_trembles_at_the_border_somebody_enters_once_at_most(
    across: list[tuple[float, int]], along: list[float]
) -> None:
    walk = Walk(watch())
    for (share, times), other in zip(across, along, strict=False):
        walk.go(*[(0.7 + share * 0.99 * BAND * WIDTH, 0.5 + 0.1 * other)] * times)
    walk.end()
    assert walk.phases in ([], ["enter", "leave"])


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.integers(15, 60), st.integers(15, 60)), min_size=1, max_size=5),
    st.lists(st.floats(-1, 1), min_size=30, max_size=30),
)
def test_each_real_stay_is_one_stay_whatever_trembles_at_its_border(
    stays: list[tuple[int, int]], tremble: list[float]
) -> None:
    walk = Walk(watch())
    for inside, outside in stays:
        walk.go(*[(0.7 + share * 0.99 * BAND * WIDTH, 0.5) for share in tremble])
        walk.go(*[IN] * inside)
        walk.go(*[(0.7 + share * 0.99 * BAND * WIDTH, 0.5) for share in reversed(tremble)])
        walk.go(*[OUT] * outside)
    walk.end()
    assert walk.phases == ["enter", "leave"] * len(stays)


def test_people_in_one_zone_do_not_know_of_each_other() -> None:
    zone = watch()
    both: list[Change] = []
    for tick in range(60):
        people = [person(*IN, track=1), *([person(0.4, 0.4, track=2)] if tick >= 20 else [])]
        both += zone.update(people, (), tick / 10, tick / 10, (tick / 10 - 0.1, tick / 10)).changes
    both += zone.finish([1, 2]).changes
    assert [(change.track, change.phase) for change in both] == [(1, "enter"), (2, "enter"), (1, "leave"), (2, "leave")]
    assert [change.seconds for change in both[2:]] == [pytest.approx(5.9), pytest.approx(3.9)]


@given(
    st.lists(
        st.tuples(st.lists(st.tuples(st.floats(-1, 2), st.floats(-1, 2)), max_size=5), st.floats(0, 10)), max_size=10
    )
)
def test_every_person_second_is_in_exactly_one_cell_of_the_heat_map(pictures: list[tuple[list[Point], float]]) -> None:
    heat = HeatMap()
    for points, seconds in pictures:
        heat.add(points, seconds)
    assert heat.cells.shape == (9, 16)
    assert heat.cells.min() >= 0
    assert heat.cells.sum() == pytest.approx(sum(len(points) * seconds for points, seconds in pictures))


def test_the_heat_is_where_people_are() -> None:
    heat = HeatMap()
    heat.add([(0.999, 0.999), (0.0, 0.0)], 2.0)
    assert (heat.cells[8, 15], heat.cells[0, 0], heat.cells.sum()) == (2.0, 2.0, 4.0)


def stays_in(zone: ZoneWatch, pictures: Sequence[Sequence[Person]], fps: float) -> tuple[list[float], float]:
    """The lengths of the stays, and the person-seconds."""
    lengths: list[float] = []
    present = 0.0
    tracks: set[int] = set()
    for index, people in enumerate(pictures):
        now = index / fps
        watched = zone.update(people, (), now, now, (now - 1 / fps, now) if index else None)
        lengths += [change.seconds for change in watched.changes if change.phase == "leave"]
        present += sum(end - start for start, end in watched.present)
        tracks |= {each.track for each in people}
    watched = zone.finish(sorted(tracks))
    lengths += [change.seconds for change in watched.changes if change.phase == "leave"]
    return lengths, present + sum(end - start for start, end in watched.present)


@pytest.mark.parametrize("fps", [5.0, 10.0])
def test_a_crowd_that_a_detector_sees_badly_stays_as_long_as_it_really_does(fps: float) -> None:
    middle = Polygon("z", ((0.35, 0.3), (0.65, 0.3), (0.65, 0.98), (0.35, 0.98)))
    stays, true_stays, present, true_present = 0, 0, 0.0, 0.0
    for seed in range(1000, 1006):
        pictures = walkers(seed, seconds=60, fps=fps)
        truth = [[Person(k, box, 0.9, 0.0, 9) for k, box in boxes.items()] for boxes in pictures]
        lengths, spent = stays_in(ZoneWatch(middle), truth, fps)
        true_stays, true_present = true_stays + len(lengths), true_present + spent
        tracker = Tracker()
        seen = detected(pictures, Noise(), seed)
        tracked = [tracker.update(found, index / fps).people for index, found in enumerate(seen)]
        lengths, spent = stays_in(ZoneWatch(middle), tracked, fps)
        stays, present = stays + len(lengths), present + spent
    assert true_stays > 40
    assert stays == pytest.approx(true_stays, rel=0.07)
    assert present == pytest.approx(true_present, rel=0.05)
