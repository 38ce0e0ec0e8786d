import random
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.audit.intervals import Errors, count_accuracy, rate, wilson
from edge.audit.matching import Direction, Passing, match, reaction_delay
from edge.audit.score import Score, least_people, score

passings = st.lists(
    st.builds(
        Passing,
        st.integers(0, 3000).map(lambda tick: tick / 10),
        st.just("door"),
        st.sampled_from(("in", "out")),
    ),
    max_size=40,
)


def going(*seconds: float, way: Direction = "in") -> list[Passing]:
    return [Passing(one, "door", way) for one in seconds]


@given(passings, passings, st.randoms())
def test_the_order_in_which_taps_and_counts_are_given_makes_no_difference(
    people: list[Passing], machine: list[Passing], rng: random.Random
) -> None:
    before = score(people, machine)
    rng.shuffle(people)
    rng.shuffle(machine)
    assert score(people, machine) == before


@given(st.lists(st.integers(0, 600), min_size=1, max_size=30, unique=True), st.integers(0, 15))
def test_perfect_taps_that_all_come_equally_late_are_all_right(seconds: list[int], late: int) -> None:
    machine = [Passing(float(one), "door", "in" if one % 3 else "out") for one in seconds]
    result = score([one.earlier(-late / 10) for one in machine], machine)
    assert (result.all.right, result.all.false, result.all.missed) == (len(seconds), 0, 0)
    assert result.all.accuracy is not None
    assert result.all.accuracy.value == 1
    assert result.net_error == 0


@given(passings, passings)
def test_people_and_counts_are_matched_once_within_the_tolerance_in_line_and_direction(
    people: list[Passing], machine: list[Passing]
) -> None:
    pairs = match(people, machine, 1.0)
    assert sorted([*(p for p, _ in pairs), *score(people, machine, delay=0).missed]) == sorted(people)
    for person, count in pairs:
        assert abs(person.time - count.time) <= 1.0 + 1e-6
        assert (person.line, person.direction) == (count.line, count.direction)


@given(passings, passings)
def test_no_other_assignment_has_more_pairs(people: list[Passing], machine: list[Passing]) -> None:
    def augmented() -> int:
        """Maximum bipartite matching by augmenting paths, as a textbook has it."""
        near = [
            [j for j, m in enumerate(machine) if m.direction == p.direction and abs(m.time - p.time) <= 1 + 1e-9]
            for p in people
        ]
        taken: dict[int, int] = {}

        def place(i: int, seen: set[int]) -> bool:
            for j in near[i]:
                if j not in seen:
                    seen.add(j)
                    if j not in taken or place(taken[j], seen):
                        taken[j] = i
                        return True
            return False

        return sum(place(i, set()) for i in range(len(people)))

    assert len(match(people, machine, 1.0)) == augmented()


def test_of_two_counts_that_are_near_the_nearer_is_taken() -> None:
    assert match(going(10.0), going(9.2, 10.1), 1.0) == [(going(10.0)[0], going(10.1)[0])]
    # Each takes the one that leaves the other a partner.
    assert len(match(going(10.0, 10.9), going(9.9, 9.1), 1.0)) == 2


@given(passings, passings)
def test_somebody_more_who_is_missed_never_raises_the_recall(people: list[Passing], machine: list[Passing]) -> None:
    before, after = score(people, machine, delay=0), score([*people, *going(900.0)], machine, delay=0)
    if before.all.recall is not None:
        assert after.all.recall is not None
        assert after.all.recall.value <= before.all.recall.value
    assert after.all.missed == before.all.missed + 1


@given(passings, passings)
def test_somebody_more_who_is_counted_right_never_lowers_accuracy_recall_or_precision(
    people: list[Passing], machine: list[Passing]
) -> None:
    before = score(people, machine, delay=0)
    after = score([*people, *going(900.0)], [*machine, *going(900.0)], delay=0)
    for name in ("accuracy", "recall", "precision"):
        old, new = getattr(before.all, name), getattr(after.all, name)
        assert old is None or new.value >= old.value


def all_estimates(result: Score) -> list[tuple[float, float, float]]:
    figures = [result.all, *result.directions.values()]
    estimates = [e for one in figures for e in (one.accuracy, one.precision, one.recall) if e is not None]
    return [(e.low, e.value, e.high) for e in estimates]


@given(passings, passings)
def test_every_interval_contains_its_point_and_lies_within_0_and_1(
    people: list[Passing], machine: list[Passing]
) -> None:
    for low, value, high in all_estimates(score(people, machine)):
        assert 0 <= low <= value <= high <= 1


def test_errors_of_the_two_directions_do_not_cancel_each_other() -> None:
    people = [*going(*range(0, 100, 10)), *going(*range(5, 105, 10), way="out")]
    machine = [*going(*range(0, 90, 10)), *going(*range(5, 105, 10), 300, way="out")]
    result = score(people, machine)
    assert result.all.counted == result.all.people == 20
    assert result.all.accuracy is not None
    assert result.all.accuracy.value == pytest.approx(0.9)
    assert result.net_error == -2


@pytest.mark.parametrize("target", [0.8, 0.9, 0.95, 0.98])
def test_with_fewer_crossings_than_could_prove_the_target_nothing_is_said(target: float) -> None:
    least = least_people(target, entering=1)
    below, enough = (going(*(10.0 * i for i in range(n))) for n in (least - 1, least))
    result = score(below, below, target=target)
    assert (result.verdict, result.more) == ("too_few", 1)
    assert score(enough, enough, target=target).verdict == "meets"


def test_nobody_at_all_is_too_few_and_not_perfect() -> None:
    result = score([], [])
    assert (result.verdict, result.all.accuracy, result.more) == ("too_few", None, 105)
    assert score([], going(3.0)).all.false == 1


def test_a_count_that_is_far_off_is_below_the_target_and_one_near_it_is_undecided() -> None:
    people = going(*(10.0 * i for i in range(200)))
    assert score(people, people[::2]).verdict == "below"
    near = score(people, people[: 200 - 8])
    assert near.verdict == "undecided"
    assert near.more is not None
    assert near.more > 100


def test_both_or_neither_crossing_of_somebody_who_hesitates_is_right() -> None:
    undecided = [*going(69.1), *going(70.1, way="out")]
    assert score(going(5.0), [*going(5.0), *undecided], either=[(68, 71)]).all.false == 0
    assert score(going(5.0), [*going(5.0), *undecided[:1]], either=[(68, 71)]).all.false == 1
    assert score(going(5.0), going(5.0), either=[(68, 71)]).all.missed == 0


def test_the_delay_of_a_person_with_an_unsteady_hand_is_found() -> None:
    rng = random.Random(4)
    machine = going(*(7.0 * i + rng.random() for i in range(60)))
    taps = [Passing(one.time + rng.gauss(0.6, 0.15), one.line, one.direction) for one in machine]
    assert reaction_delay(taps, machine, 1.0) == pytest.approx(0.6, abs=0.08)
    assert reaction_delay(going(1.0), going(500.0), 1.0) == 0


def test_errors_that_come_together_widen_the_interval() -> None:
    people = going(*(6.0 * i for i in range(600)))
    together = [one for one in people if not 600 <= one.time < 720]
    apart = [one for i, one in enumerate(people) if i % 30]
    first, second = score(people, together), score(people, apart)
    assert first.all.missed == second.all.missed == 20
    assert first.spread > 3 * second.spread
    assert first.all.accuracy is not None
    assert second.all.accuracy is not None
    assert first.all.accuracy.low < second.all.accuracy.low - 0.02


def test_the_intervals_are_those_of_the_published_tables() -> None:
    # Wilson 1927 for 9 of 10; Garwood 1936 for 0 and 10 events.
    assert (wilson(9, 10).low, wilson(9, 10).high) == pytest.approx((0.5958, 0.9821), abs=1e-4)
    assert (rate(0, 1).low, rate(0, 1).high) == pytest.approx((0, 3.689), abs=1e-3)
    assert (rate(10, 1).low, rate(10, 1).high) == pytest.approx((4.795, 18.39), abs=1e-2)


@pytest.mark.slow
@pytest.mark.parametrize(("false", "missed"), [(0.0, 0.02), (0.01, 0.02), (0.03, 0.03), (0.05, 0.1), (0.02, 0.0)])
@pytest.mark.parametrize("people", [20, 100, 400])
def test_the_true_accuracy_lies_within_the_interval_in_at_least_92_of_100_audits(
    people: int, false: float, missed: float
) -> None:
    import numpy as np

    rng = np.random.default_rng(people)
    half, hits = people // 2, []
    for _ in range(800):
        both = [Errors(half, rng.poisson(half * false), rng.binomial(half, missed)) for _ in range(2)]
        found = count_accuracy(both)
        hits.append(found.low - 1e-9 <= 1 - abs(false - missed) <= found.high + 1e-9)
    assert mean(hits) >= 0.92
