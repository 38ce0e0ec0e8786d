"""Whether a face in a picture is good enough to be compared, and to be enrolled; why not, as codes."""

from dataclasses import dataclass
from typing import Literal

from models.alignment import Floats, Image

FaceProblem = Literal["no_face", "several_faces", "small", "blurred", "turned", "tilted", "dark", "bright", "flat", "cut"]
"""``small``: too few pixels; ``turned``: looks to the side, up or down; ``tilted``: head to a shoulder; ``flat``: no
contrast; ``cut``: reaches beyond the picture. The first two are for enrolment only."""


@dataclass(frozen=True, slots=True)
class FaceQuality:
    """Measurements of one face and what is wrong with them; no picture."""

    side: float
    """Pixels: 2.4 times the distance of the eyes."""
    sharpness: float
    """Variance of the Laplacian over the face at 64 px, grey levels squared."""
    turn: float
    """How far the nose is from the middle between the eyes, in distances of the eyes; 0 is straight ahead."""
    tilt: float
    """Degrees by which the line of the eyes is turned."""
    light: float
    """Median grey level, 0–255."""
    problems: tuple[FaceProblem, ...]

    @property
    def good(self) -> bool:
        """Nothing is wrong."""
        return not self.problems
