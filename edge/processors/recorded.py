"""Windows of recorded captures: what ``yingke wifi count`` and ``calibrate`` share."""

import csv
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from edge.processors.bursts import Window, Windows
from edge.processors.estimate import Estimate, WifiCalibration, calibrate, estimate
from sensors.errors import FormatError, SourceError
from sensors.readings import Silence
from sensors.wifi.source import CaptureSource

Recording = CaptureSource
Span = tuple[float, float]
MAX_WINDOWS = 1_000_000
"""Listed at most; more come only from damaged times or a window far too short."""


def open_recording(captures: Sequence[Path]) -> Recording:
    """The captures of one place, merged by time."""
    return CaptureSource(tuple(captures))


@dataclass(frozen=True, slots=True)
class Count:
    """One window: ``devices`` is ``None`` where the estimate is withdrawn; ``start`` in epoch seconds."""

    start: float
    devices: Estimate | None
    bursts: int


def count_devices(recording: Recording, seconds: float, calibration: WifiCalibration) -> list[Count]:
    """Every window that the recording covers, by start; those without a frame too."""
    counts = {}
    for window in _windows(recording, seconds):
        devices = estimate(window, calibration, _observed(recording.spans, window.start, seconds))
        counts[window.start] = Count(window.start, devices, window.bursts)
    for start in _starts(recording.spans, seconds):
        if start not in counts:
            empty = Window(start, seconds, [])
            counts[start] = Count(start, estimate(empty, calibration, _observed(recording.spans, start, seconds)), 0)
        if len(counts) > MAX_WINDOWS:
            raise FormatError(f"more than {MAX_WINDOWS} windows of {seconds:g} s", "give a longer --window")
    return [counts[start] for start in sorted(counts)]


def learn(recording: Recording, seconds: float, truth: Sequence[Sequence["Counted"]], name: str) -> WifiCalibration:
    """A calibration from the windows that are both wholly recorded and wholly counted."""
    pairs = []
    for window in _windows(recording, seconds):
        numbers = [mean for each in truth if (mean := mean_people(each, window.start, seconds)) is not None]
        if numbers and not window.overflowed and _observed(recording.spans, window.start, seconds) > 0.99 * seconds:
            pairs.append((window, numbers[0]))
    return calibrate(pairs, name[:500], datetime.now(UTC).date())


def _windows(recording: Recording, seconds: float) -> Iterator[Window]:
    windows = Windows(seconds)
    for reading in recording:
        if not isinstance(reading, Silence):
            yield from windows.add(reading)
    yield from windows.end()


def _observed(spans: Sequence[Span], start: float, seconds: float) -> float:
    """How many of a window's seconds the spans cover; they may overlap, and are not sorted when clocks were set."""
    covered, reached = 0.0, start
    for first, last in sorted(span for span in spans if span[0] < start + seconds and span[1] > start):
        first = max(first, reached)
        last = min(last, start + seconds)
        if last > first:
            covered += last - first
            reached = last
    return covered


def _starts(spans: Sequence[Span], seconds: float) -> Iterator[float]:
    for first, last in spans:
        for step in range(math.floor(first / seconds), math.floor(last / seconds) + 1):
            yield step * seconds


@dataclass(frozen=True, slots=True)
class Counted:
    """So many ``people`` from ``time`` (epoch seconds) until the next count."""

    time: float
    people: int


def read_truth(path: Path, zone: str) -> list[Counted]:
    """Counts from a CSV ``datetime,people``, by time; datetimes without an offset are of ``zone``.

    Raises ``FormatError`` naming the line, ``SourceError`` when the file cannot be read.
    """
    fix = "the file needs a first line datetime,people and lines such as 2026-11-22 10:30:00,12"
    try:
        local = ZoneInfo(zone)
    except (ValueError, OSError, KeyError) as error:
        raise FormatError(f"no time zone is called {zone!r}", "give one such as --zone Asia/Shanghai") from error
    counted = []
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.DictReader(file)
            if not {"datetime", "people"} <= set(rows.fieldnames or ()):
                raise FormatError(f"{path}: no columns datetime and people", fix)
            for row in rows:
                moment = datetime.fromisoformat(row["datetime"])
                moment = moment if moment.tzinfo else moment.replace(tzinfo=local)
                people = int(row["people"])
                if people < 0:
                    raise ValueError("negative")
                counted.append(Counted(moment.timestamp(), people))
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror}", "check the path and the permissions") from error
    except (ValueError, TypeError, OverflowError, csv.Error) as error:
        raise FormatError(f"{path}: line {len(counted) + 2} is no count", fix) from error
    return sorted(counted, key=lambda each: each.time)


def mean_people(counted: Sequence[Counted], start: float, seconds: float) -> float | None:
    """Mean number of people over a window, or ``None`` when the counts do not reach over all of it."""
    if not counted or counted[0].time > start or counted[-1].time < start + seconds:
        return None
    total = 0.0
    for index, each in enumerate(counted):
        until = counted[index + 1].time if index + 1 < len(counted) else start + seconds
        total += each.people * max(0.0, min(until, start + seconds) - max(each.time, start))
    return total / seconds
