"""``yingke count VIDEO --config FILE --camera NAME``: a recording, counted as the box counts that camera."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge.commands.progress import Progress

if TYPE_CHECKING:
    from edge.config import EdgeFile
    from sync.events import Event, FootfallMinute

_TOTALS = ("entered", "left", "staff_entered", "staff_left", "excluded", "groups")


def count_camera(
    video: Path, config: Path, camera: str | None, *, every: int, max_fps: float | None, as_json: bool
) -> str:
    """What the command prints. Raises ``SensorError``, ``ModelError``, ``ConfigError`` or ``click.BadParameter``."""
    from edge.config import EdgeFile
    from edge.processors.footfall import FootfallProcessor
    from models.gate import open_people
    from sensors.camera import CameraSource
    from sensors.camera_config import CameraConfig
    from sensors.readings import Frame
    from sync.settings import load

    file = load(config, EdgeFile)
    name = _chosen(file, camera)
    counting = file.edge.counting[name]
    if counting.staff and counting.staff.badges:
        click.echo("note: a video holds no badges: whoever is staff by a badge only is counted as a visitor", err=True)
    live = next(sensor for sensor in file.sensors.cameras if sensor.name == name)
    source_config = CameraConfig(
        url=f"file:{video}", every=max(every, live.every), max_fps=max_fps or live.max_fps, start=0.0
    )
    events: list[Event] = []
    frames, media, flushed = 0, 0.0, float("-inf")
    with CameraSource(source_config) as source:
        processor = FootfallProcessor(name, counting, open_people(file.models_of(name)))
        progress = Progress(source.duration)
        for frame in source:
            if not isinstance(frame, Frame):
                continue
            frames, media = frames + 1, frame.media_time
            events += processor.process(frame)
            if media - flushed >= 1:
                flushed = media
                events += processor.flush(frame.time)
            visits = sum(event.data.TYPE == "yingke.visit.v1" for event in events)
            progress.show(media, f"{visits} crossings")
        progress.done()
        period = 0.0 if processor.condition else processor.period or 1 / source.fps
        whole = max(source.duration or 0.0, media + 1 / source.fps)
        fps = source.fps
    events += processor.close(media)
    document = _document(name, events, frames=frames, fps=fps, period=period if frames else 0.0, whole=whole)
    return json.dumps(document) if as_json else _text(document)


def _chosen(file: "EdgeFile", camera: str | None) -> str:
    cameras = sorted(file.edge.counting)
    if camera is None and len(cameras) == 1:
        return cameras[0]
    if camera not in cameras:
        wanted = "give --camera" if camera is None else f"there is no camera {camera!r} under edge.counting"
        raise click.BadParameter(f"{wanted}: {', '.join(cameras) or 'the configuration has none'}")
    return camera


def _document(
    camera: str, events: "Sequence[Event]", *, frames: int, fps: float, period: float, whole: float
) -> dict[str, Any]:
    from sync.events import FootfallMinute, Visit, Zone

    minutes: dict[tuple[str, float], FootfallMinute] = {}
    visits, stays = [], []
    for event in sorted(events, key=lambda event: event.time):
        seconds = event.time.timestamp()
        if isinstance(event.data, FootfallMinute):
            key = event.data.place, event.data.minute.timestamp()
            if key not in minutes or minutes[key].revision < event.data.revision:
                minutes[key] = event.data
        elif isinstance(event.data, Visit):
            visits.append({"t": round(seconds, 3), **event.data.model_dump(mode="json")})
        elif isinstance(event.data, Zone):
            stays.append({"t": round(seconds, 3), **event.data.model_dump(mode="json")})
    places = sorted({place for place, _ in minutes})
    by_place = {place: [minute for (name, _), minute in minutes.items() if name == place] for place in places}
    # All places of a camera are seen in the same pictures.
    observed = max((sum(minute.coverage for minute in of_one) for of_one in by_place.values()), default=0.0)
    return {
        "camera": camera,
        "visits": visits,
        "zones": stays,
        "totals": {place: _sums(of_one) for place, of_one in by_place.items()},
        "frames": frames,
        "fps": round(fps, 4),
        "coverage": round(min(1.0, (observed + period) / whole), 4),
    }


def _sums(minutes: "Sequence[FootfallMinute]") -> dict[str, int]:
    """What the place counts; what it does not look for is left out."""
    told = [name for name in _TOTALS if any(getattr(minute, name) is not None for minute in minutes)]
    return {name: sum(getattr(minute, name) or 0 for minute in minutes) for name in told}


def _text(document: dict[str, Any]) -> str:
    lines = []
    for visit in document["visits"]:
        minutes, seconds = divmod(visit["t"], 60)
        evidence, why = visit["evidence"], ", ".join(visit["evidence"]["exclusions"])
        seen = f"track {evidence['track']}, {evidence['track_seconds']:.1f} s, {evidence['rule']}"
        said = f"not counted: {why}" if why else "counted"
        lines.append(f"{int(minutes):3d}:{seconds:04.1f}  {visit['line']}  {visit['direction']:3s}  {said} ({seen})")
    if lines:
        lines.append("")
    for place, totals in document["totals"].items():
        lines.append(f"{place}: " + ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in totals.items()))
    lines.append(f"{document['frames']} pictures analysed, {document['coverage']:.1%} of the video observed")
    return "\n".join(lines)
