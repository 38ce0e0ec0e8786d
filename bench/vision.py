"""Cost and accuracy of counting, on a recorded clip with crossings counted by eye.

    python -m bench.vision [--video FILE --truth FILE] [--every N] [--size PX] [--sensitivity] [--peers]

Prints CPU milliseconds per frame (of this process, all threads) for decoding, detection, and tracking with lines, then
correct/false/missed crossings within one second. ``--peers`` runs what ``bench.counting_peers`` names on the same
detections in the same run.
"""

import argparse
import importlib.util
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from bench.counting_peers import PEERS, Counted
from models.detector import Detections, Detector
from models.lines import Anchor, Line, LineCounter
from models.tracker import Tracker
from sensors.camera import CameraSource
from sensors.camera_config import CameraConfig
from sensors.readings import Frame, Image

SHARED = Path(__file__).resolve().parents[2] / "shared/data/video"
TOLERANCE_S = 1.0


def compare(found: Counted, truth: dict[str, Any], tolerance: float = TOLERANCE_S) -> tuple[int, int, int]:
    """Correct, false, missed: one to one, same direction, within ``tolerance``; a tolerated pair may be counted."""
    left = [(event["t"], event["dir"]) for event in truth["events"]]
    false = []
    for moment, direction in sorted(found):
        fitting = [event for event in left if event[1] == direction and abs(event[0] - moment) <= tolerance]
        if fitting:
            left.remove(min(fitting, key=lambda event: abs(event[0] - moment)))
        else:
            false.append((moment, direction))
    pair = [item for item in false if 68.1 <= item[0] <= 71.1] if truth.get("tolerated") else []
    if sorted(direction for _, direction in pair) == ["L2R", "R2L"]:
        false = [item for item in false if item not in pair]
    return len(truth["events"]) - len(left), len(false), len(left)


def ours(found: Sequence[tuple[float, Detections]], line: Line) -> Counted:
    """Crossings by this project's tracker and line."""
    tracker, counter, result = Tracker(), LineCounter(line), []
    for moment, detections in found:
        update = tracker.update(detections, moment)
        result += counter.update(update.people, update.ended, moment)
    result += counter.update((), tracker.finish(), found[-1][0])
    return [(crossing.time, "L2R" if crossing.direction == "positive" else "R2L") for crossing in result]


def decoded(video: Path, every: int) -> tuple[list[Frame], float, float]:
    """All pictures, CPU ms for each, and pictures per second."""
    before = time.process_time()
    with CameraSource(CameraConfig(url=f"file:{video}", every=every)) as source:
        frames = [reading for reading in source if isinstance(reading, Frame)]
        fps = source.fps / every
    return frames, (time.process_time() - before) / len(frames) * 1000, fps


def detected(
    frames: Sequence[Frame], size: int, change: Callable[[Image], Image] = lambda image: image
) -> tuple[list[tuple[float, Detections]], float]:
    """Detections with their media times, and CPU ms for each picture."""
    detector = Detector(long_side=size)
    detector.detect(change(frames[0].image))
    spent, found = 0.0, []
    for frame in frames:
        image = change(frame.image)
        before = time.process_time()
        found.append((frame.media_time, detector.detect(image)))
        spent += time.process_time() - before
    return found, spent / len(frames) * 1000


def timed(run: Callable[[], Counted], frames: int) -> tuple[Counted, float]:
    """The result and CPU ms per picture, the best of three."""
    costs = []
    for _ in range(3):
        before = time.process_time()
        result = run()
        costs.append((time.process_time() - before) / frames * 1000)
    return result, min(costs)


def variants() -> dict[str, Callable[[Image], Image]]:
    """Changes of the picture that a count should not care about."""
    return {
        "half the light": lambda image: (image * 0.5).astype(np.uint8),
        "a third of the light": lambda image: (image * 0.33).astype(np.uint8),
        "overexposed": lambda image: np.clip(image * 1.4 + 10.0, 0, 255).astype(np.uint8),
        "half the resolution": lambda image: cv2.resize(image, None, fx=0.5, fy=0.5).astype(np.uint8),
        "mirrored": lambda image: np.ascontiguousarray(image[:, ::-1]),
    }


def mirrored(truth: dict[str, Any]) -> dict[str, Any]:
    """The truth of the mirrored clip."""
    events = [{**event, "dir": {"L2R": "R2L", "R2L": "L2R"}[event["dir"]]} for event in truth["events"]]
    return {**truth, "events": events}


def sensitivity(frames: Sequence[Frame], size: int, truth: dict[str, Any], upright: Callable[..., Line]) -> None:
    """Print how the result changes with the line, the anchor, the rate, and the picture."""
    x = truth["p1"][0]
    plain, _ = detected(frames, size)
    anchors: tuple[Anchor, Anchor] = ("centre", "foot")
    print("correct/false/missed        " + "".join(f"{anchor:>12}" for anchor in anchors))

    def row(
        label: str, found: Sequence[tuple[float, Detections]], truth: dict[str, Any], at: float, wide: float
    ) -> None:
        cells = ["/".join(map(str, compare(ours(found, upright(at, anchor)), truth, wide))) for anchor in anchors]
        print(f"{label:28}" + "".join(f"{cell:>12}" for cell in cells), flush=True)

    for every in (1, 2, 3, 4):
        for offset in range(min(every, 2)):
            row(f"every {every}, from {offset}", plain[offset::every], truth, x, TOLERANCE_S)
    # A moved line is crossed earlier or later by those who walk slowly: up to 2.5 s for 0.05 of the picture.
    for shift in (-0.05, -0.04, -0.02, 0.02, 0.04, 0.05):
        row(f"line at {x + shift:.2f} (±2.5 s)", plain, truth, x + shift, 2.5)
    for other in (512, 640):
        row(f"input {other}", detected(frames, other)[0], truth, x, TOLERANCE_S)
    for label, change in variants().items():
        flipped = label == "mirrored"
        found = detected(frames, size, change)[0]
        row(label, found, mirrored(truth) if flipped else truth, 1 - x if flipped else x, TOLERANCE_S)


def main() -> None:
    """Parse arguments, measure, print."""
    parser = argparse.ArgumentParser(description="Cost and accuracy of counting.")
    parser.add_argument("--video", type=Path, default=SHARED / "vtest.avi")
    parser.add_argument("--truth", type=Path, default=SHARED / "vtest.truth.json")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--size", type=int, default=416)
    parser.add_argument("--sensitivity", action="store_true", help="other lines, rates, light, resolution")
    parser.add_argument(
        "--peers", action="store_true", help="compare with: pip install 'supervision<0.31' trackers norfair"
    )
    options = parser.parse_args()
    truth = json.loads(options.truth.read_text())["lines"][0]
    (_, top), (_, bottom) = truth["p1"], truth["p2"]

    def upright(x: float, anchor: Anchor = "centre") -> Line:
        return Line(truth["name"], (x, top), (x, bottom), anchor)

    frames, decode_ms, fps = decoded(options.video, options.every)
    height, width = frames[0].image.shape[:2]
    found, detect_ms = detected(frames, options.size)
    line = Line(truth["name"], tuple(truth["p1"]), tuple(truth["p2"]))
    mine, track_ms = timed(lambda: ours(found, line), len(frames))
    people = np.mean([(detections.scores >= 0.25).sum() for _, detections in found])
    print(f"{options.video.name}: {len(frames)} frames of {width}×{height}, {fps:g} fps, {people:.1f} people a frame")
    print(f"CPU ms per frame: decode {decode_ms:.2f}, detect {detect_ms:.2f}, track and line {track_ms:.3f}")
    correct, false, missed = compare(mine, truth)
    print(
        f"line {line.name}: {correct} correct, {false} false, {missed} missed; "
        f"precision {correct / max(1, correct + false):.3f}, recall {correct / max(1, correct + missed):.3f}"
    )
    for name, peer in PEERS if options.peers else ():
        if importlib.util.find_spec(name.split()[0]) is None:
            print(f"{name}: not installed; pip install {name.split()[0]}")
            continue
        result, cost = timed(lambda peer=peer: peer(found, line, fps, (width, height)), len(frames))  # type: ignore[misc]
        verdict = "/".join(map(str, compare(result, truth)))
        print(f"{name}: {verdict}, track and line {cost:.3f} CPU ms, {cost / track_ms:.1f} times ours")
    if options.sensitivity:
        sensitivity(frames, options.size, truth, upright)


if __name__ == "__main__":
    main()
