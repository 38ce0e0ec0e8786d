"""Finds an encoder's rule on labelled faces, and keeps it in a file that says for which encoder it is."""

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.alignment import Floats
from models.decoys import Population
from models.errors import ModelError
from models.open_set import open_set
from models.rule import MatchRule

LEAST_MEMBERS, LEAST_STRANGERS = 20, 60
HIGHEST_RATIO = 0.80
"""No calibration goes above: with 0.80, 0.18 % of strangers matched where it was measured best."""
_CAP_SHARE, _PAIRS = 0.85, 1e-4
_JUMP_SHARE = 5e-4
_REPEATS = 10


@dataclass(frozen=True, slots=True)
class Calibration:
    """A rule with the decoys' population, for one version of one encoder."""

    encoder: str
    version: str
    rule: MatchRule
    population: Population

    def of(self, encoder: str, version: str) -> "Calibration":
        """This calibration, when it is for that encoder. Raises ``ModelError`` otherwise."""
        if (encoder, version) != (self.encoder, self.version):
            raise ModelError(
                f"the calibration is for {self.encoder} {self.version}, not for {encoder} {version}",
                "calibrate anew: yingke identify --calibrate",
            )
        return self

    def save(self, path: Path) -> None:
        """Write the file (numpy's ``.npz``): numbers of the rule and of the population, nobody's vector.

        Raises ``ModelError``.
        """
        rule = self.rule
        try:
            # Opened here: given a name, numpy would add an ending to it that nobody wrote.
            with path.open("wb") as file:
                np.savez_compressed(
                    file,
                    encoder=np.array([self.encoder, self.version, rule.measured]),
                    rule=np.array([rule.ratio, rule.cap, rule.jump, rule.decoys]),
                    middle=self.population.middle,
                    spread=self.population.spread,
                )
        except OSError as error:
            raise ModelError(f"{path} cannot be written: {error.strerror}", "choose another file") from error

    @classmethod
    def read(cls, path: Path) -> "Calibration":
        """Raises ``ModelError`` when there is none or it cannot be read: an encoder without one is refused."""
        try:
            with np.load(path, allow_pickle=False) as file:
                encoder, version, measured = (str(text) for text in file["encoder"])
                ratio, cap, jump, count = (float(number) for number in file["rule"])
                population = Population(file["middle"].astype(np.float32), file["spread"].astype(np.float32))
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise ModelError(
                f"{path} is no calibration of a face encoder", "make one: yingke identify --calibrate"
            ) from error
        return cls(encoder, version, MatchRule(ratio, cap, jump, int(count), measured), population)


def calibrate(
    encoder: str,
    version: str,
    people: Mapping[str, Floats],
    strangers: Mapping[str, Floats],
    *,
    size: int,
    fpir: float = 0.001,
    decoys: int = 100,
    pictures: int = 1,
) -> Calibration:
    """The rule for galleries of ``size`` members at one site: the highest ratio with at most ``fpir`` false matches.

    ``people``: at least 20, each with 4 or more vectors; ``strangers``: at least 60 other people, one vector or more
    each. Every second stranger makes the population of the decoys, the others judge. Raises ``ModelError`` when there
    are too few, or when no ratio is good enough.
    """
    members = {name: rows for name, rows in people.items() if len(rows) >= 4}
    if len(members) < LEAST_MEMBERS or len(strangers) < LEAST_STRANGERS:
        raise ModelError(
            f"{len(members)} people with four pictures and {len(strangers)} strangers are too few to calibrate",
            f"give {LEAST_MEMBERS} people or more with four pictures, and {LEAST_STRANGERS} strangers or more",
        )
    if set(people) & set(strangers):
        raise ModelError("somebody is both enrolled and a stranger", "give each person one folder")
    names = sorted(strangers)
    population = Population.fit(np.stack([strangers[name][0] for name in names[::2]]))
    pairs = _pairs(np.stack([rows[0] for rows in (*members.values(), *strangers.values())]))
    cap, jump = _CAP_SHARE * float(np.quantile(pairs, _PAIRS)), float(np.quantile(pairs, _JUMP_SHARE))
    judged = open_set(
        members,
        {name: strangers[name] for name in names[1::2]},
        MatchRule(HIGHEST_RATIO, cap, jump, decoys, ""),
        population.draw(decoys),
        size=min(size, len(members)),
        pictures=pictures,
        repeats=_REPEATS,
    )
    ratio = min(HIGHEST_RATIO, judged.ratio_at(fpir))
    found = float((judged.own_ratios <= ratio).mean())
    if found < 0.5:
        raise ModelError(
            f"at {fpir:.2%} false matches only {found:.0%} of the members' visits are found",
            "use sharper and larger pictures, or another encoder",
        )
    measured = (
        f"{len(members)} people and {judged.strangers} visits of {len(names[1::2])} strangers, galleries of "
        f"{judged.size}: TPIR {found:.3f} at FPIR {fpir:.2%} or less"
    )
    return Calibration(encoder, version, MatchRule(ratio, cap, jump, decoys, measured), population)


def _pairs(rows: Floats) -> Floats:
    """Distances of all pairs of different people, one vector each."""
    cosines = (rows @ rows.T)[np.triu_indices(len(rows), 1)]
    distances: Floats = np.sqrt(np.maximum(0, 2 - 2 * cosines)).astype(np.float32)
    return distances
