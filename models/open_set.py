"""How well a rule tells members from strangers, on labelled vectors: the figures that a calibration rests on.

Open-set identification as in ISO/IEC 19795-1: TPIR is the share of members' visits that name the right member, FPIR the
share of strangers' visits that name anybody.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from models.alignment import Floats, unit
from models.gallery import LEAST_PICTURES, Gallery, template
from models.rule import MatchRule

_OPEN = 1 - 1e-9
"""A ratio that accepts whoever is nearest: what is accepted then is sorted by its own ratio."""


@dataclass(frozen=True, slots=True)
class OpenSet:
    """Counts over all galleries that were drawn, and the ratios behind them."""

    size: int
    """Members in each gallery."""
    visits: int
    found: int
    misidentified: int
    """Members who were taken for another one."""
    ambiguous: int
    strangers: int
    """Visits of strangers, each compared with each gallery."""
    false_matches: int
    own_ratios: Floats
    """Of every member's visit: the ratio when the right one was nearest within the cap, else 1."""
    strange_ratios: Floats
    """Of every stranger's visit: the ratio when a member was nearest within the cap, else 1."""

    @property
    def tpir(self) -> float:
        """Share of members' visits that were found, by the rule as it is."""
        return self.found / self.visits if self.visits else 0.0

    @property
    def fpir(self) -> float:
        """Share of strangers' visits that matched, by the rule as it is."""
        return self.false_matches / self.strangers if self.strangers else 0.0

    def ratio_at(self, fpir: float) -> float:
        """The largest ratio at which no more than this share of strangers matches."""
        allowed = int(fpir * self.strangers)
        ordered = np.sort(self.strange_ratios)
        return float(np.nextafter(ordered[allowed], 0)) if allowed < len(ordered) else _OPEN

    def tpir_at(self, fpir: float) -> float:
        """Share of members' visits found at that ratio."""
        return float((self.own_ratios <= min(self.ratio_at(fpir), _OPEN)).mean()) if self.visits else 0.0


def open_set(
    people: Mapping[str, Floats],
    strangers: Mapping[str, Floats],
    rule: MatchRule,
    decoys: Floats,
    *,
    size: int,
    pictures: int = 1,
    repeats: int = 1,
    seed: int = 0,
    templates: int = LEAST_PICTURES,
) -> OpenSet:
    """``repeats`` galleries of ``size`` members, drawn at random; one visit of every stranger to each of them.

    ``people`` and ``strangers``: vectors of each, ``(n, vector size)``, unit length. A member's template is made of
    ``templates`` of them, visits of the others: as many as there are with one picture each, else one of ``pictures``
    (who has fewer makes none). A stranger's visit is the mean of up to ``pictures`` of theirs.
    """
    rng = np.random.default_rng(seed)
    usable = sorted(name for name, rows in people.items() if len(rows) >= templates)
    counts = np.zeros(6, int)
    own: list[float] = []
    strange: list[float] = []
    for _ in range(repeats):
        chosen = [usable[k] for k in rng.permutation(len(usable))[:size]]
        enrolled, visits = {}, []
        for name in chosen:
            rows = people[name][rng.permutation(len(people[name]))]
            enrolled[name] = template(rows[:templates])
            visits += [(name, probe) for probe in _visits(rows[templates:], pictures)]
        gallery = Gallery(enrolled, rule, decoys)
        anybody = Gallery(enrolled, dataclasses.replace(rule, ratio=_OPEN), decoys)
        for name, probe in visits:
            said, nearest = gallery.decide(probe), anybody.decide(probe)
            right = said.member == name
            matched = said.outcome == "match"
            counts += (1, matched and right, matched and not right, said.outcome == "ambiguous", 0, 0)
            own.append(nearest.ratio if nearest.outcome == "match" and nearest.member == name else 1.0)
        for rows in strangers.values():
            probe = unit(rows[:pictures].mean(axis=0))
            said, nearest = gallery.decide(probe), anybody.decide(probe)
            counts += (0, 0, 0, 0, 1, said.outcome != "nothing")
            strange.append(nearest.ratio if nearest.outcome == "match" else 1.0)
    visited, found, wrong, unclear, unknown, false = (int(count) for count in counts)
    return OpenSet(
        size, visited, found, wrong, unclear, unknown, false, np.array(own, np.float32), np.array(strange, np.float32)
    )


def _visits(rows: Floats, pictures: int) -> list[Floats]:
    if pictures == 1:
        return list(rows)
    return [unit(rows[:pictures].mean(axis=0))] if len(rows) >= pictures else []
