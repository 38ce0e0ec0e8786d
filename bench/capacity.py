"""How many 1080p cameras at 10 pictures a second two cores carry, and where the CPU time goes.

    python -m bench.capacity [--seconds 40] [--ideas]

Scenes are made with ffmpeg in a temporary folder: the street of ../shared scaled up to 1920×1080, with sensor noise,
H.264 at 4 Mbit/s; the same with people half of the time (ten seconds of street, ten of its empty background); and the
empty background alone. Prints CPU milliseconds per picture (of this process, all threads) for decoding, detecting,
tracking and counting, then cameras = 2 cores × 1000 / (10 × CPU ms), and the share of detection in what is not
decoding. Where ``supervision`` and ``mesopic`` are installed (``bench.counting_peers`` says how) their rigs run too:
OpenCV, the same network, their own tracker and line. Where OpenVINO is, its two precisions run as well.
``--ideas`` measures what else was tried to save time.
"""

import argparse
import importlib.util
import os
import shutil
import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np

from models import openvino_session
from models.config import GateConfig
from models.detector import Detections, Detector
from models.gate import GatedDetector
from models.lines import Line, LineCounter
from models.runtime import Session
from models.runtime_choice import Start
from models.tracker import Tracker
from sensors.camera import CameraSource
from sensors.camera_config import CameraConfig
from sensors.readings import Frame, Image

STREET = Path(__file__).resolve().parents[2] / "shared/data/video/vtest.avi"
CORES, RATE = 2, 10
WIDE, HIGH, TOP = 1920, 1080, 200
"""The street is scaled to 1920×1440, and 1080 rows from row 200 on are kept: all who cross the line are in them."""
PARTS = ("decode", "detect", "track", "count")
LINE = Line("A", (0.7, (0.2 * 1440 - TOP) / HIGH), (0.7, (0.8 * 1440 - TOP) / HIGH))


class Finder(Protocol):
    """A detector, behind a gate or not."""

    def detect(self, image: Image, time: float, /) -> Detections: ...


@dataclass
class Cost:
    """CPU seconds by part of the pipeline, pictures of the camera, and who crossed."""

    spent: dict[str, float] = field(default_factory=lambda: dict.fromkeys(PARTS, 0.0))
    pictures: int = 0
    crossings: int = 0

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Adds the CPU time of its block."""
        before = time.process_time()
        yield
        self.spent[name] += time.process_time() - before

    def show(self, label: str) -> None:
        """One row of the table."""
        each = [1000 * self.spent[name] / self.pictures for name in PARTS]
        cells = "".join(f"{ms:9.2f}" for ms in (*each, sum(each)))
        share = each[1] / (sum(each[1:]) or 1)
        cameras = CORES * 1000 / RATE / sum(each)
        print(f"{label:52}{cells}{cameras:9.1f}{share:9.0%}{self.crossings:11}", flush=True)


def background() -> Image:
    """The street without people: the median of 40 pictures of the clip."""
    capture = cv2.VideoCapture(str(STREET))
    pictures = []
    while (read := capture.read())[0]:
        pictures.append(read[1])
    median: Image = np.median(pictures[::20], axis=0).astype(np.uint8)
    return median


def make_scenes(folder: Path, seconds: float) -> dict[str, Path]:
    """The three clips, by their names."""
    empty = folder / "empty.png"
    cv2.imwrite(str(empty), background())
    street = ["-i", str(STREET)]
    still = ["-loop", "1", "-framerate", str(RATE), "-t", str(seconds), "-i", str(empty)]
    half = "lt(mod(t,20),10)"
    mixed = f"[0:v]fps={RATE}[a];[1:v][a]overlay=enable='{half}':shortest=1[b];[b]"
    scenes = {
        "street": (street, "[0:v]"),
        "street, people half of the time": ([*street, *still], mixed),
        "empty street": (still, "[0:v]"),
    }
    paths = {}
    for number, (name, (inputs, graph)) in enumerate(scenes.items()):
        paths[name] = folder / f"{number}.mp4"
        filters = f"{graph}scale={WIDE}:1440:flags=bicubic,crop={WIDE}:{HIGH}:0:{TOP},noise=alls=5:allf=t[v]"
        encode = "-c:v libx264 -preset veryfast -b:v 4M -maxrate 5M -bufsize 8M -g 20 -bf 0 -pix_fmt yuv420p -threads 1"
        command = ["ffmpeg", "-v", "error", "-y", *inputs, "-filter_complex", filters, "-map", "[v]", "-r", str(RATE)]
        subprocess.run([*command, "-t", str(seconds), *encode.split(), str(paths[name])], check=True)
    return paths


def ours(video: Path, finder: Finder, every: int = 1) -> Cost:
    """The pipeline of the box; with ``every`` the pictures between are grabbed and not looked at, but counted."""
    cost, tracker, counter, media = Cost(), Tracker(), LineCounter(LINE), 0.0
    with CameraSource(CameraConfig(url=f"file:{video}", every=every)) as source:
        readings = iter(source)
        while True:
            with cost.part("decode"):
                reading = next(readings, None)
            if not isinstance(reading, Frame):
                break
            media = reading.media_time
            with cost.part("detect"):
                found = finder.detect(reading.image, media)
            with cost.part("track"):
                update = tracker.update(found, media)
            with cost.part("count"):
                cost.crossings += len(counter.update(update.people, update.ended, media))
            cost.pictures += every
    cost.crossings += len(counter.update((), tracker.finish(), media))
    return cost


def peer_rig(video: Path, track: Callable[[Detections, float], Any], count: Callable[[Any, float], int]) -> Cost:
    """What a peer's documentation shows: frames of OpenCV, a model, its tracker, its line; default settings.

    OpenCV decodes ahead in threads of its own there: a part of that is billed to detection, the sum is right.
    """
    cost, detector, capture = Cost(), ready(), cv2.VideoCapture(str(video))
    while True:
        with cost.part("decode"):
            read, image = capture.read()
        if not read:
            return cost
        moment = cost.pictures / RATE
        with cost.part("detect"):
            found = detector.detect(image.astype(np.uint8, copy=False))
        with cost.part("track"):
            people = track(found, moment)
        with cost.part("count"):
            cost.crossings += count(people, moment)
        cost.pictures += 1


def supervision_rig(video: Path) -> Cost:
    """ByteTrack and LineZone."""
    import supervision as sv  # type: ignore[import-not-found,unused-ignore]
    from supervision.tracker import ByteTrack  # type: ignore[import-not-found,unused-ignore]

    tracker = ByteTrack(frame_rate=RATE)
    ends = [sv.Point(x * WIDE, y * HIGH) for x, y in (LINE.start, LINE.end)]
    zone = sv.LineZone(*ends, triggering_anchors=[sv.Position.CENTER])

    def track(found: Detections, _moment: float) -> Any:
        boxes = found.boxes * np.array([WIDE, HIGH] * 2, np.float32)
        people = sv.Detections(xyxy=boxes, confidence=found.scores, class_id=np.zeros(len(boxes), int))
        return tracker.update_with_detections(people)

    def count(people: Any, _moment: float) -> int:
        entered, left = zone.trigger(people)
        return int(np.sum(entered)) + int(np.sum(left))

    return peer_rig(video, track, count)


def mesopic_rig(video: Path) -> Cost:
    """Its ByteTrack and its geometry, which sees foot points."""
    from mesopic.analytics.geometry import GeometryAnalytics  # type: ignore[import-not-found,unused-ignore]
    from mesopic.analytics.site_geometry import (  # type: ignore[import-not-found,unused-ignore]
        PreparedLine,
        SiteGeometry,
    )
    from mesopic.tracker.bytetrack import ByteTrackTracker  # type: ignore[import-not-found,unused-ignore]
    from mesopic.types import (  # type: ignore[import-not-found,unused-ignore]
        DecodedFrame,
        Detection,
        Direction,
        EventKind,
    )

    drawn = PreparedLine("line", "camera", LINE.start, LINE.end, Direction.IN, ())
    analytics = GeometryAnalytics(SiteGeometry({"camera": ()}, {"camera": (drawn,)}))
    tracker, picture = ByteTrackTracker(), np.zeros((1, 1, 3), np.uint8)

    def clock(moment: float) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=moment)

    def track(found: Detections, moment: float) -> Any:
        boxes = np.rint(found.boxes * np.array([WIDE, HIGH] * 2)).astype(int).tolist()
        rows = [
            Detection(tuple(box), float(score))
            for box, score in zip(boxes, found.scores, strict=True)
            if score >= 0.35 and box[2] > box[0] and box[3] > box[1]
        ]
        return tracker.update(DecodedFrame("camera", clock(moment), picture, WIDE, HIGH), rows)

    def count(people: Any, moment: float) -> int:
        events = analytics.on_tracks("camera", people, ts=clock(moment))
        return sum(event.kind is EventKind.LINE_CROSS for event in events)

    return peer_rig(video, track, count)


def ready(size: int = 416, start: Start = Session) -> Detector:
    """A detector whose session is made already."""
    detector = Detector(long_side=size, start=start)
    detector.detect(np.zeros((HIGH, WIDE, 3), np.uint8))
    return detector


def alone(video: Path) -> Cost:
    """What FFmpeg needs before a picture is asked for."""
    cost, capture = Cost(), cv2.VideoCapture(str(video), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    with cost.part("decode"):
        while capture.grab():
            cost.pictures += 1
    return cost


def in_parts() -> GatedDetector:
    """Behind a gate that lets it look at parts of the picture."""
    detector = ready()
    return GatedDetector(detector, GateConfig(parts=0.5), detector)


def ideas(video: Path) -> None:
    """What else saves time, each alone and without the gate; crossings show what it costs."""
    ours(video, ready(320)).show("input 320 instead of 416")
    ours(video, ready(), every=2).show("every second picture: grab without retrieve")
    alone(video).show("decoding alone, without the conversion to BGR")
    for label, option in {
        "decoder without its loop filter": "skip_loop_filter;all",
        "decoder skips pictures nobody refers to": "skip_frame;noref",
    }.items():
        os.environ["OPENCV_FFMPEG_CAPTURE_OPTIONS"] = option
        ours(video, ready()).show(label)
        del os.environ["OPENCV_FFMPEG_CAPTURE_OPTIONS"]


def main() -> None:
    """Parse arguments, make the scenes, measure, print."""
    parser = argparse.ArgumentParser(description="How many 1080p cameras two cores carry.")
    parser.add_argument("--seconds", type=float, default=40.0, help="of each scene, at most 79")
    parser.add_argument("--ideas", action="store_true", help="other ways to save time")
    options = parser.parse_args()
    if shutil.which("ffmpeg") is None or not STREET.exists():
        parser.error(f"needs ffmpeg (for example apt install ffmpeg) and {STREET}")
    rigs: dict[str, Callable[[Path], Cost]] = {
        "ours": lambda video: ours(video, ready()),
        "ours, gated": lambda video: ours(video, GatedDetector(ready())),
        "ours, gated, parts below 0.5": lambda video: ours(video, in_parts()),
    }
    if openvino_session.installed():
        for precision in (False, True):
            start = partial(openvino_session.OpenVinoSession, bfloat16=precision)
            label = f"ours, gated, OpenVINO {'bfloat16' if precision else 'float32'}"
            rigs[label] = lambda video, start=start: ours(video, GatedDetector(ready(start=start)))  # type: ignore[misc]
    if importlib.util.find_spec("supervision"):
        warnings.filterwarnings("ignore", category=FutureWarning, message=".*ByteTrack.*")
        rigs["supervision"] = supervision_rig
    if importlib.util.find_spec("mesopic"):
        rigs["mesopic"] = mesopic_rig
    with tempfile.TemporaryDirectory() as folder:
        scenes = make_scenes(Path(folder), options.seconds)
        columns = (*PARTS, "all", "cameras", "detect %")
        print(f"{'CPU ms per picture':52}" + "".join(f"{name:>9}" for name in columns) + "  crossings")
        for scene, video in scenes.items():
            for name, rig in rigs.items():
                rig(video).show(f"{scene}: {name}")
        if options.ideas:
            ideas(scenes["street"])


if __name__ == "__main__":
    main()
