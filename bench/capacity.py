"""How many 1080p cameras at 10 pictures a second two cores carry, and where the CPU time goes.

    python -m bench.capacity [--seconds 40] [--ideas]

Scenes are made with ffmpeg in a temporary folder: the street of ../shared scaled up to 1920×1080, with sensor noise,
H.264 at 4 Mbit/s; the same with people half of the time (ten seconds of street, ten of its empty background); and the
empty background alone. Prints CPU milliseconds per picture (of this process, all threads) for decoding, detecting,
tracking and counting, then cameras = 2 cores × 1000 / (10 × CPU ms). Where ``supervision`` is installed
(pip install 'supervision<0.31', in a virtual environment of its own) its rig runs too: OpenCV, the same network,
ByteTrack, LineZone.
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
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from models.detector import Detections, Detector
from models.gate import GatedDetector
from models.lines import Line, LineCounter
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
        print(f"{label:44}{cells}{CORES * 1000 / RATE / sum(each):9.1f}{self.crossings:11}", flush=True)


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


def supervision_rig(video: Path) -> Cost:
    """What its documentation shows: frames of OpenCV, a model, ByteTrack, LineZone; default settings.

    OpenCV decodes ahead in threads of its own there: a part of that is billed to detection, the sum is right.
    """
    import supervision as sv  # type: ignore[import-not-found,unused-ignore]
    from supervision.tracker import ByteTrack  # type: ignore[import-not-found,unused-ignore]

    cost, detector, tracker = Cost(), Detector(), ByteTrack(frame_rate=RATE)
    detector.detect(np.zeros((HIGH, WIDE, 3), np.uint8))
    ends = [sv.Point(x * WIDE, y * HIGH) for x, y in (LINE.start, LINE.end)]
    zone = sv.LineZone(*ends, triggering_anchors=[sv.Position.CENTER])
    frames = iter(sv.get_video_frames_generator(str(video)))
    while True:
        with cost.part("decode"):
            image = next(frames, None)
        if image is None:
            break
        with cost.part("detect"):
            found = detector.detect(image)
        with cost.part("track"):
            boxes = found.boxes * np.array([WIDE, HIGH] * 2, np.float32)
            people = sv.Detections(xyxy=boxes, confidence=found.scores, class_id=np.zeros(len(boxes), int))
            people = tracker.update_with_detections(people)
        with cost.part("count"):
            entered, left = zone.trigger(people)
            cost.crossings += int(np.sum(entered)) + int(np.sum(left))
        cost.pictures += 1
    return cost


def ready(size: int = 416) -> Detector:
    """A detector whose session is made already."""
    detector = Detector(long_side=size)
    detector.detect(np.zeros((HIGH, WIDE, 3), np.uint8))
    return detector


def ideas(video: Path) -> None:
    """What else saves time, each alone and without the gate; crossings show what it costs."""
    ours(video, ready(320)).show("input 320 instead of 416")
    ours(video, ready(), every=2).show("every second picture: grab without retrieve")
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
    }
    if importlib.util.find_spec("supervision"):
        warnings.filterwarnings("ignore", category=FutureWarning, message=".*ByteTrack.*")
        rigs["supervision"] = supervision_rig
    with tempfile.TemporaryDirectory() as folder:
        scenes = make_scenes(Path(folder), options.seconds)
        print(f"{'CPU ms per picture':44}" + "".join(f"{name:>9}" for name in (*PARTS, "all", "cameras", " crossings")))
        for scene, video in scenes.items():
            for name, rig in rigs.items():
                rig(video).show(f"{scene}: {name}")
        if options.ideas:
            ideas(scenes["street"])


if __name__ == "__main__":
    main()
