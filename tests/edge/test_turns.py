"""When a followed person is looked at."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.processors.turns import LONGEST_S, LOOK_EVERY_S, REST_S, Turns


def looks(
    turns: Turns, seconds: float, *, height: float = 300.0, start: float = 0.0, good: bool = False
) -> list[float]:
    """When a camera of ten pictures a second looks."""
    times = []
    for number in range(round(seconds * 10)):
        time = start + number / 10
        if turns.due(time, height, in_burst=False):
            turns.looked(time, height, good=good)
            times.append(time)
    return times


def test_somebody_without_a_good_face_is_looked_at_less_and_less_but_never_later_than_the_longest_wait() -> None:
    times = looks(Turns(), 20)
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert gaps[0] == pytest.approx(LOOK_EVERY_S)
    assert gaps == sorted(gaps[:3]) + [pytest.approx(LONGEST_S)] * (len(gaps) - 3)
    assert len(times) <= 20 / LONGEST_S + 3


def test_somebody_who_comes_closer_is_looked_at_as_at_the_beginning() -> None:
    turns = Turns()
    last = looks(turns, 10)[-1]
    assert not turns.due(last + LOOK_EVERY_S, 310, in_burst=False)
    assert turns.due(last + LOOK_EVERY_S, 400, in_burst=False)


def test_in_a_burst_every_picture_of_ten_a_second_is_looked_at_and_not_every_one_of_thirty() -> None:
    turns = Turns()
    turns.looked(5.0, 300, good=True)
    assert turns.due(5.1, 300, in_burst=True)
    assert not turns.due(5.034, 300, in_burst=True)


def test_after_each_try_in_vain_the_rest_is_longer_and_after_the_last_nobody_looks_again() -> None:
    turns, time = Turns(), 0.0
    for rest in REST_S:
        turns.looked(time, 300, good=True)
        turns.in_vain(time, decided=True)
        # Coming closer does not shorten a rest.
        assert not turns.due(time + rest - 0.1, 900, in_burst=False)
        assert turns.due(time + rest, 300, in_burst=False)
        assert not turns.done
        time += rest
    turns.in_vain(time, decided=True)
    assert turns.done


def test_a_burst_that_could_not_be_decided_is_no_try_and_is_begun_again_soon() -> None:
    turns = Turns()
    turns.looked(0.0, 300, good=True)
    turns.in_vain(0.4, decided=False)
    assert turns.due(0.4 + LOOK_EVERY_S, 300, in_burst=False)
    assert not turns.tried


@given(st.lists(st.tuples(st.floats(0.03, 2.0), st.floats(100, 1000)), max_size=60))
def test_however_somebody_moves_a_look_is_due_within_the_longest_wait(steps: list[tuple[float, float]]) -> None:
    turns, time, last = Turns(), 0.0, None
    for step, height in steps:
        time += step
        if turns.due(time, height, in_burst=False):
            turns.looked(time, height, good=False)
            last = time
        else:
            assert last is not None
            assert time - last < LONGEST_S


def test_media_that_begins_anew_is_looked_at() -> None:
    turns = Turns()
    turns.looked(100.0, 300, good=False)
    assert turns.due(0.0, 300, in_burst=False)
