"""The next purchase by BG/NBD: how many to expect of a customer, and how likely it is that they still buy here.

Fader, Hardie & Lee 2005, "Counting Your Customers" the Easy Way: An Alternative to the Pareto/NBD Model, Marketing
Science 24(2), 275-284; the numbers of equations are theirs. Time is in weeks since the customer's first purchase.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import minimize
from scipy.special import betaln, gammaln, hyp2f1, logsumexp

ENOUGH_REPEATERS = 50
"""Fewer customers with a second purchase say too little about four parameters: then there is no model."""


@dataclass(frozen=True, slots=True)
class History:
    """What the model knows of one customer: ``repeats`` purchase days after the first one, the last of which was
    ``last`` weeks after the first (0 when there is none), observed for ``observed`` weeks after the first."""

    repeats: int
    last: float
    observed: float


@dataclass(frozen=True, slots=True)
class Model:
    """Purchase rates are gamma(``r``, ``alpha`` in weeks), chances to stop after a purchase beta(``a``, ``b``)."""

    r: float
    alpha: float
    a: float
    b: float
    log_likelihood: float = float("nan")
    customers: int = 0

    def alive(self, history: History) -> float:
        """The probability that the customer still buys here; 1 for whom there is no repeat yet, by this model.

        Fader, Hardie & Lee 2008, Computing P(alive) Using the BG/NBD Model.
        """
        if history.repeats == 0:
            return 1.0
        log_odds = (
            (self.r + history.repeats) * np.log((self.alpha + history.observed) / (self.alpha + history.last))
            + np.log(self.a)
            - np.log(self.b + history.repeats - 1)
        )
        return float(1 / (1 + np.exp(min(log_odds, 700.0))))

    def expected(self, history: History, weeks: float) -> float:
        """Purchase days to expect of this customer in the next ``weeks`` (equation 10)."""
        r, alpha, a, b = self.r, self.alpha, self.a, self.b
        x, observed = history.repeats, history.observed
        # Next to a = 1 both parts go to infinity together; a hair beside it the quotient is the same to six digits.
        a = a + 1e-6 if abs(a - 1) < 1e-6 else a
        z = weeks / (alpha + observed + weeks)
        gone = ((alpha + observed) / (alpha + observed + weeks)) ** (r + x) * hyp2f1(r + x, b + x, a + b + x - 1, z)
        return float((a + b + x - 1) / (a - 1) * (1 - gone) * self.alive(history))

    def expected_of_new(self, weeks: float) -> float:
        """Repeat purchase days to expect of a new customer in their first ``weeks`` (equation 9)."""
        r, alpha, a, b = self.r, self.alpha, self.a, self.b
        a = a + 1e-6 if abs(a - 1) < 1e-6 else a
        still = (alpha / (alpha + weeks)) ** r * hyp2f1(r, b, a + b - 1, weeks / (alpha + weeks))
        return float((a + b - 1) / (a - 1) * (1 - still))


def fit(histories: Sequence[History]) -> Model | None:
    """The parameters of greatest likelihood; None where too few customers bought again, or no maximum is found."""
    if sum(each.repeats > 0 for each in histories) < ENOUGH_REPEATERS:
        return None
    # Many customers share a history: each is computed once.
    counted = Counter(histories)
    columns = np.array([(each.repeats, each.last, each.observed, count) for each, count in counted.items()], float).T

    def cost(logs: Any) -> float:
        return -log_likelihood(np.exp(logs), columns) / len(histories)

    found = minimize(cost, np.zeros(4), method="L-BFGS-B", bounds=[(-10, 10)] * 4, options={"ftol": 1e-14})
    found = minimize(cost, found.x, method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-11, "maxiter": 4000})
    if not found.success or np.abs(found.x).max() >= 10:
        return None
    r, alpha, a, b = (float(value) for value in np.exp(found.x))
    return Model(r, alpha, a, b, -float(found.fun) * len(histories), len(histories))


def log_likelihood(parameters: Any, columns: Any) -> float:
    """Of ``parameters`` (r, alpha, a, b) given ``columns``: repeats, last, observed, customers (equation 6)."""
    r, alpha, a, b = parameters
    x, last, observed, count = columns
    both = gammaln(r + x) - gammaln(r) + r * np.log(alpha) - betaln(a, b)
    alive = betaln(a, b + x) - (r + x) * np.log(alpha + observed)
    # Without a repeat nobody can have stopped: stopping comes after a purchase.
    stopped = np.where(x > 0, betaln(a + 1, np.maximum(b + x - 1, 1e-12)) - (r + x) * np.log(alpha + last), -np.inf)
    return float((count * (both + logsumexp(np.stack([alive, stopped]), axis=0))).sum())
