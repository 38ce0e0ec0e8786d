"""One audit while it happens: the person's taps, the machine's hidden count, the comparison, the review.

The person sees no count before they are done, and what is compared then is kept at once: an audit that turned out
badly cannot be thrown away. The review that follows is a second entry that names the first.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from edge.audit.counting import Setup, count, digest_of
from edge.audit.intervals import Estimate
from edge.audit.matching import Passing, reaction_delay
from edge.audit.record import Heard, Keeper
from edge.audit.score import TARGET, TOLERANCE, Figures, Score, score
from edge.processors.footfall import LineConfig
from models.errors import ModelError
from sensors.errors import SensorError
from sensors.stills import Still, Stills
from sync.audits import Entry
from sync.errors import SyncError

MOST_TAPS = 20_000
Document = dict[str, Any]
Answer = Literal["machine", "me"]
Phase = Literal["tapping", "counting", "result", "reviewed", "failed"]


class SessionError(SyncError):
    """What was asked does not fit this moment of the audit, or is not well formed."""


@dataclass
class _Line:
    """The comparison of one line, and its entries."""

    blind: Score
    reviewed: Score | None = None
    revised: int = 0
    entry: Entry | None = None


class Session:
    """An audit of one recording by one person; a context manager. Safe for several threads."""

    def __init__(
        self,
        video: Path,
        setup: Setup,
        keeper: Keeper | None = None,
        *,
        by: str | None = None,
        target: float = TARGET,
        tolerance: float = TOLERANCE,
    ) -> None:
        """Without ``keeper`` nothing is kept. ``by``: who counts, when that is known already."""
        self._video = video
        self._setup = setup
        self._keeper = keeper
        self._by = by
        self._target = target
        self._tolerance = tolerance
        self._stills = Stills(video)
        self._lock = threading.RLock()
        self._stop = threading.Event()
        self._counted = threading.Event()
        self._machine: list[Passing] = []
        self._media = 0.0
        self._seen = 0.0
        self._watched = 0.0
        self._phase: Phase = "tapping"
        self._problem: str | None = None
        self._waits: str | None = None
        self._people: list[Passing] = []
        self._results: dict[str, _Line] = {}
        self._disagreements: list[tuple[str, Passing]] = []
        self._thread = threading.Thread(target=self._count, name="audit", daemon=True)

    def __enter__(self) -> Self:
        self._digest = digest_of(self._video)
        self._stills.__enter__()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._stills.__exit__(kind, error, trace)

    # What the page asks -----------------------------------------------------------------------------------------------

    def describe(self) -> Document:
        """The recording and the lines; nothing that was counted."""
        width, height = self._stills.size
        return {
            "video": self._video.name,
            "duration": self._stills.duration,
            "fps": self._stills.fps,
            "width": width,
            "height": height,
            "sensor": self._setup.sensor,
            "lines": [_drawn(line) for line in self._setup.counting.lines],
            "by": self._by,
            "kept": self._keeper is not None,
            "target": self._target,
        }

    def picture(self, time: float) -> Still | None:
        """The picture at ``time``; how far the person has got is remembered."""
        still = self._stills.at(time)
        if still is not None and self._phase == "tapping":
            self._seen = max(self._seen, still.time)
        return still

    def finish(self, by: str, taps: Sequence[tuple[float, str, str]]) -> None:
        """The person is done: ``taps`` are (seconds, line, ``in`` or ``out``). From here on they cannot change."""
        with self._lock:
            if self._phase != "tapping":
                raise SessionError("this audit is done already", "start another one to count again")
            people = self._checked(taps)
            period = 1 / self._stills.fps
            whole = self._seen >= self._stills.duration - 2 * period
            self._watched = self._stills.duration if whole else self._seen
            if self._watched <= 0:
                raise SessionError("nothing was watched yet", "play the recording first")
            self._by, self._people, self._phase = by, people, "counting"
        self._settle()

    def result(self) -> Document:
        """How far the machine is; once it is done, the comparison."""
        self._settle()
        with self._lock:
            duration = self._stills.duration or 1.0
            document: Document = {"phase": self._phase, "progress": min(1.0, self._media / duration)}
            if self._phase == "failed":
                return document | {"problem": self._problem}
            if self._phase in ("tapping", "counting"):
                return document
            return document | {
                "watched": self._watched,
                "lines": {name: _result(line) for name, line in self._results.items()},
                "disagreements": [
                    {"kind": kind, "time": self._shown(kind, one), "line": one.line, "direction": one.direction}
                    for kind, one in self._disagreements
                ],
                "waits": self._waits,
            }

    def review(self, answers: Sequence[Answer | None]) -> None:
        """Who was wrong at each disagreement, in order: ``machine`` or ``me``. None counts as the machine."""
        with self._lock:
            if self._phase != "result":
                raise SessionError("there is nothing to review now", "finish counting first; a review is made once")
            if len(answers) != len(self._disagreements):
                raise SessionError("not every disagreement has its place in the answer", "load the page again")
            people, revised = list(self._people), dict.fromkeys(self._results, 0)
            for answer, (kind, one) in zip(answers, self._disagreements, strict=True):
                if answer != "me":
                    continue
                revised[one.line] += 1
                if kind == "missed":
                    people.remove(one)
                else:
                    people.append(one.earlier(-self._results[one.line].blind.delay))
            for name, line in self._results.items():
                line.reviewed = self._score(people, name, line.blind.delay)
                line.revised = revised[name]
            self._keep(reviewed=True)
            self._phase = "reviewed"

    # Inside -----------------------------------------------------------------------------------------------------------

    def _count(self) -> None:
        def progress(media: float) -> None:
            self._media = media

        try:
            self._machine, _ = count(self._video, self._setup, progress=progress, stopped=self._stop.is_set)
        except (SensorError, ModelError) as error:
            self._problem = f"{error}; {error.fix}"
        except Exception as error:  # said on the page: nobody looks at this thread
            self._problem = f"{type(error).__name__}: please report this"
            raise
        finally:
            self._counted.set()

    def _settle(self) -> None:
        """Compare once both are done."""
        with self._lock:
            if self._phase != "counting" or not self._counted.is_set():
                return
            if self._problem is not None:
                self._phase = "failed"
                return
            here = [one for one in self._machine if one.time <= self._watched]
            delay = reaction_delay(self._people, here, self._tolerance)
            for line in self._setup.counting.lines:
                result = self._results[line.name] = _Line(self._score(self._people, line.name, delay))
                self._disagreements += [("missed", one) for one in result.blind.missed]
                self._disagreements += [("false", one) for one in result.blind.false]
            self._disagreements.sort(key=lambda item: self._shown(*item))
            self._keep(reviewed=False)
            self._phase = "result"

    def _keep(self, *, reviewed: bool) -> None:
        """Into the ledger and on their way; what went wrong is for the page: the result itself is shown in any case."""
        if self._keeper is None:
            return
        try:
            for name, line in self._results.items():
                if reviewed and line.reviewed is not None and line.entry is not None:
                    before = (line.entry, line.blind, line.revised)
                    line.entry = self._keeper.keep(self._setup, name, line.reviewed, self._heard(), blind=before)
                elif not reviewed:
                    line.entry = self._keeper.keep(self._setup, name, line.blind, self._heard())
            self._waits = self._keeper.try_to_send()
        except SyncError as error:
            self._waits = f"{error}; {error.fix}"

    def _score(self, people: Sequence[Passing], line: str, delay: float) -> Score:
        return score(
            [one for one in people if one.line == line],
            [one for one in self._machine if one.line == line and one.time <= self._watched],
            tolerance=self._tolerance,
            delay=delay,
            target=self._target,
        )

    def _heard(self) -> Heard:
        assert self._by is not None
        duration = self._stills.duration
        return Heard(self._by, "taps", self._digest, duration, self._watched, self._tolerance)

    def _shown(self, kind: str, one: Passing) -> float:
        """Where in the recording to look: a tap came later than what it means."""
        delay = self._results[one.line].blind.delay
        return max(0.0, one.time - delay) if kind == "missed" else one.time

    def _checked(self, taps: Sequence[tuple[float, str, str]]) -> list[Passing]:
        if len(taps) > MOST_TAPS:
            raise SessionError(f"{len(taps)} taps are too many", "audit a shorter recording")
        names = {line.name for line in self._setup.counting.lines}
        people = []
        for time, line, direction in taps:
            if line not in names or direction not in ("in", "out") or not 0 <= time <= self._stills.duration + 1:
                raise SessionError("a tap is of no line, no direction, or outside the recording", "load the page again")
            people.append(Passing(time, line, "in" if direction == "in" else "out"))
        return sorted(people)


def _drawn(line: LineConfig) -> Document:
    drawn = line.line()
    towards = drawn.towards(line.entering)
    return {
        "name": line.name,
        "start": line.start,
        "end": line.end,
        "entering": line.entering,
        "anchor": line.anchor,
        "in": towards,
    }


def _result(line: _Line) -> Document:
    entry = line.entry
    kept = None if entry is None else {"number": entry.data.number, "id": str(entry.id)}
    reviewed = line.reviewed
    return {
        "blind": score_document(line.blind),
        "reviewed": None if reviewed is None else score_document(reviewed),
        "entry": kept,
    }


def score_document(result: Score) -> Document:
    """A score as JSON: shares rounded to a hundredth of a percent."""
    return {
        **figures_document(result.all),
        "directions": {way: figures_document(figures) for way, figures in result.directions.items()},
        "net_error": result.net_error,
        "delay": round(result.delay, 3),
        "target": result.target,
        "verdict": result.verdict,
        "more": result.more,
    }


def figures_document(figures: Figures) -> Document:
    """The figures of all, or of one direction."""
    return {
        "people": figures.people,
        "counted": figures.counted,
        "right": figures.right,
        "false": figures.false,
        "missed": figures.missed,
        "accuracy": _share(figures.accuracy),
        "precision": _share(figures.precision),
        "recall": _share(figures.recall),
    }


def _share(estimate: Estimate | None) -> Document | None:
    if estimate is None:
        return None
    return {"value": round(estimate.value, 4), "low": round(estimate.low, 4), "high": round(estimate.high, 4)}
