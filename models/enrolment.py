"""Pictures of one person to the vectors of a template, or the reasons why not. Arrays in, arrays out; nothing is kept.

There is no test whether a living person or a photograph stands before the camera: a photo of a photo of good quality
is taken for a face.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Literal, Protocol

import numpy as np

from models.alignment import Floats, Image, unit
from models.encoders import FaceEncoder, decoys_for
from models.face_quality import FaceProblem, picture_problems
from models.faces import Faces
from models.gallery import LEAST_PICTURES, Gallery, template

MOST_PICTURES = 5
Problem = FaceProblem | Literal["another_person"]
"""``another_person``: this picture shows somebody else than the others do."""


class FaceFinder(Protocol):
    """What finds faces: ``models.faces.FaceDetector``, or a test's own."""

    def detect(self, image: Image, /) -> Faces: ...


class Collector:
    """The good pictures of one person, as vectors; at most ``MOST_PICTURES``. ``forget`` when done with it."""

    def __init__(self, finder: FaceFinder, encoder: FaceEncoder) -> None:
        self._finder = finder
        self._encoder = encoder
        self._rows: list[Floats] = []
        self.looked = 0
        self.problems: Counter[Problem] = Counter()

    @property
    def good(self) -> int:
        """Pictures that can be used."""
        return len(self._rows)

    @property
    def enough(self) -> bool:
        """As many as are taken."""
        return self.good >= MOST_PICTURES

    def look(self, picture: Image) -> tuple[Problem, ...]:
        """Judge one picture, ``(height, width, 3)`` BGR, and take its face where nothing is wrong."""
        self.looked += 1
        faces = self._finder.detect(picture)
        problems: tuple[Problem, ...] = picture_problems(picture, faces)
        if not problems:
            row = self._encoder.encode(picture, faces.landmarks[:1])[0]
            # Somebody else may have stepped in front of the camera, who agreed to nothing.
            if self._rows and self._is_another(row):
                row[:] = 0
                problems = ("another_person",)
            else:
                self._rows.append(row)
        self.problems.update(problems)
        return problems

    def _is_another(self, row: Floats) -> bool:
        return float(np.linalg.norm(row - unit(np.mean(self._rows, axis=0)))) > self._encoder.rule.jump

    def template(self) -> Floats | None:
        """``(1, size)``, unit length, the mean that the rule was measured with; None with too few pictures.

        The caller overwrites it when it is kept.
        """
        return template(np.stack(self._rows))[None] if self.good >= LEAST_PICTURES else None

    def forget(self) -> None:
        """Overwrite what was collected."""
        for row in self._rows:
            row[:] = 0
        self._rows.clear()


class Duplicates:
    """Who among others may be the same person as a new template."""

    def __init__(self, encoder: FaceEncoder) -> None:
        self._rule = encoder.rule
        self._decoys = decoys_for(encoder)

    def __call__(self, others: Mapping[str, Floats], vectors: Floats) -> list[str]:
        """``others``: vectors of each member; ``vectors``: ``(n, size)`` of the new one."""
        if not others:
            return []
        return Gallery(others, self._rule, self._decoys).near(unit(vectors.mean(axis=0)))
