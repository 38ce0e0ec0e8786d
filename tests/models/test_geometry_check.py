from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.detector import Detector
from models.geometry_check import DrawnLine, DrawnZone, Finding, _words, check, suggested_anchor
from models.input_size import LARGEST, LEAST_PX, SMALLEST, propose
from models.lines import Anchor, Line, LineCounter, Point
from models.observation import Observation, Observer, Walk
from models.tracker import Person, Update
from tests.models.walking import ASPECT, HEIGHT, WIDTH, across, walk

DOOR = DrawnLine("door", (0.5, 0.2), (0.5, 0.9))
QUEUE = DrawnZone("queue", ((0.3, 0.4), (0.7, 0.4), (0.7, 0.8), (0.3, 0.8)))


def codes(found: Sequence[Finding], severity: str | None = None) -> list[str]:
    return [finding.code for finding in found if severity in (None, finding.severity)]


def test_a_line_across_the_way_and_a_zone_where_people_stand_are_good() -> None:
    assert check([DOOR], [QUEUE]) == []
    assert check([DOOR], [QUEUE], across()) == []


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (DrawnLine("a", (0.5, 0.5), (0.5, 0.5)), "line_without_length"),
        (DrawnLine("a", (0.5, 0.5), (0.5, 0.51)), "line_short_perhaps"),
        (DrawnLine("a", (0.0, 0.1), (0.0, 0.9)), "no_room"),
        (DrawnLine("a", (0.1, 1.0), (0.9, 1.0), "foot"), "no_room"),
        (DrawnLine("a", (0.1, 0.02), (0.9, 0.02), "foot"), "no_room"),
        (DrawnLine("a", (0.1, 0.01), (0.9, 0.01)), "no_room"),
        (DrawnLine("a", (0.2, 0.5), (1.2, 0.5)), "outside_picture"),
        (DrawnLine("Door", (0.5, 0.2), (0.5, 0.9)), "name_bad"),
        (DrawnLine("", (0.5, 0.2), (0.5, 0.9)), "name_bad"),
    ],
)
def test_a_line_that_cannot_count_is_an_error_before_anybody_was_seen(line: DrawnLine, code: str) -> None:
    assert codes(check([line], []), "error") == [code]


@pytest.mark.parametrize(
    ("zone", "code"),
    [
        (DrawnZone("z", ((0.1, 0.1), (0.9, 0.9))), "zone_points"),
        (DrawnZone("z", ((0.1, 0.1), (0.5, 0.5), (0.9, 0.9))), "zone_flat"),
        (DrawnZone("z", ((0.1, 0.1), (0.9, 0.9), (0.9, 0.1), (0.1, 0.9))), "zone_crosses"),
        (DrawnZone("z", ((0.5, 0.5), (0.505, 0.5), (0.505, 0.505))), "zone_small_perhaps"),
        (DrawnZone("z", ((0.2, 0.0), (0.8, 0.0), (0.8, 0.02), (0.2, 0.02))), "zone_no_room"),
        (DrawnZone("z", ((0.2, 0.2), (0.8, 0.2), (0.8, 1.2))), "outside_picture"),
    ],
)
def test_a_zone_in_which_nobody_can_be_is_an_error(zone: DrawnZone, code: str) -> None:
    assert code in codes(check([], [zone]), "error")


def test_where_nobody_was_seen_the_usual_size_gives_a_hint_and_no_error() -> None:
    short = DrawnLine("a", (0.5, 0.5), (0.5, 0.56))
    assert [(f.code, f.severity) for f in check([short], [])] == [("line_short_perhaps", "hint")]
    small = DrawnZone("z", ((0.5, 0.5), (0.53, 0.5), (0.53, 0.55), (0.5, 0.55)))
    assert [(f.code, f.severity) for f in check([], [small])] == [("zone_small_perhaps", "hint")]


def test_the_people_who_were_seen_decide_how_long_a_line_must_be() -> None:
    line = DrawnLine("a", (0.5, 0.48), (0.5, 0.56))
    assert "line_short" in codes(check([line], [], across()), "error")
    assert "line_short" not in codes(check([line], [], across(width=0.03, height=0.12)))


def test_a_line_where_only_half_of_a_person_has_room_is_a_hint() -> None:
    near = DrawnLine("a", (0.035, 0.1), (0.035, 0.9))
    found = check([near], [], across())
    assert ("little_room", "hint") in [(f.code, f.severity) for f in found]
    assert "the left side" in next(f.text("en") for f in found if f.code == "little_room")


def test_a_line_that_nobody_came_near_while_others_walked_is_a_hint() -> None:
    away = DrawnLine("a", (0.2, 0.95), (0.8, 0.95), "foot")
    seen = Observation(ASPECT, across(height=0.1, width=0.02, y=0.2).walks)
    assert [(f.code, f.severity) for f in check([away], [], seen)] == [("nobody_near", "hint")]
    assert "nobody_near" not in codes(check([DOOR], [], seen))


def test_a_line_that_ends_in_the_air_names_the_end_where_people_walk_around_it() -> None:
    seen = Observation(ASPECT, (*across(4).walks, *across(3, y=0.75).walks))
    found = check([DrawnLine("a", (0.5, 0.1), (0.5, 0.66))], [], seen)
    assert [(f.code, f.values["end"], f.values["around"]) for f in found] == [("walked_around", "B", "3")]
    turned = check([DrawnLine("a", (0.5, 0.66), (0.5, 0.1))], [], seen)
    assert [(f.code, f.values["end"]) for f in turned] == [("walked_around", "A")]


def test_people_who_stand_on_the_line_are_a_hint_with_their_seconds() -> None:
    stander = walk((0.5, 0.5), (0.5, 0.5), seconds=12)
    found = check([DOOR], [], Observation(ASPECT, (*across().walks, stander)))
    assert codes(found) == ["people_stop"]
    assert float(found[0].values["seconds"]) == pytest.approx(11, abs=1)


def test_feet_below_the_picture_make_a_foot_line_an_error_and_the_centre_the_suggestion() -> None:
    seen = across(y=0.9)
    foot = DrawnLine("a", (0.5, 0.5), (0.5, 0.98), "foot")
    assert "feet_cut" in codes(check([foot], [], seen), "error")
    assert suggested_anchor(foot, seen) == ("centre", "feet_cut")
    threshold = DrawnLine("b", (0.2, 0.6), (0.8, 0.6))
    assert suggested_anchor(threshold, across()) == ("foot", "feet_better")
    assert suggested_anchor(foot, across()) is None
    assert suggested_anchor(foot, Observation(ASPECT)) is None


def test_legs_behind_a_counter_suggest_the_centre() -> None:
    seen = across(height=0.16, width=0.07)
    assert suggested_anchor(DOOR, seen) == ("centre", "feet_hidden")
    assert "feet_hidden" in codes(check([DrawnLine("a", DOOR.start, DOOR.end, "foot")], [], seen), "hint")


@pytest.mark.parametrize("turned", [False, True])
def test_a_line_drawn_twice_is_an_error_whichever_way_it_was_drawn(turned: bool) -> None:
    ends = ((0.505, 0.21), (0.5, 0.89))
    again = DrawnLine("again", *(ends[::-1] if turned else ends))
    found = check([DOOR, again], [])
    assert [(f.code, f.index, f.values["other"]) for f in found] == [("lines_equal", 1, "door")]


def test_a_name_is_given_once_over_lines_and_zones() -> None:
    found = check([DOOR], [DrawnZone("door", QUEUE.corners)])
    assert [(f.code, f.kind, f.index) for f in found] == [("name_twice", "zone", 0)]


def test_every_word_is_there_in_both_languages_with_the_same_values() -> None:
    import re

    for code, words in _words().items():
        assert set(words) == {"en", "zh"}, code
        assert set(re.findall(r"{(\w+)}", words["en"])) == set(re.findall(r"{(\w+)}", words["zh"])), code
        assert re.search(r"[\u4e00-\u9fff]", words["zh"]), code


PLACES = st.tuples(st.floats(-0.2, 1.2), st.floats(-0.2, 1.2))
ANCHORS: st.SearchStrategy[Anchor] = st.sampled_from(["centre", "foot"])
LINES = st.builds(DrawnLine, st.sampled_from(["a", "b", "", "A"]), PLACES, PLACES, ANCHORS)
ZONES = st.builds(
    DrawnZone, st.sampled_from(["a", "z", "?"]), st.lists(PLACES, max_size=8).map(tuple[Point, ...]), ANCHORS
)
WALKS = st.builds(
    walk,
    PLACES,
    PLACES,
    seconds=st.floats(0, 20),
    width=st.floats(0.001, 0.9),
    height=st.floats(0.001, 0.9),
)
SEEN = st.builds(Observation, st.floats(0.3, 3), st.lists(WALKS, max_size=6).map(tuple[Walk, ...]))


@settings(max_examples=300, deadline=None)
@given(st.lists(LINES, max_size=4), st.lists(ZONES, max_size=3), st.one_of(st.none(), SEEN))
def test_whatever_is_drawn_each_finding_has_words_and_a_place(
    lines: list[DrawnLine], zones: list[DrawnZone], seen: Observation | None
) -> None:
    found = check(lines, zones, seen)
    for finding in found:
        assert finding.index < len(lines if finding.kind == "line" else zones)
        for language in ("en", "zh"):
            text = finding.text(language)
            assert text
            assert "{" not in text
    severities = [finding.severity for finding in found]
    assert severities == sorted(severities)


@settings(max_examples=200, deadline=None)
@given(LINES, SEEN)
def test_turning_a_line_around_changes_nothing_but_the_name_of_its_ends(line: DrawnLine, seen: Observation) -> None:
    turned = DrawnLine(line.name, line.end, line.start, line.anchor)
    assert sorted(codes(check([line], [], seen))) == sorted(codes(check([turned], [], seen)))


def crossed(line: DrawnLine, someone: Walk) -> bool:
    """Whether the counter of the box counts this walk."""
    counter = LineCounter(Line(line.name, line.start, line.end, line.anchor))
    found = []
    for index, (time, box) in enumerate(zip(someone.times, someone.boxes, strict=True)):
        person = Person(1, tuple(box.tolist()), 0.9, 0.0, index + 1)
        found += counter.update([person], (), float(time))
    return bool(found)


@settings(max_examples=300, deadline=None)
@given(
    st.floats(0, 1), st.floats(0, 1), st.booleans(), ANCHORS,
    st.floats(0.3, 0.7), st.floats(-0.2, 1.2), st.floats(-0.2, 1.2),
)  # fmt: skip
def test_nobody_who_is_wholly_in_the_picture_crosses_a_line_without_room(
    at: float, tilt: float, upright: bool, anchor: Anchor, along: float, since: float, until: float
) -> None:
    other = min(1.0, max(0.0, at + 0.05 * (tilt - 0.5)))
    line = DrawnLine("a", *(((at, 0.05), (other, 0.95)) if upright else ((0.05, at), (0.95, other))), anchor)
    # People as the check sees them: whole and inside, so that their sizes are those that it uses.
    low, high = (WIDTH / 2, HEIGHT / 2)
    inside = (min(1 - low, max(low, since)), min(1 - low, max(low, until)))
    upwards = (min(1 - high, max(high, since)), min(1 - high, max(high, until)))
    someone = (
        walk((inside[0], along), (inside[1], along)) if upright else walk((along, upwards[0]), (along, upwards[1]))
    )
    seen = Observation(ASPECT, (someone,))
    if "no_room" in codes(check([line], [], seen)):
        inner = [
            box for box in someone.boxes if box[0] > 0.006 and box[2] < 0.994 and box[1] > 0.006 and box[3] < 0.994
        ]
        if len(inner) == len(someone.boxes):
            assert not crossed(line, someone)


def test_the_observer_keeps_people_and_forgets_flickers() -> None:
    observer = Observer(ASPECT)
    for index in range(10):
        person = Person(1, (0.1, 0.1, 0.2, 0.4), 0.8, 0.0, index + 1)
        flicker = [Person(2, (0.5, 0.5, 0.6, 0.8), 0.3, 0.0, 1)] if index == 3 else []
        observer.see(Update([person, *flicker], [2] if index == 6 else []), index / 5)
    seen = observer.observation()
    assert [len(each.times) for each in seen.walks] == [10]
    assert seen.size_near((0.1, 0.1), (0.2, 0.2), "centre").height == pytest.approx(0.3)


def test_a_proposal_makes_the_smallest_people_near_the_line_high_enough() -> None:
    small = across(height=0.08, width=0.018)
    proposal = propose(small, [((DOOR.start, DOOR.end), "centre")], 416)
    assert proposal is not None
    assert proposal.height == pytest.approx(0.08)
    assert proposal.pixels == pytest.approx(0.08 / ASPECT * proposal.size)
    assert proposal.pixels >= LEAST_PX or not proposal.enough
    assert proposal.pixels_now == pytest.approx(0.08 / ASPECT * 416)
    assert proposal.size % 32 == 0
    assert proposal.cost == pytest.approx((proposal.size / 416) ** 2)


def test_large_people_need_a_smaller_input_and_nobody_needs_none() -> None:
    large = propose(across(height=0.6, width=0.14), [], 416)
    assert large is not None
    assert large.size < 416
    assert large.pixels >= LEAST_PX
    assert propose(Observation(ASPECT), [], 416) is None


def test_a_smaller_input_is_proposed_only_where_it_saves_much() -> None:
    someone = across(height=0.135, width=0.03)
    for now, proposed in ((416, 416), (640, 416)):
        proposal = propose(someone, [], now)
        assert proposal is not None
        assert proposal.size == proposed


def test_people_far_from_what_was_drawn_do_not_enlarge_the_input() -> None:
    far = across(height=0.05, width=0.012, y=0.1)
    both = Observation(ASPECT, (*across(y=0.6).walks, *far.walks))
    near = propose(both, [(((0.5, 0.5), (0.5, 0.9)), "centre")], 416)
    everywhere = propose(both, [], 416)
    assert near is not None
    assert everywhere is not None
    assert near.size < everywhere.size


@settings(max_examples=200, deadline=None)
@given(st.floats(0.005, 1), st.floats(0.3, 3))
def test_the_proposed_size_is_the_smallest_multiple_that_is_enough(height: float, aspect: float) -> None:
    boxes = np.tile([0.4, 0.0, 0.5, height], (30, 1))
    proposal = propose(Observation(aspect, (Walk(np.arange(30.0), boxes),)), [], 416)
    assert proposal is not None
    assert SMALLEST <= proposal.size <= LARGEST
    if proposal.enough and proposal.size > SMALLEST:
        assert proposal.pixels >= LEAST_PX - 1e-6
        assert proposal.size == 416 or proposal.pixels * (proposal.size - 32) / proposal.size < LEAST_PX
    if not proposal.enough:
        assert proposal.pixels < LEAST_PX


@pytest.mark.parametrize("aspect", [16 / 9, 4 / 3, 1.0, 9 / 16])
def test_the_largest_proposed_size_is_one_that_the_detector_loads(aspect: float) -> None:
    picture = np.zeros((240, round(240 * aspect), 3), np.uint8)
    assert len(Detector(long_side=LARGEST).detect(picture)) == 0
