"""Entry rules with made-up tracks: people whose feet are put where the test wants them, and clothes that it chooses."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from edge.processors.badges import BadgeBoard
from edge.processors.counting import Counting, FootfallConfig, LineConfig, Moment
from edge.processors.entry_rules import BadgeRule, EntryRules, StaffRules
from edge.processors.zones import ZoneConfig
from models.appearance import BANDS, FEATURES, Look
from models.tracker import Person, Update
from sync.events import Event, FootfallMinute, Visit, Zone

T0 = 1_700_000_040.0
"""A full minute (a multiple of 60)."""
DOOR = LineConfig(name="door", start=(0.5, 0.0), end=(0.5, 1.0), entering="positive")
COUNTER = ZoneConfig(name="counter", polygon=((0.8, 0.0), (1.0, 0.0), (1.0, 1.0), (0.8, 1.0)), minimum_seconds=2)
IN, OUT = 1, -1
OUTSIDE, INSIDE = 0.3, 0.7


def dressed(colour: int) -> Look:
    """Clothes of one colour: other colours have nothing in common with it."""
    bands = np.zeros((BANDS, FEATURES))
    bands[:, colour] = 1.0
    return Look(bands)


class Scene:
    """People by track number; ten updates a second. ``wear`` says who wears what."""

    def __init__(
        self,
        rules: EntryRules | None = None,
        *,
        staff: StaffRules | None = None,
        zones: tuple[ZoneConfig, ...] = (),
        board: BadgeBoard | None = None,
        lines: tuple[LineConfig, ...] = (DOOR,),
    ) -> None:
        config = FootfallConfig(lines=lines, zones=zones, rules=rules or EntryRules(), staff=staff)
        self.counting = Counting("cam", config, board)
        self.now = 0.0
        self.events: list[Event] = []
        self.wear: dict[int, Look] = {}
        self._since: dict[int, tuple[float, int]] = {}

    def step(self, people: Mapping[int, tuple[float, float]], *, dt: float = 0.1) -> None:
        """One picture, in which ``people`` are at x and y (the centre); whoever is missing has gone."""
        self.now = round(self.now + dt, 6)
        seen = []
        for track, (x, y) in people.items():
            since, count = self._since.get(track, (self.now, 0))
            self._since[track] = since, count + 1
            seen.append(Person(track, (x - 0.04, y - 0.15, x + 0.04, y + 0.15), 0.9, since, count + 1))
        ended = [track for track in self._since if track not in people]
        for track in ended:
            del self._since[track]
        looks = {track: self.wear[track] for track in people if track in self.wear}
        span = T0 + self.now - dt, T0 + self.now
        self.events += self.counting.update(Update(seen, ended), Moment(T0 + self.now, self.now), span, looks)
        self.events += self.counting.flush(T0 + self.now)

    def walk(self, ways: Mapping[int, tuple[float, float]], *, seconds: float = 2.0, y: float = 0.5) -> None:
        """Everybody of ``ways`` from one x to another; the line lies halfway."""
        for number in range(round(seconds * 10) + 1):
            share = number / round(seconds * 10)
            self.step({track: (a + share * (b - a), y) for track, (a, b) in ways.items()})

    def wait(self, seconds: float) -> None:
        """Nobody is there."""
        for _ in range(round(seconds)):
            self.step({}, dt=1.0)

    def close(self) -> "Scene":
        self.events += self.counting.close(list(self._since), T0 + self.now)
        return self

    @property
    def visits(self) -> list[Visit]:
        """In the order of the crossings."""
        found = [event for event in self.events if isinstance(event.data, Visit)]
        return [event.data for event in sorted(found, key=lambda event: event.time) if isinstance(event.data, Visit)]

    @property
    def said(self) -> list[tuple[str, tuple[str, ...]]]:
        return [(visit.direction, visit.evidence.exclusions) for visit in self.visits]

    def totals(self, place: str = "door") -> dict[str, int]:
        """Over all minutes: the last revision of each."""
        kept: dict[float, FootfallMinute] = {}
        for event in self.events:
            if isinstance(event.data, FootfallMinute) and event.data.place == place:
                minute = event.data.minute.timestamp()
                assert minute not in kept or kept[minute].revision < event.data.revision
                kept[minute] = event.data
        names = ("entered", "left", "staff_entered", "staff_left", "excluded", "groups")
        return {name: sum(getattr(minute, name) or 0 for minute in kept.values()) for name in names}


def totals(entered: int = 0, left: int = 0, **others: int) -> dict[str, int]:
    return {"entered": entered, "left": left, "staff_entered": 0, "staff_left": 0, "excluded": 0, "groups": 0} | others


# Defaults


def test_by_default_nothing_is_excluded_held_or_told_that_was_not_before() -> None:
    scene = Scene()
    scene.walk({1: (OUTSIDE, INSIDE)})
    assert scene.said == [("in", ())]
    scene.walk({1: (INSIDE, OUTSIDE)})
    assert scene.said == [("in", ()), ("out", ())]
    (minute, *_) = [event.data for event in scene.events if isinstance(event.data, FootfallMinute)]
    assert (minute.staff_entered, minute.staff_left, minute.excluded, minute.groups) == (None, None, None, 1)


# U-turns


def test_who_turns_back_at_once_is_two_excluded_crossings() -> None:
    scene = Scene(EntryRules(u_turn_seconds=4))
    scene.walk({1: (OUTSIDE, INSIDE)})
    assert scene.visits == []
    scene.walk({1: (INSIDE, OUTSIDE)})
    scene.close()
    assert scene.said == [("in", ("u_turn",)), ("out", ("u_turn",))]
    assert scene.totals() == totals(excluded=2)


def test_who_turns_back_later_has_come() -> None:
    scene = Scene(EntryRules(u_turn_seconds=4))
    scene.walk({1: (OUTSIDE, INSIDE)})
    for _ in range(50):
        scene.step({1: (INSIDE, 0.5)})
    scene.walk({1: (INSIDE, OUTSIDE)})
    scene.close()
    assert scene.said == [("in", ()), ("out", ())]


def test_who_comes_turns_and_comes_after_all_is_one_visit() -> None:
    scene = Scene(EntryRules(u_turn_seconds=4))
    scene.walk({1: (OUTSIDE, INSIDE)})
    scene.walk({1: (INSIDE, OUTSIDE)})
    scene.walk({1: (OUTSIDE, INSIDE)})
    scene.close()
    assert scene.said == [("in", ("u_turn",)), ("out", ("u_turn",)), ("in", ())]
    assert scene.totals() == totals(entered=1, excluded=2, groups=1)


def test_somebody_else_who_goes_out_is_no_u_turn() -> None:
    scene = Scene(EntryRules(u_turn_seconds=4))
    scene.walk({1: (OUTSIDE, INSIDE), 2: (INSIDE, OUTSIDE)})
    scene.close()
    assert sorted(scene.said) == [("in", ()), ("out", ())]


def test_a_track_that_ended_cannot_turn_back_and_does_not_wait() -> None:
    scene = Scene(EntryRules(u_turn_seconds=60))
    scene.walk({1: (OUTSIDE, INSIDE)})
    assert scene.visits == []
    scene.step({})
    assert scene.said == [("in", ())]


# Minimum stay


def test_who_leaves_too_soon_by_another_track_is_known_by_the_clothes() -> None:
    scene = Scene(EntryRules(minimum_stay_seconds=60))
    scene.wear = {1: dressed(3), 2: dressed(3), 3: dressed(8)}
    scene.walk({1: (OUTSIDE, INSIDE)})
    scene.walk({3: (OUTSIDE, INSIDE)})
    scene.wait(20)
    assert scene.visits == []
    scene.walk({2: (INSIDE, OUTSIDE)})
    scene.wait(80)
    assert scene.said == [("in", ("minimum_stay",)), ("in", ()), ("out", ("minimum_stay",))]
    assert scene.totals() == totals(entered=1, excluded=2, groups=1)


def test_who_stays_long_enough_is_counted_when_that_is_sure_and_in_the_minute_of_the_crossing() -> None:
    scene = Scene(EntryRules(minimum_stay_seconds=200))
    scene.wear = {1: dressed(3), 2: dressed(3)}
    scene.walk({1: (OUTSIDE, INSIDE)})
    scene.wait(150)
    assert scene.visits == []
    assert not [event for event in scene.events if isinstance(event.data, FootfallMinute)], "the minute waits"
    scene.wait(60)
    assert scene.said == [("in", ())]
    (first, *_) = [event for event in scene.events if isinstance(event.data, FootfallMinute)]
    assert isinstance(first.data, FootfallMinute)
    assert first.data.minute.timestamp() == T0
    assert first.data.entered == 1
    scene.walk({2: (INSIDE, OUTSIDE)})
    scene.wait(5)
    assert scene.said == [("in", ()), ("out", ())]


def test_who_is_followed_all_the_way_needs_no_clothes() -> None:
    scene = Scene(EntryRules(minimum_stay_seconds=60))
    scene.walk({1: (OUTSIDE, INSIDE)})
    for _ in range(100):
        scene.step({1: (INSIDE, 0.5)})
    scene.walk({1: (INSIDE, OUTSIDE)})
    scene.close()
    assert scene.said == [("in", ("minimum_stay",)), ("out", ("minimum_stay",))]


def test_one_who_leaves_cancels_one_who_came_and_not_two_dressed_alike() -> None:
    scene = Scene(EntryRules(minimum_stay_seconds=60))
    scene.wear = {1: dressed(3), 2: dressed(3), 3: dressed(3)}
    scene.walk({1: (OUTSIDE, INSIDE)})
    scene.walk({2: (OUTSIDE, INSIDE)})
    scene.walk({3: (INSIDE, OUTSIDE)})
    scene.close()
    assert sorted(scene.said) == [("in", ()), ("in", ("minimum_stay",)), ("out", ("minimum_stay",))]


# Re-entry


def test_who_left_and_comes_back_soon_is_no_second_visit() -> None:
    scene = Scene(EntryRules(re_entry_seconds=120))
    scene.wear = {1: dressed(3), 2: dressed(3), 3: dressed(9)}
    scene.walk({1: (INSIDE, OUTSIDE)})
    scene.wait(60)
    scene.walk({3: (OUTSIDE, INSIDE)})
    scene.walk({2: (OUTSIDE, INSIDE)})
    scene.close()
    assert scene.said == [("out", ()), ("in", ()), ("in", ("re_entry",))]
    assert scene.totals() == totals(entered=1, left=1, excluded=1, groups=1)


def test_who_comes_back_later_is_a_new_visit_and_the_clothes_are_forgotten() -> None:
    scene = Scene(EntryRules(re_entry_seconds=120))
    scene.wear = {1: dressed(3), 2: dressed(3)}
    scene.walk({1: (INSIDE, OUTSIDE)})
    assert len(scene.counting._entries._gone) == 1
    scene.wait(130)
    assert len(scene.counting._entries._gone) == 0
    scene.walk({2: (OUTSIDE, INSIDE)})
    scene.close()
    assert scene.said == [("out", ()), ("in", ())]


def test_one_who_left_can_come_back_once() -> None:
    scene = Scene(EntryRules(re_entry_seconds=120))
    scene.wear = {1: dressed(3), 2: dressed(3), 3: dressed(3)}
    scene.walk({1: (INSIDE, OUTSIDE)})
    scene.walk({2: (OUTSIDE, INSIDE)})
    scene.walk({3: (OUTSIDE, INSIDE)})
    scene.close()
    assert scene.said == [("out", ()), ("in", ("re_entry",)), ("in", ())]


def test_the_crowd_that_left_is_remembered_up_to_a_bound() -> None:
    scene = Scene(EntryRules(re_entry_seconds=3600))
    for track in range(1, 231):
        scene.wear[track] = dressed(3)
        scene.walk({track: (INSIDE, OUTSIDE)}, seconds=0.8)
    assert len(scene.counting._entries._gone) == 200


# Groups


def groups(scene: Scene, direction: str = "in") -> list[int]:
    """The sizes of the groups, in order of their first."""
    names = [visit.group for visit in scene.visits if visit.direction == direction]
    return [names.count(name) for name in dict.fromkeys(names)]


def beside(scene: Scene, offsets: Mapping[int, tuple[float, float]], speeds: Mapping[int, float]) -> None:
    """Walk to the right at so many shares of the picture a second."""
    for tick in range(60):
        people = {n: (0.2 + dx + speeds.get(n, 0.12) * tick / 10, 0.5 + dy) for n, (dx, dy) in offsets.items()}
        scene.step({n: at for n, at in people.items() if at[0] < 0.9})
    scene.close()


def test_two_side_by_side_are_one_group_and_two_visits() -> None:
    scene = Scene()
    beside(scene, {1: (0.0, 0.0), 2: (0.02, 0.2)}, {})
    assert groups(scene) == [2]
    assert scene.totals() == totals(entered=2, groups=1)


def test_a_family_in_file_is_one_group() -> None:
    scene = Scene()
    beside(scene, {1: (0.0, 0.0), 2: (-0.1, 0.02), 3: (-0.2, 0.0)}, {})
    assert groups(scene) == [3]


def test_two_who_come_in_at_the_same_time_at_different_ends_of_a_wide_door_are_two_groups() -> None:
    scene = Scene()
    beside(scene, {1: (0.0, -0.25), 2: (0.0, 0.3)}, {})
    assert groups(scene) == [1, 1]
    assert scene.totals() == totals(entered=2, groups=2)


def test_who_overtakes_is_no_company() -> None:
    scene = Scene()
    beside(scene, {1: (0.0, 0.0), 2: (-0.18, 0.1)}, {2: 0.26})
    assert groups(scene) == [1, 1]


def test_people_who_pass_in_both_directions_are_no_group() -> None:
    scene = Scene()
    scene.walk({1: (OUTSIDE, INSIDE), 2: (INSIDE, OUTSIDE)})
    scene.close()
    assert len({visit.group for visit in scene.visits}) == 2


def test_a_group_of_which_one_turns_back_is_still_one_buying_unit() -> None:
    scene = Scene(EntryRules(u_turn_seconds=5))
    scene.walk({1: (OUTSIDE, INSIDE), 2: (OUTSIDE - 0.05, INSIDE)})
    scene.walk({1: (INSIDE, INSIDE), 2: (INSIDE, OUTSIDE)})
    scene.close()
    assert scene.totals() == totals(entered=1, excluded=2, groups=1)


def test_groups_can_be_switched_off() -> None:
    scene = Scene(EntryRules(group_seconds=0))
    scene.walk({1: (OUTSIDE, INSIDE)})
    scene.close()
    assert scene.visits[0].group is None
    minute = [event.data for event in scene.events if isinstance(event.data, FootfallMinute)][-1]
    assert minute.groups is None


# Staff

FROM_COUNTER = StaffRules(zones=("counter",), zone_seconds=20)


def test_who_comes_from_behind_the_counter_is_staff_and_counted_apart() -> None:
    scene = Scene(staff=FROM_COUNTER, zones=(COUNTER,))
    scene.walk({1: (0.9, OUTSIDE)})
    scene.walk({2: (INSIDE, OUTSIDE)})
    scene.close()
    assert scene.said == [("out", ("staff",)), ("out", ())]
    assert [visit.staff for visit in scene.visits] == [True, False]
    assert scene.totals() == totals(left=1, staff_left=1)


def test_who_stays_behind_the_counter_is_staff_and_who_only_asks_there_is_not() -> None:
    scene = Scene(staff=FROM_COUNTER, zones=(COUNTER,))
    scene.walk({1: (OUTSIDE, 0.9), 2: (OUTSIDE, 0.9)})
    for tick in range(250):
        scene.step({1: (0.9, 0.5)} if tick > 50 else {1: (0.9, 0.5), 2: (0.9, 0.5)})
    scene.walk({1: (0.9, OUTSIDE)})
    scene.close()
    assert [(visit.evidence.track, visit.direction, visit.staff) for visit in scene.visits] == [
        (1, "in", False),
        (2, "in", False),
        (1, "out", True),
    ]


def test_a_stay_of_staff_is_told_as_one_from_its_beginning_to_its_end() -> None:
    scene = Scene(staff=FROM_COUNTER, zones=(COUNTER,))
    for _ in range(60):
        scene.step({1: (0.9, 0.5)})
    scene.walk({1: (0.9, INSIDE)})
    scene.wait(3)
    stays = [event.data for event in scene.events if isinstance(event.data, Zone)]
    assert [(stay.phase, stay.staff) for stay in stays] == [("enter", True), ("leave", True)]
    scene.close()
    assert scene.totals("counter") == totals(staff_entered=1, staff_left=1)


def test_a_badge_that_comes_with_somebody_makes_that_one_staff() -> None:
    board = BadgeBoard()
    scene = Scene(staff=StaffRules(badges=BadgeRule(readers=("door-reader",))), board=board)
    scene.walk({1: (OUTSIDE, INSIDE)})
    for tick in range(5):
        board.note("door-reader", "B1", T0 + 3 + tick * 0.3)
    scene.walk({2: (OUTSIDE, INSIDE)}, seconds=4)
    scene.wait(10)
    assert [(visit.evidence.track, visit.staff) for visit in scene.visits] == [(1, False), (2, True)]
    assert scene.totals() == totals(entered=1, staff_entered=1, groups=1)


def test_two_people_and_one_badge_make_one_staff() -> None:
    board = BadgeBoard()
    scene = Scene(staff=StaffRules(badges=BadgeRule(readers=("door-reader",))), board=board)
    board.note("door-reader", "B1", T0 + 1.0)
    scene.walk({1: (OUTSIDE, INSIDE), 2: (OUTSIDE - 0.15, INSIDE - 0.15), 3: (0.1, 0.2)})
    scene.walk({1: (INSIDE, INSIDE), 2: (INSIDE - 0.15, INSIDE), 3: (0.1, 0.2)})
    scene.wait(10)
    assert [(visit.evidence.track, visit.staff) for visit in scene.visits] == [(1, True), (2, False)]


def test_staff_who_stand_at_the_door_make_no_customer_staff() -> None:
    board = BadgeBoard()
    scene = Scene(staff=StaffRules(badges=BadgeRule(readers=("door-reader",))), board=board)
    for second in range(0, 120):
        board.note("door-reader", "B1", T0 - 30 + second)
    for track in range(1, 6):
        scene.walk({track: (OUTSIDE, INSIDE)})
    scene.wait(10)
    assert [visit.staff for visit in scene.visits] == [False] * 5


def test_a_badge_at_another_reader_or_too_early_says_nothing() -> None:
    board = BadgeBoard()
    scene = Scene(staff=StaffRules(badges=BadgeRule(readers=("door-reader",))), board=board)
    board.note("till", "B1", T0 + 1.0)
    board.note("door-reader", "B1", T0 - 5.0)
    scene.walk({1: (OUTSIDE, INSIDE)})
    scene.wait(10)
    assert [visit.staff for visit in scene.visits] == [False]


# Configuration


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"rules": {"u_turn_seconds": -1}}, "greater than or equal to 0"),
        ({"rules": {"minimum_stay_seconds": 301}}, "less than or equal to 300"),
        ({"rules": {"uturn": 3}}, "Extra inputs"),
        ({"staff": {}}, "staff could not be known by anything"),
        ({"staff": {"zones": ["kitchen"]}}, "there is no zone called kitchen"),
        ({"staff": {"badges": {"readers": []}}}, "at least 1 item"),
    ],
)
def test_rules_that_cannot_be_are_refused_by_name(section: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        FootfallConfig.model_validate({"lines": [DOOR.model_dump()], **section})


def test_a_line_may_have_rules_of_its_own() -> None:
    strict = DOOR.model_copy(update={"name": "strict", "rules": EntryRules(u_turn_seconds=5)})
    scene = Scene(lines=(DOOR, strict))
    scene.walk({1: (OUTSIDE, INSIDE)})
    scene.walk({1: (INSIDE, OUTSIDE)})
    scene.close()
    assert scene.totals("door") == totals(entered=1, left=1, groups=1)
    assert scene.totals("strict") == totals(excluded=2)


# Whatever happens

WAYS = st.sampled_from([IN, OUT])


@settings(max_examples=60, deadline=None)
@given(
    walks=st.lists(
        st.tuples(st.integers(1, 4), WAYS, st.integers(0, 2), st.integers(0, 40), st.booleans()), max_size=12
    ),
    u_turn=st.sampled_from([0, 3, 60]),
    stay=st.sampled_from([0, 5, 120]),
    back=st.sampled_from([0, 10, 600]),
    staff=st.sampled_from([None, FROM_COUNTER, StaffRules(badges=BadgeRule(readers=("r",)))]),
    badges=st.lists(st.floats(0, 200), max_size=4),
    jump=st.sampled_from([0.0, -3600.0, 7200.0]),
)
def test_every_crossing_is_one_visit_event_and_is_in_exactly_one_total(
    walks: Sequence[tuple[int, int, int, int, bool]],
    u_turn: int,
    stay: int,
    back: int,
    staff: StaffRules | None,
    badges: Sequence[float],
    jump: float,
) -> None:
    rules = EntryRules(u_turn_seconds=u_turn, minimum_stay_seconds=stay, re_entry_seconds=back)
    board = BadgeBoard()
    for time in badges:
        board.note("r", "B1", T0 + time)
    scene = Scene(rules, staff=staff, zones=(COUNTER,), board=board)
    plain = Scene(EntryRules(group_seconds=0), zones=(COUNTER,))
    track, where = 0, dict.fromkeys(range(1, 5), OUTSIDE)
    for person, way, colour, pause, goes_on in walks:
        track = track if goes_on and track else track + 1
        begin = where[person] if goes_on else (OUTSIDE if way == IN else 0.9)
        end = INSIDE if way == IN else OUTSIDE
        for one in (scene, plain):
            one.wear[track] = dressed(colour)
            one.walk({track: (begin, end)}, seconds=1.0)
            if not goes_on:
                one.wait(pause)
        where[person] = end
    # A clock that is set while crossings wait.
    scene.events += scene.counting.flush(T0 + scene.now + jump)
    scene.close()
    plain.close()

    def crossed(one: Scene) -> list[tuple[int, str, float]]:
        return sorted((v.evidence.track, v.direction, v.evidence.track_seconds) for v in one.visits)

    assert crossed(scene) == crossed(plain)
    got = scene.totals()
    ins = [visit for visit in scene.visits if visit.direction == "in"]
    apart = [visit for visit in scene.visits if visit.evidence.exclusions and not visit.staff]
    assert got["entered"] + got["staff_entered"] == len([visit for visit in ins if visit not in apart])
    assert got["excluded"] == len(apart)
    counted = got["entered"] + got["left"] + got["staff_entered"] + got["staff_left"] + got["excluded"]
    assert counted == len(scene.visits)
    assert all(visit.staff == ("staff" in visit.evidence.exclusions) for visit in scene.visits)
    assert got["groups"] <= got["entered"]
    # What is paired nets to nothing: nobody is lost who really went from one side to the other.
    for reason in ("u_turn", "minimum_stay"):
        pairs = [visit.direction for visit in scene.visits if reason in visit.evidence.exclusions]
        assert pairs.count("in") == pairs.count("out")


def test_no_look_of_anybody_is_in_an_event(tmp_path: Path) -> None:
    scene = Scene(EntryRules(re_entry_seconds=60, minimum_stay_seconds=5))
    scene.wear = {1: dressed(3)}
    scene.walk({1: (OUTSIDE, INSIDE)})
    scene.wait(30)
    texts = "".join(event.data.model_dump_json() for event in scene.events)
    assert scene.visits
    assert "look" not in texts
    assert "band" not in texts
