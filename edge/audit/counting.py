"""What the machine counts in a recording, with the very processor of the live box, and under which settings."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from edge.audit.matching import Passing
from edge.processors.footfall import FootfallConfig, FootfallProcessor
from models.config import ModelsConfig
from sensors.errors import SourceError
from sync.events import Visit


@dataclass(frozen=True, slots=True)
class Setup:
    """How one camera counts: its lines and rules, the models, and how many pictures a second it looks at."""

    sensor: str
    counting: FootfallConfig
    models: ModelsConfig = field(default_factory=ModelsConfig)
    max_fps: float | None = None


def digests(counting: FootfallConfig, models: ModelsConfig, max_fps: float | None) -> dict[str, str]:
    """For each line, 16 hex digits of all that its count depends on: its place, and the rules, models and rate.

    Settings at their defaults do not take part: a new version with a new setting changes no digest, a moved line does.
    """
    rules = counting.model_dump(mode="json", exclude_defaults=True, exclude={"lines", "zones"})
    models_ = models.model_dump(mode="json", exclude_defaults=True, exclude={"directory"})
    found = {}
    for line in counting.lines:
        place = line.model_dump(mode="json", exclude_defaults=True)
        text = json.dumps([place, rules, models_, max_fps], sort_keys=True)
        found[line.name] = hashlib.sha256(text.encode()).hexdigest()[:16]
    return found


def count(
    video: Path,
    setup: Setup,
    *,
    progress: Callable[[float], None] = lambda _: None,
    stopped: Callable[[], bool] = lambda: False,
) -> tuple[list[Passing], float]:
    """Every crossing of the recording, by the lines' time, and the seconds of media that were looked at.

    ``progress`` gets those seconds as they grow; once ``stopped`` says so, what was found until then is returned.
    Raises ``SensorError`` or ``ModelError``.
    """
    from models.gate import open_people
    from sensors.camera import CameraSource
    from sensors.camera_config import CameraConfig
    from sensors.readings import Frame

    processor = FootfallProcessor(setup.sensor, setup.counting, open_people(setup.models))
    camera = CameraConfig(url=f"file:{video}", max_fps=setup.max_fps, start=0.0)
    found: list[Passing] = []
    media = 0.0
    with CameraSource(camera) as source:
        for frame in source:
            if not isinstance(frame, Frame):
                continue
            if stopped():
                break
            found += [_passing(event.time.timestamp(), event.data) for event in processor.process(frame)
                      if isinstance(event.data, Visit)]  # fmt: skip
            media = frame.media_time
            progress(media)
        media += 1 / source.fps
    found += [_passing(e.time.timestamp(), e.data) for e in processor.close(media) if isinstance(e.data, Visit)]
    return sorted(found), media


def digest_of(video: Path) -> str:
    """SHA-256 of the file in hex. Raises ``SourceError``."""
    try:
        with video.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise SourceError(f"{video}: {error.strerror}", "check the path of the video") from error


def _passing(time: float, visit: Visit) -> Passing:
    return Passing(time, visit.line, visit.direction)
