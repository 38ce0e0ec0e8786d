"""A uniform: what the clothes of staff look like above the waist, learnt from a few pictures of people who wear it.

The file holds a mean histogram of colours and a threshold: it describes clothes, and nobody could be found by it who
wears something else.
"""

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from models.appearance import FEATURES, LEAST_HEIGHT, TORSO, Doubles, Image, Look, hellinger, look_at
from models.errors import ModelError

LEAST_CROPS = 3
_TORSO_BANDS = TORSO.stop - TORSO.start
_LOWEST, _HIGHEST = 0.12, 0.40
"""Bounds of the threshold without pictures of others: the mean looks of one person in vtest.avi differ by 0.1 to 0.4,
those of two people at the same time by 0.3 to 0.6 in the median."""
_SPREAD = 2.0
"""Standard deviations of the crops' own distances that are allowed for without pictures of others."""
_CLASH = 0.25
"""Share of the others that may be taken for staff before the clothes are said to be too alike."""

Share = Annotated[float, Field(ge=0, le=1)]


class Uniform(BaseModel):
    """What ``yingke staff learn`` writes. Distances are those of ``models.appearance``, over the torso only."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    format: Literal["yingke.uniform.v1"] = "yingke.uniform.v1"
    about: str = "statistics of the colours of staff clothes; no picture, and no description of a person"
    learnt_on: date
    learnt_from: Annotated[str, Field(max_length=200, description="in the operator's words")]
    crops: Annotated[int, Field(ge=LEAST_CROPS)]
    others: Annotated[int, Field(ge=0, description="pictures of people without it that the threshold knows")]
    threshold: Share
    own: Annotated[tuple[Share, ...], Field(description="distance of each crop from the mean of the rest")]
    nearest_other: Share | None = None
    bands: tuple[tuple[Share, ...], ...]

    @model_validator(mode="after")
    def _has_its_shape(self) -> "Uniform":
        rows = np.array([len(band) for band in self.bands])
        if len(rows) != _TORSO_BANDS or (rows != FEATURES).any():
            raise ValueError(f"bands must be {_TORSO_BANDS} rows of {FEATURES}")
        return self

    @classmethod
    def load(cls, path: Path) -> "Uniform":
        """Raises ``ModelError`` when the file is missing or is none."""
        fix = "learn it again: yingke staff learn CROPS... --out FILE"
        try:
            return cls.model_validate_json(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise ModelError(f"{path}: {error.strerror or 'cannot be read'}", fix) from error
        except (ValidationError, UnicodeDecodeError) as error:
            raise ModelError(f"{path}: is not the description of a uniform", fix) from error

    def save(self, path: Path) -> None:
        """Raises ``ModelError`` when it cannot be written."""
        try:
            path.write_text(self.model_dump_json(indent=1) + "\n", encoding="utf-8")
        except OSError as error:
            raise ModelError(f"{path}: {error.strerror}", "choose a place that can be written to") from error

    def distance(self, look: Look) -> float:
        """Of somebody's torso from the uniform, 0 to 1."""
        return hellinger(look.bands[TORSO], np.array(self.bands))

    def worn(self, look: Look) -> bool:
        """Whether it is worn; meant for the mean of several pictures."""
        return self.distance(look) <= self.threshold


def learn(crops: Sequence[Image], others: Sequence[Image], today: date, learnt_from: str = "") -> Uniform:
    """The uniform of ``crops``: BGR pictures of one person each, from head to foot, who wears it.

    ``others`` are such pictures of people who do not: with them the threshold lies between the two. Without, it lies a
    little above how far the crops are from one another. Raises ``ModelError`` when the pictures cannot do.
    """
    worn, not_worn = _torsos(crops, "picture"), _torsos(others, "picture of others")
    if len(worn) < LEAST_CROPS:
        raise ModelError(
            f"{len(worn)} pictures are too few", f"give at least {LEAST_CROPS}, of several people and days"
        )
    mean = np.mean(worn, axis=0)
    # Each against the mean of the rest: a crop is no evidence for itself.
    own = [hellinger(one, (mean * len(worn) - one) / (len(worn) - 1)) for one in worn]
    away = sorted(hellinger(one, mean) for one in not_worn)
    threshold = _threshold(own, away)
    clash = sum(distance <= threshold for distance in away)
    if away and clash > _CLASH * len(away):
        raise ModelError(
            f"{clash} of {len(away)} people without the uniform look as if they wore it",
            "the clothes are too alike to tell by colour: use badges or a zone of origin for staff",
        )
    return Uniform(
        learnt_on=today,
        learnt_from=learnt_from,
        crops=len(worn),
        others=len(away),
        threshold=round(threshold, 4),
        own=tuple(round(distance, 4) for distance in own),
        nearest_other=round(away[0], 4) if away else None,
        bands=tuple(tuple(round(float(share), 5) for share in band) for band in mean),
    )


def _threshold(own: Sequence[float], away: Sequence[float]) -> float:
    furthest = float(np.mean(own) + _SPREAD * np.std(own))
    if not away:
        return min(_HIGHEST, max(_LOWEST, furthest))
    # The nearest of many others may be somebody dressed alike: one in twenty is given up for the rest.
    nearest = float(np.quantile(away, 0.05))
    return (furthest + nearest) / 2 if nearest > furthest else nearest


def _torsos(images: Sequence[Image], what: str) -> list[Doubles]:
    found = []
    for number, image in enumerate(images, 1):
        look = look_at(image)
        if look is None:
            raise ModelError(
                f"{what} {number} is too small", f"cut the whole person out of it, at least {LEAST_HEIGHT} pixels high"
            )
        found.append(look.bands[TORSO])
    return found
