"""Whether lines and zones of a camera can count anybody: checked while they are drawn, and by ``yingke config check``.

Everything here is a pure function of what was drawn and what was seen. An **error** is a drawing that cannot count
right; a **hint** is one that probably does not. Sizes come from the people who were seen nearest; where nobody was,
an error needs a person of the smallest size that can be counted at all, and the usual size gives hints only.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np

from models.lines import Anchor, Line, Point
from models.observation import SMALLEST_HEIGHT, Doubles, Observation, Size, usual_size
from models.passing import Passing, passing
from models.zones import problem

Severity = Literal["error", "hint"]
Kind = Literal["line", "zone"]
Language = Literal["en", "zh"]

NAME = re.compile(r"[a-z0-9-]{1,32}")
EXAMPLE_ASPECT = 16 / 9
"""Of the picture, where nobody has looked through the camera yet."""
_HYSTERESIS = 0.2
"""Of ``models.lines.LineCounter``: that share of a person must be clearly on either side."""
_CUT = 0.005
"""As in ``models.lines``: a box whose lower edge is so near to the picture's has its feet outside."""
_CUT_ERROR, _CUT_HINT = 0.5, 0.2
"""Shares of the people near a line without feet from which feet cannot, and should not, cross it."""
_HIDDEN_RATIO = 1.7
"""Height to width in pixels below which legs are hidden; whole people measure 2.2 to 3.2 on vtest."""
_AROUND, _AROUND_SHARE = 2, 0.2
"""So many people beside an end, and so many of all who pass, are a gap and not a stray."""
_WALKERS = 3
"""So many people who walked elsewhere say something about a line that none came near."""
_EQUAL = 0.5
"""Lines whose ends are nearer than this share of a person's width are one line drawn twice."""


@dataclass(frozen=True, slots=True)
class DrawnLine:
    """A line as it was drawn, right or wrong; shares of the picture as in ``models.lines.Line``."""

    name: str
    start: Point
    end: Point
    anchor: Anchor = "centre"


@dataclass(frozen=True, slots=True)
class DrawnZone:
    """A zone as it was drawn, right or wrong."""

    name: str
    corners: tuple[Point, ...]
    anchor: Anchor = "foot"


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with the ``index``-th line or zone. ``values`` fill the words of ``code``."""

    code: str
    severity: Severity
    kind: Kind
    index: int
    values: Mapping[str, str] = field(default_factory=dict)

    def text(self, language: Language) -> str:
        """For people. A value that is itself a word of the file (``side_left``) is said in the same language."""
        words = _words()
        values = {name: words[value][language] if value in words else value for name, value in self.values.items()}
        return words[self.code][language].format(**values)


def reason(code: str) -> Mapping[Language, str]:
    """The words of a reason of ``suggested_anchor``, without figures."""
    return {language: text.partition(" (")[0] for language, text in _words()[code].items()}


@cache
def _words() -> dict[str, dict[Language, str]]:
    read: dict[str, dict[Language, str]] = json.loads(
        (Path(__file__).parent / "geometry_words.json").read_text(encoding="utf-8")
    )
    return read


def check(lines: Sequence[DrawnLine], zones: Sequence[DrawnZone], seen: Observation | None = None) -> Sequence[Finding]:
    """Everything that is wrong, errors first, else in the order of drawing."""
    seen = seen or Observation(EXAMPLE_ASPECT)
    found = [*_names(lines, zones), *_equal(lines, seen)]
    for index, line in enumerate(lines):
        found += _line(index, line, seen)
    for index, zone in enumerate(zones):
        found += _zone(index, zone, seen)
    return sorted(found, key=lambda finding: (finding.severity != "error", finding.kind, finding.index))


def suggested_anchor(line: DrawnLine, seen: Observation) -> tuple[Anchor, str] | None:
    """The better anchor for a line and the code of the reason; None while too few people were seen near it.

    Feet are better at a line across the picture, a threshold on the floor; at an upright one the two cross alike.
    """
    boxes = seen.near(line.start, line.end, "centre")
    if not len(boxes) or line.start == line.end:
        return None
    if float((boxes[:, 3] >= 1 - _CUT).mean()) >= _CUT_HINT:
        return "centre", "feet_cut"
    ratio = _ratio(boxes, seen.aspect)
    if not np.isfinite(ratio):
        return None
    if ratio < _HIDDEN_RATIO:
        return "centre", "feet_hidden"
    flat = abs(line.end[0] - line.start[0]) * seen.aspect > abs(line.end[1] - line.start[1])
    return ("foot", "feet_better") if flat else None


def _names(lines: Sequence[DrawnLine], zones: Sequence[DrawnZone]) -> Iterator[Finding]:
    known: set[str] = set()
    drawn: list[tuple[Kind, int, str]] = [("line", index, line.name) for index, line in enumerate(lines)]
    drawn += [("zone", index, zone.name) for index, zone in enumerate(zones)]
    for kind, index, name in drawn:
        if not NAME.fullmatch(name):
            yield Finding("name_bad", "error", kind, index)
        elif name in known:
            yield Finding("name_twice", "error", kind, index)
        known.add(name)


def _equal(lines: Sequence[DrawnLine], seen: Observation) -> Iterator[Finding]:
    for index, line in enumerate(lines):
        width = seen.size_near(line.start, line.end, line.anchor).width * seen.aspect
        for other in lines[:index]:
            if line.start == line.end or other.start == other.end:
                continue
            same = max(_length(line.start, other.start, seen.aspect), _length(line.end, other.end, seen.aspect))
            turned = max(_length(line.start, other.end, seen.aspect), _length(line.end, other.start, seen.aspect))
            if min(same, turned) < _EQUAL * width:
                yield Finding("lines_equal", "error", "line", index, {"other": other.name or "?"})


def _line(index: int, line: DrawnLine, seen: Observation) -> Iterator[Finding]:
    def finding(code: str, severity: Severity, **values: str) -> Finding:
        return Finding(code, severity, "line", index, values)

    if not _inside((line.start, line.end)):
        yield finding("outside_picture", "error")
        return
    if line.start == line.end:
        yield finding("line_without_length", "error")
        return
    size = seen.size_near(line.start, line.end, line.anchor)
    length = _length(line.start, line.end, seen.aspect)
    width = size.width * seen.aspect
    if length < width:
        sure = size.seen or length < usual_size(seen.aspect, SMALLEST_HEIGHT).width * seen.aspect
        code = "line_short" if size.seen else "line_short_perhaps"
        yield finding(code, "error" if sure else "hint", length=f"{length:.1%}", width=f"{width:.1%}")
    for code, severity, side in _room(Line(line.name, line.start, line.end, line.anchor), size, seen.aspect):
        yield finding(code, severity, side=f"side_{side}")
    if size.seen:
        yield from (finding(code, severity, **values) for code, severity, values in _feet(line, seen))
        yield from (
            finding(code, "hint", **values) for code, values in _way(passing(line.start, line.end, line.anchor, seen))
        )


def _feet(line: DrawnLine, seen: Observation) -> Iterator[tuple[str, Severity, dict[str, str]]]:
    if line.anchor != "foot":
        return
    boxes = seen.near(line.start, line.end, line.anchor)
    cut = float((boxes[:, 3] >= 1 - _CUT).mean())
    if cut >= _CUT_HINT:
        yield "feet_cut", "error" if cut >= _CUT_ERROR else "hint", {"percent": f"{100 * cut:.0f}"}
    elif (ratio := _ratio(boxes, seen.aspect)) < _HIDDEN_RATIO:
        yield "feet_hidden", "hint", {"ratio": f"{ratio:.1f}"}


def _way(found: Passing) -> Iterator[tuple[str, dict[str, str]]]:
    """How people walk past the line, in hints."""
    if found.walkers >= _WALKERS and not found.near:
        yield "nobody_near", {"people": str(found.walkers)}
    for end, around in (("A", found.before_start), ("B", found.after_end)):
        if around >= _AROUND and around >= _AROUND_SHARE * (around + found.through):
            yield "walked_around", {"around": str(around), "through": str(found.through), "end": end}
    if found.standing:
        yield "people_stop", {"people": str(found.standing), "seconds": f"{found.stood:.0f}"}


def _room(line: Line, size: Size, aspect: float) -> Iterator[tuple[str, Severity, str]]:
    """Where a person cannot be on one side of the line: not even half of one, or no whole one."""
    least = size if size.seen else usual_size(aspect, SMALLEST_HEIGHT)
    for sign in (1, -1):
        side = line.towards("positive" if sign > 0 else "negative")
        if not _holds(line, sign, least, 0.5):
            yield "no_room", "error", side
        elif not _holds(line, sign, size, 1.0):
            yield "little_room", "hint", side


def _holds(line: Line, sign: int, size: Size, visible: float) -> bool:
    """Whether the anchor of somebody of whom ``visible`` is in the picture can be clearly on this side of the line."""
    band = 2 * _HYSTERESIS * line.extent(size.width, size.height) * visible
    return any(sign * line.side(corner) > band for corner in _places(size, line.anchor, visible))


def _places(size: Size, anchor: Anchor, visible: float) -> Iterable[Point]:
    """The corners of where an anchor can be: it is taken of the box, which ends at the picture's edge."""
    x, y = visible * size.width / 2, visible * size.height / 2
    top, bottom = (2 * y, 1.0) if anchor == "foot" else (y, 1 - y)
    return ((x, top), (1 - x, top), (x, bottom), (1 - x, bottom)) if x < 0.5 and y < 0.5 else ((0.5, 0.5),)


def _zone(index: int, zone: DrawnZone, seen: Observation) -> Iterator[Finding]:
    def finding(code: str, severity: Severity = "error") -> Finding:
        return Finding(code, severity, "zone", index)

    if not _inside(zone.corners):
        yield finding("outside_picture")
        return
    if (wrong := problem(zone.corners)) is not None:
        yield finding("zone_crosses" if "crosses" in wrong else "zone_flat" if "no area" in wrong else "zone_points")
        return
    corners = np.array(zone.corners)
    low, high = corners.min(axis=0), corners.max(axis=0)
    middle = float((low[0] + high[0]) / 2), float((low[1] + high[1]) / 2)
    size = seen.size_near(middle, middle, zone.anchor)
    if _narrow(corners, size.width, seen.aspect):
        sure = size.seen or _narrow(corners, usual_size(seen.aspect, SMALLEST_HEIGHT).width, seen.aspect)
        yield finding("zone_small" if size.seen else "zone_small_perhaps", "error" if sure else "hint")
    least = size if size.seen else usual_size(seen.aspect, SMALLEST_HEIGHT)
    if float(high[1]) < min(y for _, y in _places(least, zone.anchor, 0.5)):
        yield finding("zone_no_room")


def _narrow(corners: Doubles, width: float, aspect: float) -> bool:
    """Narrower than a person, or with less floor than a person takes: as wide as they are, half as deep in the view."""
    x, y = corners[:, 0], corners[:, 1]
    area = abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2 * aspect
    wide = width * aspect
    return float(np.ptp(x)) < width or area < wide * wide / 2


def _ratio(boxes: Doubles, aspect: float) -> float:
    """Median height of a box divided by its width, in pixels; boxes that the picture's side cuts are left out."""
    whole = boxes[(boxes[:, 0] > _CUT) & (boxes[:, 2] < 1 - _CUT)]
    if not len(whole):
        return float("inf")
    spans = np.maximum(whole[:, 2:] - whole[:, :2], 1e-6)
    return float(np.median(spans[:, 1] / (spans[:, 0] * aspect)))


def _inside(points: Iterable[Point]) -> bool:
    return all(0 <= x <= 1 and 0 <= y <= 1 for x, y in points)


def _length(a: Point, b: Point, aspect: float) -> float:
    """In picture heights."""
    return float(np.hypot((b[0] - a[0]) * aspect, b[1] - a[1]))
