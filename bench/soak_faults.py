"""What goes wrong in the endurance run, and when: drawn from a seed, each camera by itself, some for the whole box."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

Kind = Literal[
    "lost", "crash", "silent", "frozen", "black", "covered", "corrupt",
    "larger", "narrower", "dim", "bright", "slow", "dusk",
]  # fmt: skip
TOLD: dict[Kind, str] = {
    "lost": "source_lost",
    "crash": "crashed",
    "silent": "silent",
    "frozen": "frozen",
    "black": "dark",
    "covered": "uniform",
    "corrupt": "corrupt",
    "dusk": "dark",
}
"""What health must say of those that blind a camera; the others it must bear."""
LONG: dict[Kind, tuple[float, float]] = {
    "lost": (30, 180),
    "crash": (20, 60),
    "silent": (30, 120),
    "frozen": (90, 240),
    "black": (20, 120),
    "covered": (20, 120),
    "corrupt": (20, 120),
    "larger": (60, 300),
    "narrower": (60, 300),
    "dim": (120, 400),
    "bright": (120, 400),
    "slow": (120, 300),
    "dusk": (2400, 2400),
}
"""Seconds."""
GAINS: dict[str, float] = {"dim": 0.4, "bright": 2.0}
NIGHT = 0.05
"""Gain at the darkest: the brightest wall has 12 of 255 levels then."""
BLACKEST, DIMMEST = 0.08, 0.25
"""Gains below which nothing can be seen, and above which everything should be."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong with one camera from ``start`` to ``end``, in elapsed seconds."""

    kind: Kind
    start: float
    end: float

    def gain(self, time: float) -> float:
        """Of the exposure at that moment: dusk falls in the first third and day breaks in the last."""
        if self.kind != "dusk":
            return GAINS.get(self.kind, 1.0)
        share = (time - self.start) / (self.end - self.start)
        return float(NIGHT ** min(1.0, 3 * share, 3 * (1 - share)))

    def blind(self) -> tuple[float, float] | None:
        """When nothing can be seen."""
        return self._below(BLACKEST) if self.kind == "dusk" else (self.start, self.end) if self.kind in TOLD else None

    def doubtful(self) -> tuple[float, float] | None:
        """When nothing is sure, which includes the moments after it."""
        if self.kind == "dusk":
            return self._below(DIMMEST)
        return (self.start - 4, self.end + 45) if self.kind in TOLD else None

    def _below(self, gain: float) -> tuple[float, float]:
        share = float(np.log(gain) / np.log(NIGHT)) / 3
        length = self.end - self.start
        return self.start + share * length, self.end - share * length


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that goes wrong: by camera, and for the box: its clock jumps, its outbox refuses."""

    faults: Sequence[Sequence[Fault]]
    jumps: Sequence[tuple[float, float, float]]
    """First and last second, and by how many seconds the clock is wrong in between."""
    refusals: Sequence[tuple[float, float]]

    def shaken(self) -> list[tuple[float, float]]:
        """When the box as a whole was not itself."""
        around = [(edge - 5, edge + 5) for first, last, _ in self.jumps for edge in (first, last)]
        return around + [(first - 5, last + 45) for first, last in self.refusals]


def plan(seed: int, seconds: float, cameras: int, *, brisk: bool = False, healthy: int | None = None) -> Plan:
    """The same for the same seed, and the beginning of a longer one. ``healthy``: a camera that is spared.

    ``brisk``: faults follow each other closely and the night is short, for a run of minutes.
    """
    faults = [
        [] if camera == healthy else _faults(np.random.default_rng((seed, camera)), seconds, brisk)
        for camera in range(cameras)
    ]
    if brisk:
        return Plan(faults, [(200.0, 260.0, 3600.0)], [(380.0, 400.0)])
    refusals = [(start, start + 120.0) for start in np.arange(2700.0, seconds, 5400.0).tolist()]
    return Plan(faults, [(9000.0, 9900.0, 3600.0), (18000.0, 18900.0, -3600.0)], refusals)


def _faults(rng: np.random.Generator, seconds: float, brisk: bool) -> list[Fault]:
    faults: list[Fault] = []
    # What memory another size of picture takes once is taken during the warm-up.
    queue: list[Kind] = ["narrower", "larger"]
    time = float(rng.uniform(40, 80) if brisk else rng.uniform(600, 1200))
    while time < seconds:
        if not queue:
            queue = [list(LONG)[index] for index in rng.permutation(len(LONG))]
        kind = queue.pop()
        shortest, longest = LONG[kind]
        length = float(rng.uniform(shortest, longest))
        if brisk:
            length = 240.0 if kind == "dusk" else max(shortest, length / 2)
        faults.append(Fault(kind, time, time + length))
        time += length + float(rng.uniform(50, 80) if brisk else rng.uniform(240, 720))
    return faults
