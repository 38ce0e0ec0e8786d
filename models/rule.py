"""What decides between members and strangers: the numbers of the rule, and where they come from."""

from dataclasses import dataclass
from typing import Literal

from models.errors import ModelError

Outcome = Literal["match", "ambiguous", "nothing"]


@dataclass(frozen=True, slots=True)
class MatchRule:
    """A face is a member's when it is near enough and clearly nearer than to everybody else.

    Distances are Euclidean between vectors of unit length, 0–2 (``d² = 2 - 2 cos``).
    """

    ratio: float
    """Largest nearest/second-nearest distance that is accepted, the second being another identity or a decoy."""
    cap: float
    """Largest distance that is accepted at all."""
    jump: float
    """Distance from the mean of a visit's face from which a frame shows somebody else (``VisitFace``)."""
    decoys: int
    """How many vectors that are nobody's stand among the members (``models/decoys.py``)."""
    measured: str
    """The measurement that these numbers come from."""
    far: float = 1.25
    """In caps: a single picture that is farther from every member is a stranger's. LFW, 190 members: 1.1 % of the
    members whom two pictures name with dlib-resnet-v1, and 87 % of strangers; a later burst gives them another chance.
    """

    def __post_init__(self) -> None:
        if not 0 < self.ratio < 1 or not 0 < self.cap <= 2 or not 0 < self.jump <= 2 or self.decoys < 0 or self.far < 1:
            raise ModelError(
                f"a rule of ratio {self.ratio}, cap {self.cap}, jump {self.jump}, {self.decoys} decoys is none",
                "ratio lies between 0 and 1, cap and jump between 0 and 2, decoys is not negative, far is 1 or more",
            )


@dataclass(frozen=True, slots=True)
class Decision:
    """What the gallery says about one face or one visit. A match is a suggestion, never a verdict.

    ``match``: ``member`` is set, and ``runner_up`` is the next member, if there is another. ``ambiguous``: two members
    lie close together and apart from everybody else: ``member`` and ``runner_up`` name both, the nearer first.
    ``nothing``: neither name is set, because whom a stranger resembles is not said.
    """

    outcome: Outcome
    member: str | None
    runner_up: str | None
    distance: float
    """To the nearest identity or decoy, 0–2."""
    second: float
    """To the second-nearest; 2 when there is only one."""

    @property
    def ratio(self) -> float:
        """Nearest to second-nearest, 0–1: the smaller, the clearer."""
        return self.distance / self.second if self.second else 1.0
