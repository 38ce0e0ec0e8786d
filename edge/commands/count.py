"""``yingke count``: who crosses lines in a video, with the code of the live box."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge.commands.progress import Progress

if TYPE_CHECKING:
    from models.lines import Crossing, Line

_FORM = "NAME:x1,y1,x2,y2[:centre|foot], for example door:0.2,0.6,0.8,0.6:foot"


def parse_line(text: str) -> "Line":
    """``NAME:x1,y1,x2,y2[:centre|foot]``. Raises ``click.BadParameter`` that names what is wrong."""
    from models.lines import Line

    name, *parts = text.split(":")
    if not name or not 1 <= len(parts) <= 2:
        raise click.BadParameter(f"{text!r} is not of the form {_FORM}")
    try:
        numbers = [float(number) for number in parts[0].split(",")]
    except ValueError:
        raise click.BadParameter(f"{text!r}: {parts[0]!r} are not four numbers; {_FORM}") from None
    if len(numbers) != 4:
        raise click.BadParameter(f"{text!r}: {len(numbers)} numbers instead of four; {_FORM}")
    for number in numbers:
        if not (math.isfinite(number) and 0 <= number <= 1):
            raise click.BadParameter(f"{text!r}: {number:g} is outside 0–1; coordinates are shares of the picture")
    anchor = parts[1] if len(parts) == 2 else "centre"
    if anchor not in ("centre", "foot"):
        raise click.BadParameter(f"{text!r}: unknown anchor {anchor!r}; choose centre or foot")
    x1, y1, x2, y2 = numbers
    if (x1, y1) == (x2, y2):
        raise click.BadParameter(f"{text!r}: the line has no length; its two ends must differ")
    return Line(name, (x1, y1), (x2, y2), "foot" if anchor == "foot" else "centre")


def _lines(_context: click.Context, _parameter: click.Parameter, texts: tuple[str, ...]) -> "list[Line]":
    lines = [parse_line(text) for text in texts]
    names = [line.name for line in lines]
    for name in names:
        if names.count(name) > 1:
            raise click.BadParameter(f"two lines are called {name!r}; give each its own name")
    return lines


def _tiles(_context: click.Context, _parameter: click.Parameter, text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    columns, _, rows = text.partition("x")
    if not (columns.isdecimal() and rows.isdecimal() and 1 <= int(columns) <= 6 and 1 <= int(rows) <= 6):
        raise click.BadParameter(f"{text!r} is not of the form COLUMNSxROWS, each 1 to 6, for example 2x1")
    if (int(columns), int(rows)) == (1, 1):
        raise click.BadParameter("one tile is the whole picture; leave --tiles out")
    return int(columns), int(rows)


@dataclass
class Count:
    """The result: ``frames`` were analysed, ``coverage`` is the share of the media's duration that they observe."""

    crossings: "list[Crossing]"
    frames: int
    fps: float
    coverage: float


@click.command()
@click.argument("video")
@click.option("--line", "lines", multiple=True, callback=_lines, metavar="LINE", help=_FORM)
@click.option(
    "--config", type=click.Path(path_type=Path), help="take lines, zones and rules of a camera from config.yaml"
)
@click.option("--camera", help="which camera of --config; needed when it has several")
@click.option("--every", type=click.IntRange(1), default=1, show_default=True, help="look at every n-th picture")
@click.option("--max-fps", type=click.FloatRange(0, min_open=True), help="look at no more pictures per second")
@click.option("--detector-size", type=click.IntRange(128, 1280), default=416, show_default=True, help="long side in px")
@click.option("--tiles", callback=_tiles, metavar="COLUMNSxROWS", help="look at tiles too: where people are small")
@click.option(
    "--gate", is_flag=True, help="detect only where something moved, as the live box does: faster in quiet scenes"
)
@click.option("--json", "as_json", is_flag=True, help="print one JSON document")
def count(
    video: str,
    lines: "list[Line]",
    config: Path | None,
    camera: str | None,
    every: int,
    max_fps: float | None,
    detector_size: int,
    tiles: tuple[int, int] | None,
    gate: bool,
    as_json: bool,
) -> None:
    """Count the people who cross lines in VIDEO.

    The lines are those of --line, or, with --config, all lines, zones and entry rules of one camera: then VIDEO is
    counted as the box would count that camera, with the detector that the configuration asks for.

    Coordinates are shares of the picture from its upper left corner. Only what crosses between the two ends of a line
    counts. A crossing is positive towards the left of somebody who stands at x1,y1 and looks towards x2,y2. The point
    of a person that crosses is the centre of the box, or the foot (the middle of its lower edge).
    """
    if "://" in video:
        raise click.BadParameter("count reads a recorded video file; live cameras are counted by: yingke edge")
    if bool(lines) == bool(config):
        raise click.UsageError("give the lines either as --line, once or several times, or by --config and --camera")
    if config is not None:
        from edge.commands.count_camera import count_camera

        click.echo(count_camera(Path(video), config, camera, every=every, max_fps=max_fps, as_json=as_json))
        return
    result = analyse(
        Path(video), lines, every=every, max_fps=max_fps, detector_size=detector_size, tiles=tiles, gate=gate
    )
    if as_json:
        click.echo(json.dumps(as_document(result, lines)))
    else:
        _print(result, lines)


def analyse(
    video: Path,
    lines: "Sequence[Line]",
    *,
    every: int = 1,
    max_fps: float | None = None,
    detector_size: int = 416,
    tiles: tuple[int, int] | None = None,
    gate: bool = False,
) -> Count:
    """Run camera, detector, tracker and lines over a recording. Raises ``SensorError`` or ``ModelError``.

    As at the box, frozen, dark and destroyed pictures observe nothing, and nobody is looked for in them.
    """
    from edge.processors.following import Following
    from models.config import DetectorConfig, GateConfig, ModelsConfig, TilesConfig, TrackerConfig
    from models.gate import open_people
    from models.lines import LineCounter
    from sensors.camera import CameraSource
    from sensors.camera_config import CameraConfig
    from sensors.readings import Frame

    counters = [LineCounter(line) for line in lines]
    crossings: list[Crossing] = []
    frames, covered, media = 0, 0.0, 0.0
    with CameraSource(CameraConfig(url=f"file:{video}", every=every, max_fps=max_fps, start=0.0)) as source:
        cut = None if tiles is None else TilesConfig(columns=tiles[0], rows=tiles[1])
        settings = DetectorConfig(size=detector_size, tiles=cut)
        detector = open_people(ModelsConfig(detector=settings, gate=GateConfig(enabled=gate)))
        following = Following(detector, TrackerConfig())
        progress = Progress(source.duration)
        for frame in source:
            if not isinstance(frame, Frame):
                continue
            frames, media = frames + 1, frame.media_time
            seen = following.picture(frame)
            for counter in counters:
                crossings += counter.update(seen.update.people, seen.update.ended, media)
            covered += seen.interval[1] - seen.interval[0] if seen.interval else 0.0
            covered -= sum(end - start for start, end in seen.withdrawn)
            progress.show(media, f"{len(crossings)} crossings")
        progress.done()
        # The last picture is shown as long as the others.
        period = 0.0 if following.condition else following.period or 1 / source.fps
        whole = max(source.duration or 0.0, media + 1 / source.fps)
        fps = source.fps
    ended = following.finish()
    for counter in counters:
        crossings += counter.update((), ended, media)
    crossings.sort(key=lambda crossing: crossing.time)
    coverage = (covered + period) / whole if frames else 0.0
    return Count(crossings, frames, fps, min(1.0, coverage))


def as_document(result: Count, lines: "Sequence[Line]") -> dict[str, Any]:
    """What ``--json`` prints."""
    return {
        "crossings": [
            {
                "line": crossing.line,
                "t": round(crossing.time, 3),
                "movement": [round(crossing.movement[0], 5), round(crossing.movement[1], 5)],
                "track": crossing.person.track,
                "direction": crossing.direction,
                "rule": crossing.rule,
                "confidence": round(min(1.0, crossing.person.score), 3),
            }
            for crossing in result.crossings
        ],
        "totals": {line.name: _totals(result, line) for line in lines},
        "frames": result.frames,
        "fps": round(result.fps, 4),
        "coverage": round(result.coverage, 4),
    }


def _totals(result: Count, line: "Line") -> dict[str, Any]:
    mine = [crossing.direction for crossing in result.crossings if crossing.line == line.name]
    return {
        "positive": mine.count("positive"),
        "negative": mine.count("negative"),
        "crossings": len(mine),
        "positive_is": line.towards("positive"),
        "negative_is": line.towards("negative"),
    }


def _print(result: Count, lines: "Sequence[Line]") -> None:
    for crossing in result.crossings:
        line = next(line for line in lines if line.name == crossing.line)
        minutes, seconds = divmod(crossing.time, 60)
        click.echo(f"{int(minutes):3d}:{seconds:04.1f}  {crossing.line}  {line.towards(crossing.direction)}")
    if result.crossings:
        click.echo("")
    for line in lines:
        totals = _totals(result, line)
        click.echo(
            f"{line.name}: {totals['crossings']} crossings, {totals['positive']} {totals['positive_is']}, "
            f"{totals['negative']} {totals['negative_is']}"
        )
    click.echo(f"{result.frames} pictures analysed, {result.coverage:.1%} of the video observed")
