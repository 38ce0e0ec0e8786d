"""Reading what a person saw from a file: CSV with a header, or JSON.

CSV: columns ``time`` (seconds of the recording, or ``m:ss.s``), ``direction``, and ``line`` where there are several.
JSON: a list of objects with the same names; or ``{"lines": [{"name": …, "events": [{"t": …, "dir": …}]}]}``, in which
``either`` may hold spans ``[from, to]`` where somebody hesitates on the line and both or neither crossing is right.
A direction is ``in`` or ``out``, ``positive`` or ``negative``, or what it looks like in the picture: ``left``,
``right``, ``up``, ``down`` (``L2R`` is ``right``, ``R2L`` is ``left``).
"""

import csv
import io
import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge.audit.matching import Direction, Passing
from edge.processors.footfall import LineConfig
from sensors.errors import FormatError

_FIX = "columns are time, direction and line; the forms are shown by: yingke audit --help"
_PICTURE = {"l2r": "right", "r2l": "left", "t2b": "down", "b2t": "up"}
_ABOUT = re.compile(r"~(\d+(?:\.\d+)?) ?s")
_HESITATION = 1.0
"""Seconds around the times of a hesitation that a note names."""


@dataclass
class Truth:
    """Who really crossed; ``either`` are the spans of each line in which both or neither crossing is right."""

    people: list[Passing] = field(default_factory=list)
    either: dict[str, list[tuple[float, float]]] = field(default_factory=dict)


def read(path: Path, lines: Sequence[LineConfig]) -> Truth:
    """The crossings of ``lines`` in the file. Raises ``FormatError`` that names the entry and what is wrong with it."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise FormatError(f"{path}: cannot be read: {error}", "check the path; the file is UTF-8 text") from error
    rows = _json(path, text) if text.lstrip().startswith(("{", "[")) else _csv(path, text)
    truth = Truth()
    for where, row in rows:
        try:
            line = _line(row.get("line"), lines)
            if "either" in row:
                begin, end = (_seconds(value) for value in row["either"])
                truth.either.setdefault(line.name, []).append((begin, end))
            else:
                way = _direction(str(row["direction"]), line)
                truth.people.append(Passing(_seconds(row["time"]), line.name, way))
        except (ValueError, KeyError, TypeError) as error:
            said = f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)
            raise FormatError(f"{path}: {where}: {said}", _FIX) from error
    truth.people.sort()
    return truth


def _csv(path: Path, text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    reader = csv.DictReader(io.StringIO(text), skipinitialspace=True)
    names = [name.strip().lower() for name in reader.fieldnames or ()]
    if not {"time", "direction"} <= set(names):
        raise FormatError(f"{path}: the first line must name the columns time and direction", _FIX)
    reader.fieldnames = names
    for row in reader:
        # What stands behind the last column has the name None, what is missing has the value None.
        yield f"line {reader.line_num}", {name: value for name, value in row.items() if name and value is not None}


def _json(path: Path, text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{path}: not JSON: {error}", _FIX) from error
    if isinstance(document, list):
        for number, item in enumerate(document, 1):
            if not isinstance(item, dict):
                raise FormatError(f"{path}: entry {number} is not an object", _FIX)
            yield f"entry {number}", item
        return
    lines = document.get("lines")
    if not isinstance(lines, list) or not all(isinstance(line, dict) for line in lines):
        raise FormatError(f"{path}: there is no list called lines", _FIX)
    for line in lines:
        name, events = line.get("name"), line.get("events", [])
        for number, item in enumerate(events if isinstance(events, list) else [], 1):
            if not isinstance(item, dict):
                raise FormatError(f"{path}: entry {number} of line {name} is not an object", _FIX)
            same = {"time": item.get("t", item.get("time")), "direction": item.get("dir", item.get("direction"))}
            yield f"entry {number} of line {name}", {"line": name} | same
        for span in line.get("either", ()):
            yield f"either of line {name}", {"line": name, "either": span}
        for note in line.get("tolerated", ()):
            times = [float(time) for time in _ABOUT.findall(str(note))]
            if times:
                span = [max(0.0, min(times) - _HESITATION), max(times) + _HESITATION]
                yield f"tolerated of line {name}", {"line": name, "either": span}


def _line(name: object, lines: Sequence[LineConfig]) -> LineConfig:
    if name in (None, ""):
        if len(lines) == 1:
            return lines[0]
        raise ValueError(f"line is missing; there are {', '.join(line.name for line in lines)}")
    for line in lines:
        if line.name == str(name).strip().lower():
            return line
    raise ValueError(f"there is no line {name}; there are {', '.join(line.name for line in lines)}")


def _direction(text: str, line: LineConfig) -> Direction:
    word = text.strip().lower()
    word = _PICTURE.get(word, word)
    if word in ("in", "out"):
        return "in" if word == "in" else "out"
    drawn = line.line()
    for side in ("positive", "negative"):
        if word in (side, drawn.towards("positive" if side == "positive" else "negative")):
            return "in" if line.entering == side else "out"
    known = f"in, out, {drawn.towards('positive')} or {drawn.towards('negative')}"
    raise ValueError(f"unknown direction {text!r}; this line has {known}")


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"{value!r} is no time")
    total = 0.0
    try:
        for part in str(value).strip().split(":"):
            total = total * 60 + float(part)
    except ValueError:
        raise ValueError(f"{value!r} is no time: give seconds, or minutes:seconds") from None
    if not (math.isfinite(total) and total >= 0):
        raise ValueError(f"{value!r} is no time in a recording")
    return total
