"""The tracker and the line counter with one rule left out, to see what it adds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from models import lines
from models.config import TrackerConfig
from models.lines import Crossing, Line, LineCounter
from models.tracker import Doubles, Person, Tracker


class _Still(Tracker):
    """Expects everybody where they were."""

    def _expected(self, elapsed: Doubles) -> Doubles:
        return self._boxes.copy()


class _Straight(Tracker):
    """Expects those out of sight to walk on without end."""

    def _expected(self, elapsed: Doubles) -> Doubles:
        expected = self._boxes.copy()
        expected[:, :2] += self._velocity * elapsed[:, None]
        return expected


class _Forgetful(Tracker):
    """Gives up who is not seen in one picture."""

    def _drop(self, time: float) -> list[int]:
        alive = self._seen >= np.max(self._seen, initial=-np.inf)
        ended = [int(number) for number in self._ids[~alive]]
        self._keep(alive)
        return ended


class _Borderless(LineCounter):
    """Does not know that people come from outside the picture and go there."""

    def _begin(self, person: Person, time: float) -> "lines._Path":
        path = super()._begin(person, time)
        side = 1 if path.last_value >= 0 else -1
        path.side, path.clear, path.outside, path.passed = side, path.last, None, None
        return path

    def _leave(self, path: "lines._Path", time: float) -> Crossing | None:
        return None

    def _look_back(self, path: "lines._Path", person: Person) -> None:
        return None


class _Shortsighted(LineCounter):
    """Does not look before the first sighting, nor after the last."""

    def _look_back(self, path: "lines._Path", person: Person) -> None:
        return None

    def _leave(self, path: "lines._Path", time: float) -> Crossing | None:
        return super()._leave(path, time) if path.last_value * path.side < 0 else None


class _Cut(LineCounter):
    """Takes a box for the whole person also where the border cuts it, and a part for a person."""

    def update(self, people: Sequence[Person], ended: Sequence[int], time: float) -> list[Crossing]:
        return super().update([replace(p, body=None, whole=True, part=False) for p in people], ended, time)


class _Endless(LineCounter):
    """Takes the line to go on beyond its ends."""

    def _place(self, a: lines.Point, b: lines.Point, share: float) -> float:
        return 0.5


@dataclass(frozen=True)
class Rule:
    """How the tracker and the counter are made when the rule ``name`` is left out."""

    name: str
    tracker: Callable[[], Tracker] = Tracker
    counter: Callable[[Line], LineCounter] = LineCounter


def _config(**changes: float) -> Callable[[], Tracker]:
    return partial(Tracker, TrackerConfig.model_validate(changes))


RULES: tuple[Rule, ...] = (
    Rule("as shipped"),
    Rule("second stage", _config(unsure=0.25)),
    Rule("grown boxes", _config(grow=0)),
    Rule("stride", _config(stride=0, stride_new=0)),
    Rule("velocity", _Still),
    Rule("slowing down", _Straight),
    Rule("stitching", _Forgetful),
    Rule("runners", _config(run=0)),
    Rule("one box each", _config(apart=1, within=1)),
    Rule("hysteresis", counter=partial(LineCounter, hysteresis=0)),
    Rule("least time", counter=partial(LineCounter, least_detections=1, least_seconds=0)),
    Rule("doubt", counter=partial(LineCounter, least_score=0)),
    Rule("border", counter=_Borderless),
    Rule("look back/on", counter=_Shortsighted),
    Rule("cut and parts", counter=_Cut),
    Rule("ends of line", counter=_Endless),
)
"""The first is the whole; every other is the whole without that rule."""
