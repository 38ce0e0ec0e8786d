"""Windows of recorded captures: what ``yingke wifi count`` and ``calibrate`` share."""

import csv
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

from edge.processors.bursts import Window, Windows
from edge.processors.estimate import Estimate, WifiCalibration, estimate, is_inside
from edge.processors.fitting import fit, levels, row, strong_dbm
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


NO_PROBES = "no probe request in it"
NO_PROBES_FIX = "capture in monitor mode for longer, on the channels that phones probe (1, 6, 11)"


@dataclass(frozen=True, slots=True)
class Count:
    """One window: ``devices`` is ``None`` where the estimate is withdrawn; ``start`` in epoch seconds.

    ``passing`` is ``None`` without a gate too; ``shed`` frames were too many to be real. ``capture_rate`` is the share
    of the bursts that came from inside, in which the burst interval cancels; ``None`` without a gate or a burst.
    """

    start: float
    observed_s: float
    devices: Estimate | None
    passing: Estimate | None
    bursts: int
    shed: int
    capture_rate: float | None


@dataclass(frozen=True, slots=True)
class Counts:
    """``gate_dbm`` is the calibration's, or moved by as much as everything is heard louder than where it was made."""

    windows: list[Count]
    gate_dbm: int | None
    moved_db: int


def count_devices(recording: Recording, seconds: float, calibration: WifiCalibration) -> Counts:
    """Every window that the recording covers, by start; those without a frame too."""
    windows = list(_windows(recording, seconds))
    moved = moved_by(windows, calibration)
    if moved and calibration.rssi_gate_dbm is not None:
        gate = max(-120, min(0, calibration.rssi_gate_dbm + moved))
        calibration = calibration.model_copy(update={"rssi_gate_dbm": gate})
    counts = {window.start: _count(window, recording, calibration) for window in windows}
    for start in _starts(recording.spans, seconds):
        if start not in counts:
            counts[start] = _count(Window(start, seconds, []), recording, calibration)
        if len(counts) > MAX_WINDOWS:
            raise FormatError(f"more than {MAX_WINDOWS} windows of {seconds:g} s", "give a longer --window")
    return Counts([counts[start] for start in sorted(counts)], calibration.rssi_gate_dbm, moved)


def _count(window: Window, recording: Recording, calibration: WifiCalibration) -> Count:
    observed = _observed(recording.spans, window.start, window.seconds)
    return Count(
        start=window.start,
        observed_s=observed,
        devices=estimate(window, calibration, observed),
        passing=None if calibration.rssi_gate_dbm is None else estimate(window, calibration, observed, inside=False),
        bursts=window.bursts,
        shed=window.shed,
        capture_rate=_capture_rate(window, calibration.rssi_gate_dbm),
    )


def _capture_rate(window: Window, gate_dbm: int | None) -> float | None:
    if gate_dbm is None or not window.bursts:
        return None
    inside = sum(is_inside(burst, gate_dbm) for part in window.slices for burst in part.bursts)
    return inside / window.bursts


STEADY_DB, MOST_MOVED_DB = 4, 15
"""At one spot the strength that one burst in ten exceeds was -51 to -53 dBm on each of eight days; what differs by less
than 4 dB is left alone, and what differs by more than 15 is no moved receiver."""


def moved_by(windows: Sequence[Window], calibration: WifiCalibration) -> int:
    """By how many dB the gate is moved, because the receiver, its gain or its spot is another than when calibrated."""
    now, then = strong_dbm(levels(windows)), calibration.strong_dbm
    if now is None or then is None or not STEADY_DB <= abs(now - then) <= MOST_MOVED_DB:
        return 0
    return round(now - then)


@dataclass(frozen=True, slots=True)
class Day:
    """Captures of one place, merged by time, and the file of the people counted meanwhile."""

    captures: tuple[Path, ...]
    people: Path


@dataclass(frozen=True, slots=True)
class Learnt:
    """A calibration, how many hours ahead of UTC each day's counts were taken to be, and the sources' notices."""

    calibration: WifiCalibration
    hours: tuple[float | None, ...]
    notices: tuple[str, ...]


def learn(days: Sequence[Day], seconds: float, zone: str) -> Learnt:
    """A calibration from the windows that are both wholly recorded and wholly counted."""
    rows, windows, hours, notices = [], [], [], []
    for day in days:
        with open_recording(day.captures) as recording:
            heard = list(_windows(recording, seconds))
        notices += recording.notices
        if not recording.frames:
            raise FormatError(f"{day.captures[0]}: {NO_PROBES}", NO_PROBES_FIX)
        counted, ahead = read_people(day.people, zone, recording.spans)
        hours.append(ahead)
        until = max((last for _, last in recording.spans), default=0.0)
        windows += heard
        for window in heard:
            mean = mean_people(counted, window.start, seconds, until)
            if (
                mean is not None
                and not window.overflowed
                and _observed(recording.spans, window.start, seconds) > (0.99 * seconds)
            ):
                rows.append(row(window, mean, day.people.name, seconds))
    names = ", ".join(path.name for day in days for path in day.captures)
    today = datetime.now(UTC).date()
    learnt = fit(rows, names, today, seconds=seconds, strong_dbm=strong_dbm(levels(windows)))
    return Learnt(learnt, tuple(hours), tuple(notices))


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


def read_people(path: Path, zone: str, spans: Sequence[Span]) -> tuple[list[Counted], float | None]:
    """Counts from a CSV ``datetime,people``, by time, and how many hours ahead of UTC they were taken to be.

    Datetimes with an offset are used as they are (``None`` hours where all have one). Those without are local time of
    ``zone``; with ``AUTO``, of the offset at which the counts cover most of what was recorded (``spans``), since people
    are counted where and when a capture runs. Raises ``FormatError`` naming the line, or when two offsets fit as well;
    ``SourceError`` when the file cannot be read.
    """
    moments = _read_moments(path)
    if all(moment.tzinfo for moment, _ in moments):
        return _by_time(moments, UTC), None
    if zone == AUTO:
        local: tzinfo = timezone(timedelta(hours=_hours_ahead(path, moments, spans)))
    else:
        try:
            local = ZoneInfo(zone)
        except (ValueError, OSError, KeyError) as error:
            raise FormatError(f"no time zone is called {zone!r}", "give one such as --zone Asia/Shanghai") from error
    ahead = moments[0][0].replace(tzinfo=local).utcoffset()
    assert ahead is not None
    return _by_time(moments, local), ahead.total_seconds() / 3600


AUTO = "auto"
_QUARTER_HOURS = range(-12 * 4, 14 * 4 + 1)
"""Every civil time is a multiple of a quarter of an hour from UTC, from -12 to +14 hours."""


def _hours_ahead(path: Path, moments: Sequence[tuple[datetime, int]], spans: Sequence[Span]) -> float:
    counted = [moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() for moment, _ in moments]
    fits = []
    for quarter in _QUARTER_HOURS:
        first, last = min(counted) - quarter * 900.0, max(counted) - quarter * 900.0
        covered = _observed(spans, first, last - first) if last > first else 0.0
        begin = min((abs(first - start) for start, _ in spans), default=math.inf)
        fits.append((covered, -begin, quarter))
    fits.sort()
    (second, second_begin, _), (most, begin_, quarter) = fits[-2:]
    if most <= 0:
        raise FormatError(
            f"{path}: the counts do not overlap with the capture in any time zone",
            "give each capture the counts of its own day",
        )
    # Counts and capture that began within two minutes of each other began together; another offset is off by 15.
    if second > most - _SAME_S and not (-begin_ < 120 < -second_begin):
        raise FormatError(
            f"{path}: the counts fit the capture in more than one time zone", "say which: --zone Europe/Berlin, or UTC"
        )
    return quarter / 4


_SAME_S = 60.0


def _by_time(moments: Sequence[tuple[datetime, int]], local: tzinfo) -> list[Counted]:
    counted = [Counted(moment.replace(tzinfo=moment.tzinfo or local).timestamp(), people) for moment, people in moments]
    return sorted(counted, key=lambda each: each.time)


def _read_moments(path: Path) -> list[tuple[datetime, int]]:
    fix = "the file needs a first line datetime,people and lines such as 2026-11-22 10:30:00,12"
    moments: list[tuple[datetime, int]] = []
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.DictReader(file)
            if not {"datetime", "people"} <= set(rows.fieldnames or ()):
                raise FormatError(f"{path}: no columns datetime and people", fix)
            for each in rows:
                people = int(each["people"])
                if people < 0:
                    raise ValueError("negative")
                moment = datetime.fromisoformat(each["datetime"])
                moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()
                moments.append((moment, people))
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror}", "check the path and the permissions") from error
    except (ValueError, TypeError, OverflowError, csv.Error) as error:
        raise FormatError(f"{path}: line {len(moments) + 2} is no count", fix) from error
    if not moments:
        raise FormatError(f"{path}: no counts", fix)
    return moments


def mean_people(counted: Sequence[Counted], start: float, seconds: float, until: float = -math.inf) -> float | None:
    """Mean number of people over a window, or ``None`` when the counts do not reach over all of it.

    The last count holds until ``until`` (epoch seconds): when the last person has left, nobody counts any more.
    """
    if not counted or counted[0].time > start or max(counted[-1].time, until) < start + seconds:
        return None
    total = 0.0
    for index, each in enumerate(counted):
        end = counted[index + 1].time if index + 1 < len(counted) else start + seconds
        total += each.people * max(0.0, min(end, start + seconds) - max(each.time, start))
    return total / seconds
