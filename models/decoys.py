"""Decoys: vectors that are nobody's face, to stand among the members of a gallery.

They are drawn from a model of where an encoder's vectors lie: a mean and directions of spread. The model that ships
(``weights/decoys.npz``) is made by ``tools/make_decoys.py`` from generated heads; of a measured population it holds one
number per encoder, the length of the mean vector. ``Population.fit`` makes one from vectors that the operator may use,
for example of a licensed set of people like those who visit the store.
"""

from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np

from models.alignment import Floats, unit
from models.errors import ModelError

_LEAST_FIT = 30
_REST = 0.1
"""Share of the spread that is given to all directions alike."""
_MEAN_LENGTH = {"face-reidentification-retail-0095": 0.09, "dlib-resnet-v1": 0.92}
"""Length of the mean of one unit vector each of 200 people (LFW, the calibration half of the strangers). dlib's vectors
lie in a narrow cone, those of 0095 all around."""


@dataclass(frozen=True, slots=True)
class Population:
    """Where the vectors of faces lie: ``middle`` ``(size,)``, ``spread`` ``(size, k)``, float32."""

    middle: Floats
    spread: Floats

    @classmethod
    def shipped(cls, encoder: str) -> "Population":
        """The model that ships for an encoder. Raises ``ModelError`` when there is none."""
        if encoder not in _MEAN_LENGTH:
            raise ModelError(f"no decoys ship for the encoder {encoder!r}", "give vectors to Population.fit")
        kept = _shipped()
        length = _MEAN_LENGTH[encoder]
        middle = np.float32(length) * kept[f"{encoder}.middle"]
        spread = kept[f"{encoder}.spread"]
        return cls(middle, np.float32(np.sqrt(1 - length**2)) * spread)

    @classmethod
    def fit(cls, vectors: Floats) -> "Population":
        """From one unit vector of each of at least 30 people, ``(n, size)``. Raises ``ModelError``."""
        rows = np.asarray(vectors, np.float64)
        if rows.ndim != 2 or len(rows) < _LEAST_FIT or not np.isfinite(rows).all():
            raise ModelError(f"vectors of shape {rows.shape} are no population", f"give {_LEAST_FIT} people or more")
        middle = rows.mean(axis=0)
        return cls(middle.astype(np.float32), ((rows - middle).T / np.sqrt(len(rows))).astype(np.float32))

    def draw(self, count: int, seed: int = 0) -> Floats:
        """``(count, size)`` unit vectors, the same for the same seed."""
        rng = np.random.default_rng(seed)
        size, directions = self.spread.shape
        rest = np.sqrt(_REST / size) * float(np.linalg.norm(self.spread))
        rows = self.middle + np.sqrt(1 - _REST) * rng.normal(size=(count, directions)) @ self.spread.T
        return unit((rows + rest * rng.normal(size=(count, size))).astype(np.float32))


@cache
def _shipped() -> dict[str, Floats]:
    path = Path(str(resources.files("models"))) / "weights" / "decoys.npz"
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: np.asarray(file[name], np.float32) for name in file.files}
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read", "install Yingke again") from error


def decoys(encoder: str, count: int = 100, seed: int = 0) -> Floats:
    """``(count, size)`` unit vectors of the shipped population. Raises ``ModelError``."""
    return Population.shipped(encoder).draw(count, seed)
