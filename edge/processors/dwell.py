"""How long people stay on average, without following anybody: Little's law.

J. D. C. Little, "A Proof for the Queuing Formula L = λW", Operations Research 9 (1961): the mean number inside is the
rate at which people come, times the mean time that they stay.
"""

import math
from collections.abc import Sequence

from edge.processors.doors import Flow
from edge.processors.estimate import Estimate

LEAST_VISITS = 5
"""Fewer tell nothing, and would let the number inside be worked out (PRIVACY rule 10)."""
Z80 = 1.28
"""Of the normal distribution: four of five."""


def mean_dwell(inside: Sequence[Estimate], seconds: float, flow: Flow) -> Estimate | None:
    """Seconds that a visitor stays on average, with an interval meant to hold eight of ten times; or ``None``.

    ``inside``: consecutive windows of ``seconds`` each; ``flow``: the visits over the doors in the same time.

    The rate is the mean of coming and leaving: while the store fills, those who are inside have not stayed to their
    end, and with the mean that is made up for (exactly, where all stay equally long). The interval adds up how far off
    the number inside may be (the same way in all windows, since a calibration is), that so many visitors are a sample
    of stays as different as those of an exponential distribution, those cut off by both ends, and the difference
    between coming and leaving.
    """
    visits = (flow.entered + flow.left) / 2
    people = sum(each.value for each in inside) / len(inside) if inside else 0.0
    if min(flow.entered, flow.left) < LEAST_VISITS or people <= 0:
        return None
    value = people * seconds * len(inside) / visits
    least, most = (sum(each) / len(inside) for each in ([one.low for one in inside], [one.high for one in inside]))
    sampled = Z80**2 * (1 / visits + 2 * people / visits**2)
    turning = ((flow.entered - flow.left) / (2 * visits)) ** 2
    low = math.inf if least <= 0 else math.sqrt(math.log(people / least) ** 2 + sampled + turning)
    high = math.sqrt(math.log(max(most, people) / people) ** 2 + sampled + turning)
    return Estimate(value, value * math.exp(-low), value * math.exp(high))
