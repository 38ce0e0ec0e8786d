import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.next_purchase import Days, history, judge, read, sample, tracking
from sync.crm.segments.next_purchase import ENOUGH_REPEATERS, History, Model, fit, log_likelihood
from tests.shared_data import shared

PUBLISHED = Model(r=0.243, alpha=4.414, a=0.793, b=2.426)
"""Fader, Hardie & Lee 2005, table 2."""


@pytest.fixture(scope="module")
def cdnow() -> Days:
    return sample(read(shared("data/retail/cdnow_purchases.txt")))


@pytest.fixture(scope="module")
def model(cdnow: Days) -> Model:
    found = fit([history(each) for each in cdnow.values()])
    assert found is not None
    return found


def test_the_published_sample_is_the_one_we_fit(cdnow: Days) -> None:
    repeats = [history(each).repeats for each in cdnow.values()]
    counts = [sum(min(each, 7) == count for each in repeats) for count in range(8)]
    assert counts == [1411, 439, 214, 100, 62, 38, 29, 64]


def test_the_published_figures_are_found(model: Model) -> None:
    assert (model.r, model.alpha, model.a, model.b) == pytest.approx((0.243, 4.414, 0.793, 2.426), abs=6e-4)
    assert model.log_likelihood == pytest.approx(-9582.4, abs=0.05)


def test_it_judges_the_next_39_weeks_better_than_naive_rules(cdnow: Days, model: Model) -> None:
    judged = judge(cdnow, model)
    for naive in ("as_fast_as_so_far", "as_many_as_so_far"):
        assert judged["bg_nbd"]["mae"] < judged[naive]["mae"]
        assert judged["bg_nbd"]["rmse"] < judged[naive]["rmse"]
        assert abs(judged["bg_nbd"]["total_off"]) < abs(judged[naive]["total_off"])
    assert abs(judged["bg_nbd"]["total_off"]) < 0.15


def test_the_running_total_of_78_weeks_is_followed(cdnow: Days, model: Model) -> None:
    # In the first quarter, when everybody is new, the model is known to be slow (figure 3 there).
    for week, real, expected in tracking(cdnow, model)[1:]:
        assert expected == pytest.approx(real, rel=0.05), week


def test_expectations_are_those_of_simulated_customers() -> None:
    rng = np.random.default_rng(1)
    model, weeks, ahead = Model(1.2, 6.0, 0.8, 2.5), 30.0, 20.0
    found: dict[int, list[int]] = {}
    for _ in range(60_000):
        rate, stop = rng.gamma(model.r, 1 / model.alpha), rng.beta(model.a, model.b)
        time, days = 0.0, []
        while (time := time + rng.exponential(1 / rate)) < weeks + ahead:
            days.append(time)
            if rng.random() < stop:
                break
        before = [day for day in days if day <= weeks]
        found.setdefault(len(before), []).append(len(days) - len(before))
    assert np.mean(found[0]) == pytest.approx(model.expected(History(0, 0.0, weeks), ahead), rel=0.06)
    everybody = np.concatenate([np.array(each) for each in found.values()])
    expected = model.expected_of_new(weeks + ahead) - model.expected_of_new(weeks)
    assert everybody.mean() == pytest.approx(expected, rel=0.03)


@given(
    repeats=st.integers(0, 200),
    observed=st.floats(0.0, 600.0),
    share=st.floats(0.0, 1.0),
    weeks=st.floats(0.1, 104.0),
)
def test_every_history_has_a_probability_and_a_number(
    repeats: int, observed: float, share: float, weeks: float
) -> None:
    each = History(repeats, observed * share if repeats else 0.0, observed)
    assert 0 <= PUBLISHED.alive(each) <= 1
    expected = PUBLISHED.expected(each, weeks)
    assert math.isfinite(expected)
    assert expected >= -1e-9


def test_longer_silence_makes_it_less_likely_that_somebody_still_buys() -> None:
    chances = [PUBLISHED.alive(History(5, 10.0, observed)) for observed in (10.0, 20.0, 40.0, 80.0)]
    assert chances == sorted(chances, reverse=True)
    assert chances[0] > 0.8
    assert chances[-1] < 0.1


def test_too_few_who_came_back_give_no_model() -> None:
    few = [History(1, 2.0, 20.0 + number) for number in range(ENOUGH_REPEATERS - 1)] + [History(0, 0.0, 20.0)] * 1000
    assert fit(few) is None


def test_the_likelihood_does_not_depend_on_how_customers_are_gathered() -> None:
    one = np.array([[2, 5.0, 20.0, 3]]).T
    three = np.array([[2, 5.0, 20.0, 1]] * 3).T
    parameters = (0.243, 4.414, 0.793, 2.426)
    assert log_likelihood(parameters, one) == pytest.approx(log_likelihood(parameters, three))
